"""From a configuration to a connection that is ready: TCP, TLS, EHLO and login, done by aiosmtplib."""

import asyncio
import ssl
from typing import cast

import aiosmtplib

from outreach_stream.domain.outcomes import Refusal
from outreach_stream.engines.failures import MisconfiguredEngine, tls_context
from outreach_stream.engines.smtp_config import SmtpConfig
from outreach_stream.engines.smtp_errors import failure
from outreach_stream.engines.smtp_replies import Phase
from outreach_stream.engines.smtp_session import Abilities, Session
from outreach_stream.engines.smtp_transaction import SmtpConnection
from outreach_stream.engines.smtp_wire import SmtpWire


class SmtpConnector:
    """Opens connections for one engine. Its TLS context is made once: loading the authorities takes ~10 ms."""

    def __init__(self, config: SmtpConfig) -> None:
        self._config = config
        self._tls: ssl.SSLContext | None = None

    async def connect(self) -> SmtpConnection | Refusal:
        """A connection past its login, which opens another session by itself when this one has gone stale."""
        session = await self.open()
        if not isinstance(session, Session):
            return session
        return SmtpConnection(session, self.open, self._config.timeouts)

    async def open(self) -> Session | Refusal:
        """A session past its login, or why there is none, after one attempt of at most `timeouts.connect`."""
        attempt = _Attempt(self._config)
        try:
            async with asyncio.timeout(self._config.timeouts.connect):
                if self._tls is None and self._config.security != "none":
                    self._tls = await asyncio.to_thread(
                        tls_context, self._config.ca_file, verify=self._config.verify_certificates)
                return await attempt.run(self._tls)
        except Exception as error:  # noqa: BLE001 - `failure` raises what it does not know
            return cast("Refusal", failure(attempt.phase, error))


class _Attempt:
    """One attempt to connect; `phase` tells how far it came."""

    def __init__(self, config: SmtpConfig) -> None:
        self.config = config
        self.phase = Phase.CONNECT

    async def run(self, tls: ssl.SSLContext | None) -> Session:
        config = self.config
        host, port = config.address()
        # Plain `None` limits: `timeouts.connect` runs over all steps together.
        client = aiosmtplib.SMTP(hostname=host, port=port, local_hostname=config.local_hostname, tls_context=tls,
                                 use_tls=config.security == "tls", start_tls=False, timeout=None)
        try:
            await client.connect()
            await self._introduce(client)
            if config.security == "starttls":
                await self._encrypt(client)
            if config.username is not None and config.password is not None:
                await self._log_in(client, config.username, await asyncio.to_thread(config.password.resolve))
            return self._take_over(client)
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

    async def _log_in(self, client: aiosmtplib.SMTP, username: str, password: str) -> None:
        self.phase = Phase.AUTH
        # One method, one attempt: aiosmtplib's own login() tries them all, and servers lock out after a few.
        if "plain" in client.server_auth_methods:
            await client.auth_plain(username, password)
        elif "login" in client.server_auth_methods:
            await client.auth_login(username, password)
        else:
            raise MisconfiguredEngine("the server offers neither AUTH PLAIN nor AUTH LOGIN")

    def _take_over(self, client: aiosmtplib.SMTP) -> Session:
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
        return Session(SmtpWire(cast("asyncio.Transport", client.transport)), abilities)
