"""What Mailgun's answers mean for the mail. Pure: status, headers and body in, an outcome out.

Mailgun documents its statuses [1][2] and leaves the rest to the words of `message`, so the words decide where a status
stands for different things: a 400 may be the recipient's fault, the mail's, or that of the account. What would be the
same for every recipient stops the engine.

1. https://documentation.mailgun.com/docs/mailgun/quickstart-guide/responses
2. https://github.com/mailgun/documentation/blob/master/source/api-intro.rst (402, 502 to 504)
3. Mailgun's list of messages, as its resellers publish it:
   https://help.referins.com/support/solutions/articles/204000050001-error-codes-library-mailgun
4. https://github.com/mailgun/mailgun-java/issues/50 (status 420, explained by Mailgun)
5. https://github.com/anymail/django-anymail/issues/144 (the 200 that is not a yes)
6. https://github.com/mailgun/mailgun-go/blob/master/errors.go (X-RateLimit-Reset, by Mailgun)
"""

import json
import re
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import Any, NamedTuple

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

_WORDS = 170
"""Characters kept of Mailgun's words, so that there is room for what to do."""
_LONGEST_WAIT = 86_400.0
"""Seconds: whoever asks for more is asked again after a day."""
_MILLISECONDS = 1e11
"""Seconds since the epoch reach this in the year 5138: more is milliseconds."""

_MAGNIFICENT = "Mailgun Magnificent API"
_LIMIT = re.compile(r"\b(request|bytes|recipient|message|rate|hourly|daily)s? limit exceeded|try again after",
                    re.IGNORECASE)
_QUOTES = re.compile(r"[\u2018\u2019`'\"]")
"""They stand around a parameter's name, or do not, and are not always the same ones."""
_AGAIN_AFTER = re.compile(r"try again after (\w{3}, \d{1,2} \w{3} \d{4} [\d:]{8} \S+)", re.IGNORECASE)


class Rule(NamedTuple):
    """What a refusal means, by its words or its status."""

    meaning: type[Refusal]
    reason: str
    advice: str = ""


_REQUEST = "Mailgun does not understand our request: is something between us that changes it?"
_PLACE = "Check domain, and region: a domain of the EU is known only there"

BY_WORDS: tuple[tuple[str, Rule], ...] = (  # [3]; the first that is found in the message decides
    ("sandbox subdomains", Rule(EngineStopped, "sandbox_domain", "Give `domain` one of your own")),
    ("free accounts", Rule(EngineStopped, "free_account", "Upgrade the account")),
    ("unverified", Rule(EngineStopped, "unverified_domain", "Add the DNS records that Mailgun's control panel shows")),
    ("activate your mailgun account", Rule(EngineStopped, "inactive_account")),
    ("not allowed to send", Rule(EngineStopped, "not_allowed", "Look into Mailgun's control panel for the reason")),
    ("to parameter is not a valid address", Rule(RecipientRejected, "invalid_recipient")),
    ("from parameter is not a valid address", Rule(EngineStopped, "invalid_sender", "Correct the workflow's `from`")),
    # Cut off on its way: nothing was accepted, and the next time it may arrive whole.
    ("unexpected eof", Rule(Transient, "cut_off")),
    ("parameter is missing", Rule(EngineStopped, "malformed_request", _REQUEST)),
    ("parameter is not a file", Rule(EngineStopped, "malformed_request", _REQUEST)),
    ("invalid request content type", Rule(EngineStopped, "malformed_request", _REQUEST)),
    ("malformed multipart", Rule(EngineStopped, "malformed_request", _REQUEST)),
    ("unable to parse request", Rule(EngineStopped, "malformed_request", _REQUEST)),
    ("send options", Rule(EngineStopped, "options_too_large", "Give the workflow fewer or shorter tags")),
    ("cant be used to send", Rule(EngineStopped, "address_not_allowed", "Look at the account's IP addresses")),
)

