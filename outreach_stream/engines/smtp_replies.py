"""What a server's reply means for the mail: pure functions of the reply and the moment it came.

Codes are those of RFC 5321 section 4.2, enhanced codes those of RFC 3463 and the IANA registry of RFC 5248
(iana.org/assignments/smtp-enhanced-status-codes). Providers' words stand beside what reads them, with their source.
"""

import re
from enum import StrEnum
from typing import NamedTuple

from outreach_stream.domain.outcomes import (
    Accepted,
    EngineStopped,
    InDoubt,
    MessageRejected,
    Outcome,
    RecipientRejected,
    Refusal,
    SenderBlocked,
    Throttled,
    Transient,
)


class Phase(StrEnum):
    """What the server is answering, in the order of a session."""

    CONNECT = "connect"
    GREETING = "greeting"
    EHLO = "ehlo"
    STARTTLS = "starttls"
    AUTH = "auth"
    RSET = "rset"
    MAIL = "mail"
    RCPT = "rcpt"
    DATA = "data"
    DOT = "dot"
    """The final dot: the message has been handed over, only the answer is missing."""


_SESSION = frozenset({Phase.CONNECT, Phase.GREETING, Phase.EHLO, Phase.STARTTLS, Phase.AUTH})
"""No recipient is involved yet: what fails here fails for everybody."""


class Reply(NamedTuple):
    """One reply, its lines joined by newlines."""

    code: int
    text: str

    @property
    def enhanced(self) -> str | None:
        """The enhanced status code, if the text opens with one (RFC 2034)."""
        found = _ENHANCED.match(self.text)
        return found[1] if found else None


_ENHANCED = re.compile(r"([245]\.\d{1,3}\.\d{1,3})(?!\d)")

type _Kind = type[Refusal]

_BY_ENHANCED: dict[str, _Kind] = {
    "1.7": SenderBlocked, "1.8": SenderBlocked,     # the sender's address, not the recipient's
    "2.3": MessageRejected,                         # longer than this mailbox takes
    "3.4": MessageRejected,                         # too big for the system
    "5.3": Transient,                               # too many recipients: we send one, so it is an earlier one
    "6.7": RecipientRejected,                       # the address needs SMTPUTF8 (RFC 6531)
    "7.0": SenderBlocked,
    # RFC 4954: our login. Its 7.9 comes with 534; alone it is Yahoo's "not accepted for policy reasons" (senders.
    # yahooinc.com/smtp-error-codes).
    "7.4": EngineStopped, "7.8": EngineStopped, "7.11": EngineStopped,
    "7.10": EngineStopped,                          # encryption needed (RFC 5248)
    "7.13": RecipientRejected, "7.17": RecipientRejected, "7.18": RecipientRejected,  # account disabled, new owner
}
"""What x.y of a 5.x.y says by itself."""

_BY_SUBJECT: dict[str, _Kind] = {
    "1": RecipientRejected,     # addressing
    "2": RecipientRejected,     # mailbox
    "4": RecipientRejected,     # routing: the recipient's domain cannot be reached
    "6": MessageRejected,       # content
    "7": SenderBlocked,         # policy
}
"""What the subject (x) of a 5.x.y says when the detail is not known. 3 and 5, system and protocol, say too little."""

_BY_CODE: dict[int, _Kind] = {
    500: MessageRejected, 502: MessageRejected, 504: MessageRejected, 555: MessageRejected,  # not understood
    503: Transient,             # out of step: a new connection starts afresh
}

_LOGIN = frozenset({530, 534, 535, 538})
"""RFC 4954 section 6: the server wants a login, another one, or encryption first."""

# The same 5xx for everybody until a person acts, where the code alone would blame the message. SES: "Message rejected:
# Email address is not verified" (docs.aws.amazon.com/ses/latest/dg/troubleshoot-error-messages.html), "Sending paused
# for this account", "Access denied: User `…` is not authorized to perform `ses:SendRawEmail`"
# (repost.aws/knowledge-center/amazon-ses-iam-user-email-access-denied). SendGrid: "The from address does not match a
# verified Sender Identity" (sendgrid.com/docs/for-developers/sending-email/sender-identity), "Unauthenticated senders
# not allowed", "Authenticated user is not authorized to send mail" (twilio.com/docs/sendgrid/for-developers/
# sending-email/smtp-errors-and-troubleshooting). Exchange Online: "Client does not have permissions to send as this
# sender", 5.2.252 "SendAsDenied" (learn.microsoft.com: how-to-set-up-a-multifunction-device-or-application-to-send-
# email). Mailgun: "Domain … is not allowed to send" (help.mailgun.com: My domain has been disabled). SMTP2GO: "Relay
# access denied - please authenticate", "From header sender domain not verified" (support.smtp2go.com: Common Sending
# Errors).
_STOPPED = re.compile(
    r"(?<!recipient )(?:address|domain|sender|identity) (?:is |was )?not verified|does not match a verified sender"
    r"|sending (?:is )?(?:paused|suspended|disabled) for this account|not authorized to (?:perform|send(?! to\b))"
    r"|unauthenticated senders not allowed|please authenticate|SendAsDenied|permissions to send as this sender"
    r"|\bdomain \S+ is not allowed to send",
    re.IGNORECASE,
)
# So even in a 4xx, which would be tried again until the deadline. SendGrid (page above): 403 "You are not authorized to
# send from that email address", 451 "Authentication failed: Maximum credits exceeded".
_STOPPED_ALL_THE_SAME = re.compile(r"not authorized to send from|maximum credits exceeded", re.IGNORECASE)

