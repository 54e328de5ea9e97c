"""What SES's answers mean for the mail. Pure: status, headers and body in, an outcome out.

An error has a name [1][2] that decides; where one name stands for different things, its words do [3][4]. What would be
the same for every recipient stops the engine. SES has no way to ask what became of a request: it knows no token by
which a repeated one would be recognised.

1. https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_SendEmail.html#API_SendEmail_Errors
2. https://docs.aws.amazon.com/ses/latest/APIReference-V2/CommonErrors.html, and those of version 1:
   https://docs.aws.amazon.com/ses/latest/DeveloperGuide/api-error-codes.html
3. https://docs.aws.amazon.com/ses/latest/dg/troubleshoot-error-messages.html
4. https://docs.aws.amazon.com/ses/latest/dg/manage-sending-quotas-errors.html
"""

import json
import re
from typing import Any, NamedTuple

from outreach_stream.domain.outcomes import (
    Accepted,
    EngineStopped,
    InDoubt,
    MessageRejected,
    Outcome,
    RecipientRejected,
    SenderBlocked,
    Throttled,
    Transient,
)
from outreach_stream.engines.failures import advised
from outreach_stream.engines.http_wire import Answer

type Meaning = type[Throttled | Transient | RecipientRejected | MessageRejected | SenderBlocked | EngineStopped]

LONG_PAUSE = 3_600.0
"""Seconds until a quota of a day, which frees by and by, is worth another try."""

_WORDS = 200
"""Characters kept of SES's words, so that ours have room behind them."""


class Rule(NamedTuple):
    """What an error means."""

    meaning: Meaning
    advice: str = ""
    """What to do, if SES's words do not say it."""
    reason: str = ""
    """If not the error's name."""
    wait: float | None = None
    """Seconds, of a `Throttled`."""


class Fault(NamedTuple):
    """An error as SES tells it."""

    name: str
    """Empty: it has none, so it is not SES that speaks."""
    words: str


_SANDBOX = ("Verify the sender in this region; in the sandbox SES mails verified recipients only, until production "
            "access is granted")
_PAUSED = "Look into the SES console, and the mailbox of the AWS account"
_KEY = "Check access_key_id, secret_access_key and session_token, or what is found in their place"
_CLOCK = "Set this machine's clock: SES refuses what was signed minutes before or after its own time"
_PERMISSION = "Allow the key ses:SendEmail and ses:SendRawEmail on the sender and the configuration set"
_REQUEST = "Check base_url and region"

_THROTTLED, _TRANSIENT, _MESSAGE = Rule(Throttled), Rule(Transient), Rule(MessageRejected)

SEND_EMAIL: dict[str, Rule] = {
    "TooManyRequestsException": _THROTTLED,
    "LimitExceededException": Rule(Throttled, wait=LONG_PAUSE),
    "AccountSuspendedException": Rule(EngineStopped, _PAUSED),
    "SendingPausedException": Rule(EngineStopped, _PAUSED),
    "MessageRejected": _MESSAGE,
    "MailFromDomainNotVerifiedException": Rule(EngineStopped, "Mend the MX record of the custom MAIL FROM domain"),
    "NotFoundException": Rule(EngineStopped, "Check configuration_set, tenant and region"),
    "BadRequestException": _MESSAGE,
}
"""The errors of the operation [1]."""

KEYS: dict[str, Rule] = {
    **dict.fromkeys(("ExpiredToken", "ExpiredTokenException"),
                    Rule(EngineStopped, "Renew the temporary credentials, or have botocore find those of a role")),
    **dict.fromkeys(("InvalidSignatureException", "SignatureDoesNotMatch", "UnrecognizedClientException",
                     "InvalidClientTokenId", "InvalidAccessKeyId", "IncompleteSignature",
                     "IncompleteSignatureException", "MissingAuthenticationToken",
                     "MissingAuthenticationTokenException", "AuthFailure", "OptInRequired"), Rule(EngineStopped, _KEY)),
    **dict.fromkeys(("RequestExpired", "RequestTimeTooSkewed", "RequestInTheFuture"), Rule(EngineStopped, _CLOCK)),
}
"""Whoever signed is not believed: no request will be answered."""
DENIED = ("AccessDenied", "AccessDeniedException", "NotAuthorized", "UnauthorizedOperation")
"""Who signed is known, and may not do this."""

