"""What SendGrid's answers mean.

Statuses: https://www.twilio.com/docs/sendgrid/api-reference/how-to-use-the-sendgrid-v3-api/errors and mail/send in
https://github.com/twilio/sendgrid-oai; what a 400 says of which field:
https://www.twilio.com/docs/sendgrid/api-reference/mail-send/errors.
"""

import re
from collections.abc import Callable, Mapping
from typing import NamedTuple

import orjson

from outreach_stream.domain.outcomes import (
    Accepted,
    EngineStopped,
    InDoubt,
    MessageRejected,
    Outcome,
    RecipientRejected,
    Refusal,
    Throttled,
    Transient,
)
from outreach_stream.engines.failures import advised
from outreach_stream.engines.http_wire import Answer

_RECIPIENT = re.compile(r"personalizations(\.\d+)?\.to\b.*")
_EVERYBODY = re.compile(r"(personalizations\.\d+\.)?(from|ip_pool_name|mail_settings)\b.*")
"""Fields that are the same in everybody's mail, or nearly: the next one would be refused as well."""

_STATUSES: Mapping[int, Callable[[str, str], Refusal]] = {
    403: EngineStopped,  # no right to send, an unverified sender, or blocked after too many bad requests
    404: EngineStopped,
    405: EngineStopped,
    406: EngineStopped,
    408: Transient,  # not documented; the request did not come whole (RFC 9110 section 15.5.9)
    413: MessageRejected,
    415: EngineStopped,
    451: EngineStopped,  # "Unavailable due to data residency restrictions": the wrong region for this key
    **dict.fromkeys((500, 502, 503), Transient),
}

_KEY = "Check api_key: that it is whole, was not withdrawn, and may send"

_OTHERS: Mapping[int, Callable[[str, str], Refusal]] = {4: MessageRejected, 3: EngineStopped}
"""By hundreds. A redirection is somebody else's API. Another yes (2) says nothing of what became of the mail, nor does
another 5xx: with 504, or 524, somebody who stands before the API tells that it did not answer in time."""


class Problem(NamedTuple):
    """One of the errors that an answer lists."""

    field: str
    """`personalizations.0.to`; empty: it names none."""
    message: str


def outcome_of(answer: Answer, *, sandbox: bool, now: float) -> Outcome:
    """What the answer to mail/send means; total. `now` in seconds since the epoch."""
    message_id = answer.headers.get("x-message-id")
    if answer.status == 202:  # noqa: PLR2004
        return Accepted(message_id)
    if answer.status == 200:  # noqa: PLR2004 - "valid, but it is not queued to be delivered", in sandbox mode only
        return Accepted(message_id, "valid, and not delivered: sandbox") if sandbox else EngineStopped(
            "send_200_not_queued", "checked by a sandbox, and not sent")
    found = problems(answer.body)
    detail = "; ".join(": ".join(filter(None, problem)) for problem in found)
    if answer.status == 429:  # noqa: PLR2004
        return Throttled("send_429", detail, retry_after(answer.headers, now))
    return _refusal(answer.status, f"send_{answer.status}", detail, found)


def _refusal(status: int, reason: str, detail: str, found: list[Problem]) -> Refusal:
    said = detail.lower()
    match status:
        case 400:
            return _bad_request(reason, detail, found)
        case 401 if "credits exceeded" in said:
            return EngineStopped("send_credits_exceeded", detail)
        case 401:
            return EngineStopped(reason, advised(detail, _KEY))
        case 415 if "utf8" in said:
            return MessageRejected(reason, detail)
    kind = _STATUSES.get(status) or _OTHERS.get(status // 100, InDoubt)
    return kind(reason, detail)


def _bad_request(reason: str, detail: str, found: list[Problem]) -> Refusal:
    if any(_EVERYBODY.fullmatch(problem.field) for problem in found):
        return EngineStopped(reason, detail)
    if found and all(_RECIPIENT.fullmatch(problem.field) for problem in found):
        return RecipientRejected(reason, detail)
    return MessageRejected(reason, detail)


def retry_after(headers: Mapping[str, str], now: float) -> float | None:
    """Seconds until the limit is lifted; None: it does not say, or says a time that is past.

    `X-RateLimit-Reset` is in seconds since the epoch:
    https://www.twilio.com/docs/sendgrid/api-reference/how-to-use-the-sendgrid-v3-api/rate-limits.
    """
    for name, origin in (("x-ratelimit-reset", now), ("retry-after", 0.0)):
        text = headers.get(name, "").strip()
        if text.isascii() and text.isdecimal() and (seconds := float(text[:15]) - origin) > 0:
            return seconds
    return None


def problems(body: bytes) -> list[Problem]:
    """The errors that an answer lists: `{"errors": [{"message", "field", "help"}]}`; none when it has another form."""
    try:
        listed = orjson.loads(body)["errors"]
    except (orjson.JSONDecodeError, KeyError, TypeError):
        return []
    if not isinstance(listed, list):
        return []
    return [Problem(_text(entry.get("field")), _text(entry.get("message")))
            for entry in listed if isinstance(entry, dict)]


def _text(value: object) -> str:
    return value if isinstance(value, str) and value != "null" else ""  # the examples write "null" for null
