"""Exceptions of connections and of aiosmtplib, translated once into outcomes."""

from collections.abc import Callable
from typing import Any

import aiosmtplib

from outreach_stream.domain.outcomes import Outcome
from outreach_stream.engines.failures import NETWORK, Translate, lost, nearest, stopped
from outreach_stream.engines.smtp_replies import Phase, Reply, classify


def failure(phase: Phase, error: BaseException) -> Outcome:
    """What `error`, met while waiting for the answer to `phase`, means for the mail.

    After the final dot a lost or silent connection leaves the mail in doubt (RFC 5321 section 4.5.3.2.6 and
    RFC 1047 tell of the duplicates that come of believing otherwise). Raises `error` again if it is a bug.
    """
    return nearest(TRANSLATIONS, error)(phase, error)


def _in_phase(translate: Translate) -> Callable[[Phase, Any], Outcome]:
    return lambda phase, error: translate(phase, phase is Phase.DOT, error)


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
    return lost("connection_lost")(phase, phase is Phase.DOT, error)


def _every_recipient(_phase: Phase, error: aiosmtplib.SMTPRecipientsRefused) -> Outcome:
    return failure(Phase.RCPT, error.recipients[0])


TRANSLATIONS: dict[type[BaseException], Callable[[Phase, Any], Outcome]] = {
    **{kind: _in_phase(translate) for kind, translate in NETWORK.items()},
    # All of aiosmtplib's; a test notices when it grows another.
    aiosmtplib.SMTPException: _in_phase(lost("protocol_error")),
    aiosmtplib.SMTPServerDisconnected: _in_phase(lost("connection_lost")),
    aiosmtplib.SMTPConnectError: _not_connected,
    aiosmtplib.SMTPTimeoutError: _in_phase(lost("timeout")),
    aiosmtplib.SMTPConnectTimeoutError: _in_phase(lost("timeout")),
    aiosmtplib.SMTPReadTimeoutError: _in_phase(lost("timeout")),
    aiosmtplib.SMTPNotSupported: _in_phase(stopped("not_offered")),
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