BY_STATUS: dict[int, Rule] = {
    401: Rule(EngineStopped, "401", "Check api_key: the account's, or a sending key of this domain; and region"),
    # [2] says "parameters were valid but request failed", HTTP says "payment required": a person has to look.
    402: Rule(EngineStopped, "402", "Look at the account's plan and bills in Mailgun's control panel"),
    403: Rule(EngineStopped, "403", "Check that the key may send for this domain"),
    404: Rule(EngineStopped, "404", _PLACE),
    405: Rule(EngineStopped, "405", "Check base_url"),
    408: Rule(Transient, "408"),  # our request did not arrive whole (RFC 9110 section 15.5.9)
    **{status: Rule(Transient, str(status)) for status in (500, 502, 503)},  # [1]: "retries are recommended"
}


def outcome(answer: Answer, now: float) -> Outcome:
    """What the answer means; total over all answers. `now`: seconds since the epoch."""
    said = _read(answer.body)
    words = _words(said)
    if answer.status < 300:  # noqa: PLR2004 - a yes, by HTTP
        return _yes_or_not(said, words)
    if answer.status in (420, 429) or (answer.status < 500 and _LIMIT.search(words)):  # noqa: PLR2004
        return Throttled(f"send_{answer.status}", words, retry_after(answer, said, now))
    rule = _rule(answer.status, words)
    return rule.meaning(f"send_{rule.reason}", advised(words[:_WORDS], rule.advice))


def _rule(status: int, words: str) -> Rule:
    if 400 <= status < 500:  # noqa: PLR2004
        for known, rule in BY_WORDS:
            if known in _QUOTES.sub("", words.lower()):
                return rule
    if status in BY_STATUS:
        return BY_STATUS[status]
    if status >= 500:  # noqa: PLR2004 - 504, 524: whoever was asked behind a gateway may have accepted it
        return Rule(InDoubt, str(status))
    if status >= 400:  # noqa: PLR2004 - 413 and whatever else is said of this one request
        return Rule(MessageRejected, str(status))
    return Rule(EngineStopped, str(status), "Check base_url: a message is never taken by way of a redirect")


def _yes_or_not(said: Any, words: str) -> Outcome:
    """A yes has an id and says `Queued` (RFC 9110 asks for no more than a 2xx, Mailgun answers so on any path [5])."""
    if not isinstance(said, dict) or not {"id", "message"} & said.keys():
        what = "The path is wrong" if words == _MAGNIFICENT else "This is not Mailgun's API"
        return EngineStopped("send_wrong_place", advised(words[:_WORDS], what, "Check base_url and domain"))
    name = said.get("id")
    if isinstance(name, str) and name and words.startswith("Queued"):
        return Accepted(name, words)
    return InDoubt("send_unclear_answer", words)


def retry_after(answer: Answer, said: Any, now: float) -> float | None:
    """Seconds that Mailgun asks us to wait, wherever it says so; None: nowhere, or a time that is past."""
    header = answer.headers.get("retry-after", "").strip()
    reset = answer.headers.get("x-ratelimit-reset", "").strip()
    date = _AGAIN_AFTER.search(_words(said))
    seconds = said.get("retry-seconds") if isinstance(said, dict) else None
    candidates = (
        float(header) if header.isascii() and header.isdecimal() else _until(header, now),
        _until(date[1], now) if date else None,  # [3], [4]
        _epoch(reset, now),  # [6]
        min(seconds, _LONGEST_WAIT) if isinstance(seconds, int) else None,
    )
    return next((min(wait, _LONGEST_WAIT) for wait in candidates if wait is not None and wait > 0), None)


def _until(date: str, now: float) -> float | None:
    try:
        moment = parsedate_to_datetime(date)
    except (ValueError, OverflowError):
        return None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() - now


def _epoch(text: str, now: float) -> float | None:
    if not re.fullmatch(r"[0-9]{1,15}(\.[0-9]{1,9})?", text, re.ASCII):
        return None
    moment = float(text)
    return (moment / 1_000 if moment > _MILLISECONDS else moment) - now


def _read(body: bytes) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        text = body[:4_000].decode(errors="replace").strip()
        return "" if text.startswith("<") else text  # a page for people


def _words(said: Any) -> str:
    if isinstance(said, dict):
        said = said.get("message") or said.get("error")
    return said.strip() if isinstance(said, str) else ""
