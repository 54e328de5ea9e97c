"""From a configuration to a connection that is ready: TCP, TLS, EHLO and login, done by aiosmtplib."""

import asyncio
import socket
import ssl
from dataclasses import replace
from typing import cast

import aiosmtplib

from outreach_stream.domain.outcomes import Failure, Refusal, Transient
from outreach_stream.engines.dkim import Signer
from outreach_stream.engines.dkim_keys import Keyring
from outreach_stream.engines.failures import MisconfiguredEngine, tls_context
from outreach_stream.engines.smtp_config import Relay, SmtpConfig
from outreach_stream.engines.smtp_errors import failure
from outreach_stream.engines.smtp_login import log_in
from outreach_stream.engines.smtp_replies import Phase
from outreach_stream.engines.smtp_rotation import Rotation
from outreach_stream.engines.smtp_session import Abilities, Session
from outreach_stream.engines.smtp_transaction import SmtpConnection
from outreach_stream.engines.smtp_wire import SmtpWire


class SmtpConnector:
    """Opens connections for one engine. Its TLS context is made once: loading the authorities takes ~10 ms."""

    def __init__(self, config: SmtpConfig) -> None:
        self._config = config
        self._relays = config.every_relay
        self._rotation = Rotation([relay.weight for relay in self._relays])
        self._keyring = Keyring(config.dkim)
        self._tls: ssl.SSLContext | None = None

    async def connect(self) -> SmtpConnection | Refusal:
        """A connection past its login, which opens another session by itself when this one has gone stale."""
        session = await self.open()
        if not isinstance(session, Session):
            return session
        return SmtpConnection(session, self.open, self._config.timeouts, self._config.connections.max_messages)

    async def open(self) -> Session | Refusal:
        """A session past its login with the relay whose turn it is, or why there is none.

        Where a relay cannot be reached now the next one is tried: one attempt for each at most, each of at most
        `timeouts.connect`. A refused login, or what else stays wrong until a person acts, ends it at once: for all of
        them the credentials are the same.
        """
        found: Session | Refusal = Transient("connect_no_relay")
        clock = asyncio.get_running_loop().time
        for place in self._rotation.turn(clock()):
            found = await self.open_at(self._relays[place])
            if not isinstance(found, Transient):
                self._rotation.reachable(place)
                break
            self._rotation.unreachable(place, clock())
        return found

    async def open_at(self, relay: Relay) -> Session | Refusal:
        """A session past its login with this relay, or why there is none, after one attempt."""
        attempt = _Attempt(self._config, relay)
        try:
            async with asyncio.timeout(self._config.timeouts.connect):
                return await attempt.run(*await asyncio.to_thread(self.prepared))
        except Exception as error:  # noqa: BLE001 - `failure` raises what it does not know
            outcome = cast("Failure", failure(attempt.phase, error))
        if len(self._relays) > 1:  # which of them?
            outcome = replace(outcome, detail=f"{relay.host}: {outcome.detail}")
        return cast("Refusal", outcome)

    def prepared(self) -> tuple[str, ssl.SSLContext | None, str | None, tuple[Signer, ...]]:
        """What must be known before: our name, the TLS context, the password, the keys. Blocks while it reads files.

        Raises `MisconfiguredEngine`, `UnresolvedReference`.
        """
        config = self._config
        if self._tls is None and config.security != "none":
            self._tls = tls_context(config.ca_file, verify=config.verify_certificates)
        return (config.local_hostname or _own_name(), self._tls,
                config.password.resolve() if config.password else None, self._keyring.signers())


_names: list[str] = []


def _own_name() -> str:
    """How this machine calls itself in EHLO. A whole name is kept: where DNS is slow, so would each connection be.

    A short one is not: DNS was not there, and many a relay lets nobody in who has no domain.
    """
    if _names:
        return _names[0]
    if "." in (name := socket.getfqdn()):
        _names.append(name)
    return name


class _Attempt:
    """One attempt to connect; `phase` tells how far it came."""

    def __init__(self, config: SmtpConfig, relay: Relay) -> None:
        self.config, self.relay = config, relay
        self.phase = Phase.CONNECT

    async def run(self, name: str, tls: ssl.SSLContext | None, secret: str | None,
                  signers: tuple[Signer, ...]) -> Session:
        config = self.config
        host, port = self.relay.address()
        # Plain `None` limits: `timeouts.connect` runs over all steps together.
        client = aiosmtplib.SMTP(hostname=host, port=port, local_hostname=name, tls_context=tls,
                                 use_tls=config.security == "tls", start_tls=False, timeout=None)
        try:
            await client.connect()
            await self._introduce(client)
            if config.security == "starttls":
                await self._encrypt(client)
            if config.username is not None and secret is not None:
                self.phase = Phase.AUTH
                await log_in(client, config.auth, config.username, secret)
            return self._take_over(client, signers)
        except BaseException:
            client.close()
            raise

    async def _introduce(self, client: aiosmtplib.SMTP) -> None:
        self.phase = Phase.EHLO
        await client.ehlo()

    async def _encrypt(self, client: aiosmtplib.SMTP) -> None:
        self.phase = Phase.STARTTLS
        if not client.supports_extension("starttls"):
            raise MisconfiguredEngine("the server does not offer STARTTLS")
        await client.starttls()
        await self._introduce(client)  # RFC 3207 section 4.2: what was said in clear is forgotten

    def _take_over(self, client: aiosmtplib.SMTP, signers: tuple[Signer, ...]) -> Session:
        if client.transport is None or client.transport.is_closing():
            raise ConnectionError("closed by the server")
        size = client.esmtp_extensions.get("size")
        abilities = Abilities(
            pipelining=client.supports_extension("pipelining"),
            eight_bit=client.supports_extension("8bitmime"),
            smtputf8=client.supports_extension("smtputf8"),
            # RFC 1870 section 4: no number, or zero, is no limit.
            max_size=int(size) if size and size.isdecimal() and int(size) else None,
            size=size is not None,
        )
        return Session(SmtpWire(cast("asyncio.Transport", client.transport)), abilities, signers)