# The recipient, in words only, when the message has been handed over. Yahoo (senders.yahooinc.com/smtp-error-codes):
# 552 and 554 "mailbox not found", "This mailbox is disabled", "This user doesn't have a yahoo.com account".
_NO_MAILBOX = re.compile(r"mailbox (?:is )?(?:not found|unavailable|disabled|full)|(?:no such|unknown) (?:user|mailbox)"
                         r"|user (?:is )?unknown|user doesn't have an? \S+ account", re.IGNORECASE)
# A relay that refuses us, in words only: not the recipient's fault, whatever command it comes to. "Rejected because …
# is in a black list at …" and "Sender verify failed" are Exim's, rcpthosts is qmail's.
_NOT_US = re.compile(r"relay(?:ing)? (?:access )?(?:is )?(?:denied|not (?:permitted|allowed))|unable to relay|rcpthosts"
                     r"|must authenticate|authentication (?:is )?required|sender verify failed|poor reputation"
                     r"|(?:black|block) ?list|\bRBL\b|spamhaus|\b(?:client|host|IP)\b.{0,60}\b(?:blocked|banned)",
                     re.IGNORECASE)

_BY_PHASE: dict[Phase, _Kind] = {
    Phase.RSET: Transient,
    Phase.MAIL: SenderBlocked,
    Phase.RCPT: RecipientRejected,
    Phase.DATA: MessageRejected,
    Phase.DOT: MessageRejected,
}
"""Whom a 5xx without a telling code is about: at MAIL the sender, at RCPT the recipient, later the content."""

# Our rate, in the words of those who measure it. "Too many recipients" and "too many errors" are deliberately not among
# them: going slower does not help there. Nor is Exchange's "recipient thread limit exceeded", which is one mailbox's.
# SES (docs.aws.amazon.com/ses/latest/dg/manage-sending-quotas-errors.html): 454 "Throttling failure: Maximum sending
#   rate exceeded", "Daily message quota exceeded"; 421 "Too many concurrent SMTP connections".
# Gmail (support.google.com/a/answer/3726730): 421 4.7.28 "unusual rate of unsolicited mail", 550 5.4.5 "Daily user
#   sending limit exceeded".
# Exchange Online (techcommunity.microsoft.com, "Changes coming to the SMTP Authenticated Submission client"): 432 4.3.2
#   "concurrent connection limit exceeded", "sender thread limit exceeded"; 451 4.7.500 "Server busy" is how it
#   throttles (bentonow.com/smtp-errors/microsoft), while Gmail's 421 4.4.5 "Server busy" is no more than it says.
# Outlook.com: 451 4.7.650 "temporarily rate limited due to IP reputation", 4.7.652 "exceeded the maximum number of
#   connections" (spamresource.com, 2025-07), 421 RP-001 "We have limits for how many messages can be sent per hour".
# Yahoo: 421 4.7.0 [TSS04] "temporarily deferred due to unexpected volume or user complaints"
#   (smtpfieldmanual.com/provider/yahoo).
# SendGrid (its documentation, SMTP Errors and Troubleshooting): 450 "too frequent connects".
# Postfix (anvil): "too many connections", "too much mail".
_RATE = re.compile(
    r"throttl|rate.?limit|(?:sending|message|connection|submission|unusual)\s+rate"
    r"|\brate\b.{0,40}\bexceed|exceed.{0,40}\brate\b|slow(?:ing)? down"
    r"|(?<!receiving mail )too (?:fast|quickly|frequent)|too much mail"
    r"|too many (?:\w+ )?(?:messages|mails|emails|connections|sessions|requests|concurrent)"
    r"|(?:sender thread|connections?) limit exceeded|number of (?:concurrent |smtp )*connections"
    r"|unexpected volume|limits? for how many messages|4\.7\.500 server busy"
    r"|(?:daily|hourly|sending|per.(?:second|minute|hour|day))\W+(?:\w+\W+){0,3}(?:quota|limit)",
    re.IGNORECASE,
)
# Ours beyond doubt, though the enhanced code says mailbox (x.2.x) or policy (5.7.x). Gmail (as above): 450 4.2.1 "Peak
# SMTP relay limit exceeded", 550 5.7.1 "Daily SMTP relay limit exceeded". Exchange Online: 5.2.2 "Submission quota
# exceeded", 5.7.232 and 5.7.233 "… has exceeded its daily limit for sending email to external recipients"
# (learn.microsoft.com: non-delivery-reports-in-exchange-online).
_OUR_QUOTA = re.compile(r"relay (?:sending )?limit|submission ?quota|daily limit for sending", re.IGNORECASE)

