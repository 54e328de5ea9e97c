"""What each answer of Mailgun means: every status and message that is documented, with its source."""

import json

import pytest

from outreach_stream.domain.outcomes import (
    Accepted,
    EngineStopped,
    Failure,
    InDoubt,
    MessageRejected,
    RecipientRejected,
    Throttled,
    Transient,
)
from outreach_stream.engines.http_wire import Answer
from outreach_stream.engines.mailgun_answers import BY_STATUS, BY_WORDS, outcome

RESPONSES = "https://documentation.mailgun.com/docs/mailgun/quickstart-guide/responses"
INTRO = "https://github.com/mailgun/documentation/blob/master/source/api-intro.rst"
LIST = "https://help.referins.com/support/solutions/articles/204000050001-error-codes-library-mailgun"
JAVA_50 = "https://github.com/mailgun/mailgun-java/issues/50"
JS_199 = "https://github.com/mailgun/mailgun-js-boland/issues/199"
FASTLANE = "https://github.com/fastlane/fastlane/issues/8568"
HTTP = "RFC 9110"

BANNED = "Domain mg.example.com is not allowed to send: "
LATER = "limit exceeded, try again after Tue, 24 Nov 2026 12:00:30 UTC"
NOW = 1_795_521_600.0
"""12:00:00 of that day."""

DOCUMENTED = [
    (400, "from parameter is missing", EngineStopped, "send_malformed_request", LIST),
    (400, "to parameter is missing", EngineStopped, "send_malformed_request", LIST),
    (400, "message parameter is missing", EngineStopped, "send_malformed_request", LIST),
    (400, "‘message’ parameter is not a file", EngineStopped, "send_malformed_request", LIST),  # noqa: RUF001 - theirs
    (400, "Need at least one of 'text' or 'html' parameters specified", MessageRejected, "send_400", LIST),
    (400, "Send options (parameters starting with o:, h:, or v:) are limited to 16 kB total", EngineStopped,
     "send_options_too_large", LIST),
    (400, "Too many recipients; max is 1000", MessageRejected, "send_400", LIST),
    (400, "Header name must be pure ASCII: X-Ü", MessageRejected, "send_400", LIST),
    (400, "'to' parameter is not a valid address. please check documentation", RecipientRejected,
     "send_invalid_recipient", JS_199),
    (400, "to parameter is not a valid address. please check documentation", RecipientRejected,
     "send_invalid_recipient", LIST),
    (400, "'from' parameter is not a valid address. please check documentation", EngineStopped, "send_invalid_sender",
     FASTLANE),
    (400, "Invalid request content type. Expecting 'multipart/form-data' but got 'application/x-www-form-urlencoded'",
     EngineStopped, "send_malformed_request", LIST),
    (400, "malformed multipart/form-data request", EngineStopped, "send_malformed_request", LIST),
    (400, "unable to parse request: invalid URL escape", EngineStopped, "send_malformed_request", LIST),
    (400, "unable to parse request: unexpected EOF", Transient, "send_cut_off", LIST),
    (400, BANNED + "Sandbox subdomains are for test purposes only. Please add your own domain or add the address to "
     "authorized recipients in Account Settings.", EngineStopped, "send_sandbox_domain", LIST),
    (403, BANNED + "Sandbox subdomains are for test purposes only.", EngineStopped, "send_sandbox_domain", LIST),
    (400, BANNED + "Free accounts are for test purposes only. Please upgrade or add the address to authorized "
     "recipients in Account Settings.", EngineStopped, "send_free_account", LIST),
    (400, BANNED + "The domain is unverified and requires DNS configuration. Log in to your control panel to view "
     "required DNS records.", EngineStopped, "send_unverified_domain", LIST),
    (400, BANNED + "Please activate your Mailgun account. Check your inbox or log in to your control panel to resend "
     "the activation email.", EngineStopped, "send_inactive_account", LIST),
    (400, "'o:deliverytime' invalid delivery time format", MessageRejected, "send_400", RESPONSES),
    (401, None, EngineStopped, "send_401", INTRO),
    (402, "anything", EngineStopped, "send_402", INTRO),
    (403, "anything", EngineStopped, "send_403", RESPONSES),
    (403, "Domain example is not allowed to send large batches yet", EngineStopped, "send_not_allowed", LIST),
    (403, "Rejected: IP 192.0.2.1 can’t be used to send the message", EngineStopped,  # noqa: RUF001 - theirs
     "send_address_not_allowed", LIST),
    (404, "Domain not found: example.com", EngineStopped, "send_404", LIST),
    (404, None, EngineStopped, "send_404", RESPONSES),
    (413, "request size exceeds 52.4MiB limit", MessageRejected, "send_413", LIST),
    (420, f"{BANNED}recipient {LATER}", Throttled, "send_420", JAVA_50),
    (429, f"{BANNED}request {LATER}", Throttled, "send_429", LIST),
    (429, f"{BANNED}bytes {LATER}", Throttled, "send_429", LIST),
    (429, f"{BANNED}recipient {LATER}", Throttled, "send_429", LIST),
    (403, f"{BANNED}recipient {LATER}", Throttled, "send_403", "the same words, whatever the status"),
    (500, "Internal Server Error", Transient, "send_500", RESPONSES),
    (502, None, Transient, "send_502", INTRO),
    (503, None, Transient, "send_503", INTRO),
    (504, None, InDoubt, "send_504", INTRO),
    (524, None, InDoubt, "send_524", INTRO),
    (301, None, EngineStopped, "send_301", HTTP),
    (405, None, EngineStopped, "send_405", HTTP),
    (408, None, Transient, "send_408", HTTP),
    (422, "anything", MessageRejected, "send_422", HTTP),
]


