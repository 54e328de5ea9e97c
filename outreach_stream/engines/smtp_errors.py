"""Exceptions of connections and of aiosmtplib, translated once into outcomes."""

import ssl
from collections.abc import Callable
from typing import Any

import aiosmtplib

from outreach_stream.catalog.values import UnresolvedReference
from outreach_stream.domain.outcomes import EngineStopped, InDoubt, Outcome, Transient
from outreach_stream.engines.smtp_replies import Phase, Reply, classify


class MalformedReply(ConnectionError):  # noqa: N818 - named as it is said
    """The server said something that is no SMTP reply, or spoke unasked: the two are out of step."""


class MisconfiguredEngine(Exception):  # noqa: N818
    """What the configuration asks for cannot be done, here or with this server."""


def failure(phase: Phase, error: BaseException) -> Outcome:
    """What `error`, met while waiting for the answer to `phase`, means for the mail.

    After the final dot a lost or silent connection leaves the mail in doubt (RFC 5321 section 4.5.3.2.6 and
    RFC 1047 tell of the duplicates that come of believing otherwise). Raises `error` again if it is a bug.
    """
    for kind in type(error).__mro__:
        if translate := TRANSLATIONS.get(kind):
            return translate(phase, error)
    raise error


def _lost(reason: str) -> Callable[[Phase, Any], Outcome]:
    def translate(phase: Phase, error: BaseException) -> Outcome:
        kind = InDoubt if phase is Phase.DOT else Transient
        return kind(f"{phase}_{reason}", f"{type(error).__name__}: {error}")
    return translate


def _stopped(reason: str) -> Callable[[Phase, Any], Outcome]:
    return lambda phase, error: EngineStopped(f"{phase}_{reason}", str(error))


def _replied(fixed: Phase | None = None) -> Callable[[Phase, Any], Outcome]:
    """The reply that the exception carries, to the command that it tells of (None: to the running one)."""
    def translate(phase: Phase, error: aiosmtplib.SMTPResponseException) -> Outcome:
        reply = Reply(error.code, error.message)
        return classify(fixed or phase, reply.code, reply.enhanced, reply.text)
    return translate


def _not_connected(phase: Phase, error: BaseException) -> Outcome:
    cause = error.__cause__
    if isinstance(cause, OSError) and not isinstance(cause, aiosmtplib.SMTPException):
        return failure(phase, cause)
    return _lost("connection_lost")(phase, error)


def _every_recipient(_phase: Phase, error: aiosmtplib.SMTPRecipientsRefused) -> Outcome:
    return failure(Phase.RCPT, error.recipients[0])


TRANSLATIONS: dict[type[BaseException], Callable[[Phase, Any], Outcome]] = {
    TimeoutError: _lost("timeout"),
    MalformedReply: _lost("malformed_reply"),
    ConnectionError: _lost("connection_lost"),
    OSError: _lost("network_error"),  # no route, name not found: passing, as a rule
    # A certificate does not become trusted by trying again, and nobody should be mailed through a stranger.
    ssl.SSLCertVerificationError: _stopped("certificate_not_trusted"),
    ssl.SSLError: _lost("tls_failed"),
    UnresolvedReference: _stopped("missing_secret"),
    MisconfiguredEngine: _stopped("misconfigured"),
    # Both come from values that aiosmtplib refuses before it sends them; a codec's words may quote a password.
    ValueError: _stopped("misconfigured"),
    UnicodeError: lambda phase, _: EngineStopped(f"{phase}_misconfigured", "a host, user name or password is unfit"),
    # All of aiosmtplib's; a test notices when it grows another.
    aiosmtplib.SMTPException: _lost("protocol_error"),
    aiosmtplib.SMTPServerDisconnected: _lost("connection_lost"),
    aiosmtplib.SMTPConnectError: _not_connected,
    aiosmtplib.SMTPTimeoutError: _lost("timeout"),
    aiosmtplib.SMTPConnectTimeoutError: _lost("timeout"),
    aiosmtplib.SMTPReadTimeoutError: _lost("timeout"),
    aiosmtplib.SMTPNotSupported: _stopped("not_offered"),
    aiosmtplib.SMTPResponseException: _replied(),
    aiosmtplib.SMTPConnectResponseError: _replied(Phase.GREETING),
    aiosmtplib.SMTPHeloError: _replied(Phase.EHLO),
    aiosmtplib.SMTPAuthenticationError: _replied(Phase.AUTH),
    aiosmtplib.SMTPSenderRefused: _replied(Phase.MAIL),
    aiosmtplib.SMTPRecipientRefused: _replied(Phase.RCPT),
    aiosmtplib.SMTPRecipientsRefused: _every_recipient,
    aiosmtplib.SMTPDataError: _replied(Phase.DOT),
}
"""The nearest ancestor decides."""