_WAIT = re.compile(r"\b(?:in|after|for|wait)\s+(\d{1,6})\s*"
                   r"(?:(s)(?:ec(?:ond)?s?)?|(m)(?:in(?:ute)?s?)?|(h)(?:(?:ou)?rs?)?|(d)(?:ays?)?)\b", re.IGNORECASE)
_UNIT_SECONDS = (1.0, 60.0, 3_600.0, 86_400.0)
_DAILY_WAIT = 900.0
"""Seconds to leave a daily quota alone: it frees little by little over the day."""

_QUEUE_ID = re.compile(r"queued as <?([\w.+-]{4,100})|\bid[=:]\s?<?([\w.+-]{4,100})"
                       r"|^\s*(?:2\.\d{1,3}\.\d{1,3}(?!\d))?\s*ok <?([\w.+-]{16,100})>?\s*$", re.IGNORECASE)
_ACCEPTED = Accepted()


def classify(phase: Phase, code: int, enhanced: str | None, text: str) -> Outcome:
    """What `code` in answer to `phase` means for the mail; total over all numbers.

    A reply with a wrong first digit (a 2xx where 354 was due) is a server out of step: before the final dot
    nothing was accepted (RFC 5321 section 4.1.1.4), after it nobody knows.
    """
    if phase is Phase.DOT and code // 100 == 2:  # noqa: PLR2004 - RFC 5321 section 4.2.1: the first digit decides
        return accepted(text)
    reason = f"{phase}_{code}" + (f"_{enhanced}" if enhanced else "")
    if code // 100 not in (4, 5):
        return InDoubt(reason, text) if phase is Phase.DOT else Transient(reason, text)
    # Section 4.2.1 again: where the two codes contradict each other, the enhanced one is not believed.
    parts = enhanced.split(".") if enhanced and enhanced[0] == str(code)[0] else ["", "", ""]
    if _is_about_rate(code, parts[1], text):
        return Throttled(reason, text, retry_after(text))
    return _verdict(phase, code, parts, text)(reason, text)


def accepted(text: str) -> Accepted:
    """What a 2xx to the final dot means. Its words are not kept: of what went well only the name is asked for."""
    name = queue_id(text)
    return Accepted(name) if name else _ACCEPTED


def _verdict(phase: Phase, code: int, parts: list[str], text: str) -> _Kind:
    """Which failure a 4xx or 5xx is that is not about our rate."""
    if _STOPPED_ALL_THE_SAME.search(text):
        return EngineStopped
    if code < 500:  # noqa: PLR2004
        return Transient
    if phase in _SESSION:
        return Transient if code == 503 else EngineStopped  # noqa: PLR2004
    if code in _LOGIN or _STOPPED.search(text):
        return EngineStopped
    return (_by_words(phase, code, parts, text) or _BY_ENHANCED.get(f"{parts[1]}.{parts[2]}")
            or _BY_SUBJECT.get(parts[1]) or _BY_CODE.get(code) or _BY_PHASE[phase])


def _by_words(phase: Phase, code: int, parts: list[str], text: str) -> _Kind | None:
    """Whom a 5xx is about where its words, or the code, say so against what the rest suggests."""
    if not parts[1] and _NOT_US.search(text):
        return SenderBlocked
    if not parts[1] and phase in (Phase.DATA, Phase.DOT) and _NO_MAILBOX.search(text):
        return RecipientRejected
    if phase is Phase.RCPT and code == 552 and "too many recipients" in text.lower():  # noqa: PLR2004
        return Transient  # RFC 5321 section 4.5.3.1.10: old servers say 552 and mean 452
    if phase in (Phase.MAIL, Phase.DOT) and code == 552 and parts[1] != "2":  # noqa: PLR2004
        return MessageRejected  # RFC 1870 section 6: too large
    return None


def _is_about_rate(code: int, subject: str, text: str) -> bool:
    if _OUR_QUOTA.search(text):
        return True
    # x.2.x is one mailbox that gets too much from everybody, 5.7.x a block that waiting does not lift.
    return subject != "2" and not (code >= 500 and subject == "7") and bool(_RATE.search(text))  # noqa: PLR2004


def retry_after(text: str) -> float | None:
    """Seconds that a throttling reply asks to wait; None: it does not say."""
    if found := _WAIT.search(text):
        number, *units = found.groups()
        return float(number) * next(seconds for unit, seconds in zip(units, _UNIT_SECONDS, strict=True) if unit)
    return _DAILY_WAIT if "daily" in text.lower() else None


def queue_id(text: str) -> str | None:
    """The name under which the server took the message, for tracing it in the server's log; None: not told."""
    found = _QUEUE_ID.search(text)
    return found[found.lastindex or 0] if found else None