def answer(status: int, message: str | None, **headers: str) -> Answer:
    """As Mailgun writes it; None: the word it says instead of JSON."""
    body = b"Forbidden" if message is None else json.dumps({"message": message}).encode()
    return Answer(status, {name.replace("_", "-"): value for name, value in headers.items()}, body)


@pytest.mark.parametrize(("status", "message", "meaning", "reason", "source"), DOCUMENTED)
def test_every_documented_answer(status, message, meaning, reason, source):
    """Each has its meaning, and a reason that can be counted; a stop says what to do."""
    found = outcome(answer(status, message), NOW)
    assert type(found) is meaning
    assert found.reason == reason
    assert found.detail or meaning in (Transient, InDoubt)
    if message and len(message) < 100:
        assert message.rstrip(". ") in found.detail


def test_the_table_is_complete():
    """No rule is without a documented answer that needs it."""
    reasons = {reason for *_, reason, _ in DOCUMENTED}
    assert {f"send_{rule.reason}" for _, rule in BY_WORDS} | {f"send_{status}" for status in BY_STATUS} <= reasons


@pytest.mark.parametrize("body", [b"", b"null", b"[1]", b"\xff", b"[" * 100_000, b'{"message": 5}', b"<html>no</html>",
                                  b'{"error": "not found"}', b'{"id": 7, "message": "Queued"}'])
@pytest.mark.parametrize("status", [200, 204, 302, 400, 404, 418, 429, 499, 500, 504, 599])
def test_no_answer_is_without_a_meaning(status, body):
    """Whatever a proxy in between makes of it, and never a yes."""
    assert isinstance(outcome(Answer(status, {}, body), NOW), Failure)


def test_a_yes_keeps_the_name_of_the_message():
    """https://documentation.mailgun.com/docs/mailgun/api-reference/openapi-final/tag/Messages"""
    body = b'{"id": "<20111114174239.25659.5817@samples.mailgun.org>", "message": "Queued. Thank you."}'
    found = outcome(Answer(200, {}, body), NOW)
    assert found == Accepted("<20111114174239.25659.5817@samples.mailgun.org>", "Queued. Thank you.")


@pytest.mark.parametrize("body", [b"Mailgun Magnificent API", b"<html>Welcome</html>", b"", b'{"status": "ok"}'])
def test_a_200_that_is_not_a_yes_stops_the_engine(body):
    """https://github.com/anymail/django-anymail/issues/144: any other path is greeted with 200, and nothing is sent."""
    found = outcome(Answer(200, {}, body), NOW)
    assert isinstance(found, EngineStopped)
    assert found.reason == "send_wrong_place"
    assert "Check base_url and domain" in found.detail


@pytest.mark.parametrize("body", [b'{"id": "<1@x>", "message": "Hm"}', b'{"message": "Queued. Thank you."}',
                                  b'{"id": "", "message": "Queued. Thank you."}', b'{"id": "<1@x>"}'])
def test_half_a_yes_is_in_doubt(body):
    """It is Mailgun that answers, and may have taken the mail: neither a yes nor a no."""
    assert isinstance(outcome(Answer(200, {}, body), NOW), InDoubt)


@pytest.mark.parametrize(("message", "headers", "seconds"), [
    ("slow down", {}, None),
    ("slow down", {"retry_after": "17"}, 17.0),
    ("slow down", {"retry_after": "Tue, 24 Nov 2026 12:01:00 GMT"}, 60.0),
    (f"{BANNED}request {LATER}", {}, 30.0),
    (f"{BANNED}request {LATER}", {"retry_after": "2"}, 2.0),
    (f"{BANNED}request limit exceeded, try again after Tue, 24 Nov 2026 11:59:00 UTC", {}, None),
    (f"{BANNED}request limit exceeded, try again after a while", {}, None),
    ("slow down", {"x_ratelimit_reset": str(NOW + 5)}, 5.0),
    ("slow down", {"x_ratelimit_reset": str(int(NOW + 5) * 1_000)}, 5.0),
    ("slow down", {"x_ratelimit_reset": str(int(NOW) - 5)}, None),
    ("slow down", {"x_ratelimit_reset": "soon", "retry_after": "-5"}, None),
    ("slow down", {"retry_after": "9" * 400}, 86_400.0),
    ("slow down", {"retry_after": "nan"}, None),
    ("slow down", {"retry_after": "²"}, None),
])
def test_the_wait_is_taken_from_wherever_it_is_said(message, headers, seconds):
    """Retry-After (RFC 9110 section 10.2.3), the message's date, X-RateLimit-Reset in seconds or milliseconds."""
    found = outcome(answer(429, message, **headers), NOW)
    assert isinstance(found, Throttled)
    assert found.retry_after == seconds


@pytest.mark.parametrize(("body", "seconds"), [
    (b'{"retry-seconds": 60}', 60.0), (b'{"retry-seconds": ' + b"9" * 400 + b"}", 86_400.0),
    (b'{"retry-seconds": "x"}', None),
])
def test_the_wait_in_seconds_of_the_answer(body, seconds):
    """As Mailgun's domain pages have it: `{"retry-seconds": 60}`."""
    assert outcome(Answer(429, {}, body), NOW).retry_after == seconds


def test_no_address_survives():
    """Mailgun's words may quote whom it refuses."""
    found = outcome(answer(400, "'to' parameter is not a valid address: joe@r.example"), NOW)
    assert "joe" not in repr(found)
