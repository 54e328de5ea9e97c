"""The preflight of an SMTP engine: what `outreach engine check` finds of its settings, relays and senders."""

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from typing import cast

from outreach_stream.domain.message import Mail, Mailbox, OutgoingMessage
from outreach_stream.domain.outcomes import EngineStopped, Failure
from outreach_stream.domain.ports import Finding
from outreach_stream.engines.dkim import Signer
from outreach_stream.engines.dkim_keys import key_finding, record_finding
from outreach_stream.engines.failures import network_failure
from outreach_stream.engines.pool import GOODBYE_LIMIT
from outreach_stream.engines.preflight import Step, begins_in_clear, of_failure, reach, tls_finding
from outreach_stream.engines.smtp_config import Relay, SmtpConfig
from outreach_stream.engines.smtp_connect import SmtpConnector
from outreach_stream.engines.smtp_errors import failure
from outreach_stream.engines.smtp_replies import Phase, Reply, classify
from outreach_stream.engines.smtp_session import Session
from outreach_stream.engines.smtp_wire import SmtpWire

IMPLICIT_TLS = 465
"""RFC 8314 section 7.3."""

_STEPS: dict[str, Step] = {"starttls": "tls", "auth": "login"}
"""By the phase that a failure's reason begins with; the others are of connecting."""


async def check(config: SmtpConfig, senders: Sequence[str]) -> AsyncIterator[Finding]:
    """Settings and DKIM first; then each relay, as far as it comes: the DNS, connecting, TLS, login, senders.

    Whether a sender is taken is asked with MAIL, taken back with RSET; there is no mail.
    """
    for warning in config.warnings:
        yield Finding("settings", None, warning)
    connector = SmtpConnector(config)
    try:
        *_, signers = await asyncio.to_thread(connector.prepared)
        addresses = [relay.address() for relay in config.every_relay]
    except Exception as error:  # noqa: BLE001 - `network_failure` raises what it does not know
        yield of_failure("settings", cast("Failure", network_failure("settings", error, handed_over=False)))
        return
    for finding in _settings(config, signers, senders):
        yield finding
    for signer in signers:
        yield await record_finding(signer)
    for relay, address in zip(config.every_relay, addresses, strict=True):
        async for finding in _relay(connector, config, relay, address, senders):
            several = len(addresses) > 1 and finding.step not in ("dns", "connect")  # these two name it themselves
            yield finding._replace(text=f"{address[0]} port {address[1]}: {finding.text}") if several else finding


def _settings(config: SmtpConfig, signers: Sequence[Signer], senders: Sequence[str]) -> Iterator[Finding]:
    if config.password:
        yield Finding("settings", True, f"{config.password} can be read")
    for signer in signers:
        yield key_finding(signer)
    for sender in senders if signers else ():
        domain = sender.rpartition("@")[2].lower()
        if not any(f".{domain}".endswith(f".{signer.domain}") for signer in signers):
            yield Finding("settings", None, f"no DKIM key is of {domain}: for receivers who check DMARC, the signature "
                                            f"does not speak for {sender}")


async def _relay(connector: SmtpConnector, config: SmtpConfig, relay: Relay, address: tuple[str, int],
                 senders: Sequence[str]) -> AsyncIterator[Finding]:
    finding = None
    async for finding in reach(*address, config.timeouts.connect):
        yield finding
    if finding is None or not finding.good:
        return
    session = await connector.open_at(relay)
    if not isinstance(session, Session):
        yield of_failure(_step(config, session), session, _advice(config, session, address[1]))
        return
    try:
        if session.wire.ssl_object:
            yield tls_finding(session.wire.ssl_object)
        yield Finding("login", None, "no username is given: the relay was not asked to let us in") \
            if config.username is None else Finding("login", True, "the login is taken")
        for sender in senders:
            yield await _sender(session, sender, config.timeouts.command)
        await session.wire.quit(GOODBYE_LIMIT)
    finally:
        session.wire.abort()


def _step(config: SmtpConfig, met: Failure) -> Step:
    """Which step a failure to open a session is of: the port answers, so what fails as TLS begins is TLS."""
    phase = met.reason.partition("_")[0]
    if config.security == "tls" and phase == Phase.CONNECT:
        return "tls"
    return _STEPS.get(phase, "connect")


def _advice(config: SmtpConfig, met: Failure, port: int) -> str | None:
    """Which field to mend, where the failure tells; None: it does not."""
    phase, _, what = met.reason.partition("_")
    if config.security == "tls" and begins_in_clear(met):
        return "The server does not begin with TLS: try security: starttls"
    if config.security != "tls" and what in ("timeout", "connection_lost") and phase in (Phase.CONNECT, Phase.GREETING):
        if port == IMPLICIT_TLS:
            return "It does not greet: is it an implicit-TLS port, as 465 is as a rule? Try security: tls"
        return ("It does not greet: check that it is a port for SMTP; one that waits for TLS from the first byte "
                "needs security: tls")
    if phase == Phase.AUTH and isinstance(met, EngineStopped) and what.startswith("53"):
        return (f"Mend username or password ({config.password}); some providers want a password of its own for "
                "programs here, or an API key. Nothing will be sent until then")
    return None


async def _sender(session: Session, sender: str, limit: float) -> Finding:
    """Whether MAIL FROM is taken; the relay may still look at the sender when it has the mail."""
    message = OutgoingMessage("", sender, "", Mail(Mailbox(sender), Mailbox(""), ""), lambda **_: b"")
    command, _ = session.abilities.envelope(message, b"")
    met: Failure | None = None
    try:
        reply = await _asked(session.wire, command, limit)
        if reply.code // 100 != 2:  # noqa: PLR2004
            met = cast("Failure", classify(Phase.MAIL, reply.code, reply.enhanced, reply.text))
        await _asked(session.wire, b"RSET\r\n", limit)
    except OSError as error:
        met = met or cast("Failure", failure(Phase.MAIL, error))
    if met:
        found = of_failure("sender", met)
        return found._replace(text=f"{sender} is refused: {found.text}")
    return Finding("sender", True, f"MAIL FROM:<{sender}> is taken; some relays look again when they have the mail")


async def _asked(wire: SmtpWire, command: bytes, limit: float) -> Reply:
    wire.write(command, expect=1)
    return await wire.reply(limit)