COMMON: dict[str, Rule] = {
    # Too fast; the first two are SES's [4], the others those that AWS's own clients take for the same.
    **dict.fromkeys(("ThrottlingException", "Throttling", "ThrottledException", "RequestThrottled",
                     "RequestThrottledException", "RequestLimitExceeded", "BandwidthLimitExceeded", "SlowDown",
                     "PriorRequestNotComplete"), _THROTTLED),
    **dict.fromkeys(("InternalFailure", "InternalError", "InternalServerError", "InternalServerException",
                     "InternalServiceError", "InternalServiceErrorException", "ServiceUnavailable",
                     "ServiceUnavailableException", "RequestTimeout", "RequestTimeoutException"), _TRANSIENT),
    **KEYS,
    **dict.fromkeys(DENIED, Rule(EngineStopped, _PERMISSION)),
    **dict.fromkeys(("InvalidAction", "MissingAction", "MissingParameter", "InvalidQueryParameter",
                     "InvalidParameterCombination", "MalformedQueryString", "MalformedHttpRequestException",
                     "SerializationException", "UnknownOperationException"), Rule(EngineStopped, _REQUEST)),
    **dict.fromkeys(("InvalidParameterValue", "ValidationError", "ValidationException", "InvalidParameterException",
                     "RequestEntityTooLargeException"), _MESSAGE),
    # Version 1 of the API, for what its servers still say.
    **dict.fromkeys(("AccountSendingPausedException", "ConfigurationSetSendingPausedException"),
                    Rule(EngineStopped, _PAUSED)),
    **dict.fromkeys(("ConfigurationSetDoesNotExist", "ConfigurationSetDoesNotExistException"),
                    Rule(EngineStopped, "Check configuration_set and region")),
    "FromEmailAddressNotVerifiedException": Rule(EngineStopped, _SANDBOX),
}
"""The errors of all operations, and of all AWS services [2]."""

RULES = SEND_EMAIL | COMMON

BY_WORDS: tuple[tuple[re.Pattern[str], Rule], ...] = (
    (re.compile(r"daily (message|sending) quota", re.IGNORECASE),
     Rule(Throttled, reason="daily_quota", wait=LONG_PAUSE)),
    (re.compile(r"maximum sending rate", re.IGNORECASE), Rule(Throttled, reason="sending_rate")),
    (re.compile(r"signature (expired|not yet current)", re.IGNORECASE), Rule(EngineStopped, _CLOCK, "clock")),
    (re.compile(r"address(es)? (is|are) not verified|did not have authority to send", re.IGNORECASE),
     Rule(EngineStopped, _SANDBOX, "not_verified")),
    (re.compile(r"(sending|account)( is| was| has been)? (paused|suspended|disabled|shut ?down)", re.IGNORECASE),
     Rule(EngineStopped, _PAUSED, "sending_paused")),
    (re.compile(r"(configuration set|tenant)\b.*\b(not|invalid)\b", re.IGNORECASE),
     Rule(EngineStopped, "Check configuration_set and tenant", "configuration")),
    (re.compile(r"final '@domain'|^missing local name|^illegal address|^invalid (email )?address|^local address "
                r"|^domain (contains|starts|ends|name)|^address length|^user name is missing", re.IGNORECASE),
     Rule(RecipientRejected, reason="address")),
)
"""What the words decide, whatever the name, where no server failed."""

BY_STATUS: dict[int, Rule] = {
    400: Rule(SenderBlocked),  # nobody said whose fault it is: ten in a row are not the recipients'
    401: Rule(EngineStopped, _KEY),
    403: Rule(EngineStopped, _KEY),
    408: _TRANSIENT,  # our request did not arrive whole (RFC 9110 section 15.5.9)
    413: _MESSAGE,
    429: _THROTTLED,
    500: _TRANSIENT,
    502: _TRANSIENT,
    503: _TRANSIENT,
}
"""Errors without a name that is known; others of the 4xx are mistakes of the request, the same for everybody."""


def outcome(answer: Answer) -> Outcome:
    """What the answer to a SendEmail means; total over all answers."""
    if 200 <= answer.status < 300:  # noqa: PLR2004
        name = _read(answer.body).get("MessageId")
        if isinstance(name, str) and name:
            return Accepted(name)
        return InDoubt("send_unclear_answer", f"{answer.status} without a MessageId: check base_url")
    told = fault(answer)
    rule = _rule(answer.status, told)
    reason = f"ses_{(rule and rule.reason) or told.name}" if told.name else f"send_{answer.status}"
    if rule is None:  # of 504 and its like nobody knows what was done before
        return InDoubt(reason, told.words)
    words = advised(told.words[:_WORDS], rule.advice)
    return Throttled(reason, words, rule.wait) if rule.meaning is Throttled else rule.meaning(reason, words)


def _rule(status: int, told: Fault) -> Rule | None:
    named = RULES.get(told.name)
    if status >= 500:  # noqa: PLR2004
        return named if named and named.meaning is Throttled else BY_STATUS.get(status)
    for pattern, rule in BY_WORDS:
        if pattern.search(told.words):
            return rule
    return named or BY_STATUS.get(status) or Rule(EngineStopped, _REQUEST)


def fault(answer: Answer) -> Fault:
    """The error's name and words.

    REST-JSON has the name in a header or in the body, after a namespace or before an address
    (`com.amazonaws.ses#Throttling`, `Throttling:http://…`); version 1 speaks XML.
    """
    said = _read(answer.body)
    name = answer.headers.get("x-amzn-errortype") or said.get("__type") or said.get("code") or said.get("Code") or ""
    words = said.get("message") or said.get("Message") or ""
    name = str(name).partition(":")[0].rpartition("#")[2].strip()
    return Fault(name if re.fullmatch(r"[A-Za-z][A-Za-z0-9]{2,63}", name) else "", str(words).strip())


def _read(body: bytes) -> dict[str, Any]:
    if body.lstrip()[:1] == b"<":
        text = body[:10_000].decode(errors="replace")
        return {tag: value for tag, value in re.findall(r"<(Code|Message)>([^<]*)</\1>", text)}  # noqa: C416
    try:
        said = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return said if isinstance(said, dict) else {}
