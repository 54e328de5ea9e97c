"""Every status and error that SendGrid documents, and what it means. Bodies are transcribed, their source beside them.

DOCS is https://www.twilio.com/docs/sendgrid/api-reference, OAI is mail/send in
https://github.com/twilio/sendgrid-oai/blob/main/spec/json/tsg_mail_v3.json.
"""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

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
from outreach_stream.engines.sendgrid_answers import outcome_of

NOW = 1_392_815_200.0


def said(status: int, body: object = None, *, sandbox: bool = False, **headers: str):
    content = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return outcome_of(Answer(status, named, content), sandbox=sandbox, now=NOW)


def errors(message: str, field: str | None = None) -> dict:
    return {"errors": [{"message": message, "field": field, "help": None}]}


NOT_VERIFIED = ("The from address does not match a verified Sender Identity. Mail cannot be sent until this error is "
                "resolved. Visit https://sendgrid.com/docs/for-developers/sending-email/sender-identity/ to see the "
                "Sender Identity requirements")
STATUSES = [
    (400, errors("invalid request", "null"), MessageRejected, "send_400"),  # OAI
    (401, errors("authorization required", "null"), EngineStopped, "send_401"),  # OAI
    # support.sendgrid.com/hc/en-us/articles/18322114821403
    (401, errors("The provided authorization grant is invalid, expired, or revoked"), EngineStopped, "send_401"),
    (401, errors("Maximum credits exceeded"), EngineStopped, "send_credits_exceeded"),  # pastebin.com/gjwkzPWn
    (401, errors("authenticated user is not authorized to send mail"), EngineStopped, "send_401"),  # Twilio error 60604
    (403, errors("access forbidden", "null"), EngineStopped, "send_403"),  # OAI
    (403, errors(NOT_VERIFIED, "from"), EngineStopped, "send_403"),  # sendgrid-ruby#489
    (404, errors("not found", "null"), EngineStopped, "send_404"),  # OAI
    (405, errors("method not allowed", "null"), EngineStopped, "send_405"),  # OAI
    (406, None, EngineStopped, "send_406"),  # DOCS/how-to-use-the-sendgrid-v3-api/errors
    (413, errors("content too large", "null"), MessageRejected, "send_413"),  # OAI
    (415, None, EngineStopped, "send_415"),  # DOCS/mail-send/errors
    (415, errors("Invalid UTF8 in request"), MessageRejected, "send_415"),  # DOCS/mail-send/errors
    # DOCS/how-to-use-the-sendgrid-v3-api/rate-limits
    (429, {"errors": [{"field": None, "message": "too many requests"}]}, Throttled, "send_429"),
    (451, None, EngineStopped, "send_451"),  # DOCS/how-to-use-the-sendgrid-v3-api/errors: data residency
    (500, {"errors": [{"message": "internal server error"}]}, Transient, "send_500"),  # OAI
    (502, b"<html>502 Bad Gateway</html>", Transient, "send_502"),
    (503, None, Transient, "send_503"),  # DOCS/mail-send/errors
    (504, b"<html>504 Gateway Time-out</html>", InDoubt, "send_504"),
    (524, b"<html>524 A timeout occurred</html>", InDoubt, "send_524"),
    # not documented
    (408, None, Transient, "send_408"), (422, None, MessageRejected, "send_422"),
    (301, b"", EngineStopped, "send_301"), (204, b"", InDoubt, "send_204"),
]


@pytest.mark.parametrize(("status", "body", "kind", "reason"), STATUSES)
def test_statuses(status, body, kind, reason):
    """Each is what it is documented to be."""
    found = said(status, body)

    assert (type(found), found.reason) == (kind, reason)


EXAMPLE = 'e.g. {"email": "example@example.com"} or {"email": "example@example.com", "name": "Example Recipient"}'
TO_REQUIRED = ("The to array is required for all personalization objects, and must have at least one email object with "
               "a valid email address.")
FIELDS = [
    # The fields as live answers name them: sendgrid-nodejs#1425, sendgrid-php#972, #869, sendgrid-django#64
    ("personalizations.0.to", TO_REQUIRED, RecipientRejected),
    ("personalizations.0.to.0.email", "The to email parameter is required.", RecipientRejected),
    ("personalizations.0.to.0.email", "Does not contain a valid address.", RecipientRejected),
    ("personalizations.0.to.0", "Invalid type. Expected: object, given: string.", RecipientRejected),
    # DOCS/mail-send/errors, from here on
    ("personalizations.to", f"The to array must at least have an email parameter {EXAMPLE}", RecipientRejected),
    ("personalizations.to", "The To email exceeds the maximum total length of 320 characters", RecipientRejected),
    ("personalizations", "You must have at least one personalization.", MessageRejected),
    ("personalizations.headers", "Header cannot be one of the reserved keys.", MessageRejected),
    ("personalizations.subject", "The subject is required.", MessageRejected),
    ("attachments.content", "The attachment content must be base64 encoded.", MessageRejected),
    ("attachments.content_id", "The content ID of your attachment cannot contain CRLF characters.", MessageRejected),
    ("attachments.filename", "filename is required.", MessageRejected),
    ("attachments.type", "The type cannot contain ';', or CRLF characters.", MessageRejected),
    ("categories", "There is a limit of 10 categories for each email that is sent. You provided 11.", MessageRejected),
    ("content", "There must be at least one defined content block.", MessageRejected),
    ("content.0.value", "The content value must be a string at least one character in length.", MessageRejected),
    ("headers", "The headers cannot contain duplicate keys.", MessageRejected),
    ("reply_to", "The reply_to object, when used, must at least have an email parameter", MessageRejected),
    ("subject", "The subject of your email must be a string at least one character in length.", MessageRejected),
    ("from", f"The from object must at least have an email parameter with a valid email address {EXAMPLE}",
     EngineStopped),
    ("from.email", "The From email exceeds the maximum total length of 320 characters", EngineStopped),
    ("ip_pool_name", "The IP Pool name must be a valid pool name for your account.", EngineStopped),
    ("mail_settings.sandbox_mode.enable", "The sandbox mode enable param should be a boolean value.", EngineStopped),
    (None, "Bad Request", MessageRejected),
]


@pytest.mark.parametrize(("field", "message", "kind"), FIELDS)
def test_a_bad_request_by_its_field(field, message, kind):
    """The recipient's fault, the content's, or what would be the same for everybody."""
    found = said(400, errors(message, field))

    assert type(found) is kind and found.reason == "send_400"
    assert found.detail.startswith(f"{field}: {message}"[:20] if field else message)


def test_several_faults():
    """Everybody's goes before the content's, and the content's before the recipient's."""
    to, subject, sender = (errors("x", field)["errors"][0] for field in ("personalizations.0.to", "subject", "from"))

    assert type(said(400, {"errors": [to, to]})) is RecipientRejected
    assert type(said(400, {"errors": [to, subject]})) is MessageRejected
    assert type(said(400, {"errors": [to, subject, sender]})) is EngineStopped


def test_accepted():
    """202 is a yes, with its X-Message-Id; 200 is one in the sandbox only, since nothing is queued then."""
    assert said(202, x_message_id="abc") == Accepted("abc")
    assert said(202) == Accepted(None)
    assert type(said(200, sandbox=True)) is Accepted
    assert said(200).reason == "send_200_not_queued" and type(said(200)) is EngineStopped


@pytest.mark.parametrize(("headers", "seconds"), [
    ({"x_ratelimit_reset": "1392815263"}, 63.0),
    ({"x_ratelimit_reset": "1392815263", "retry_after": "5"}, 63.0),
    ({"retry_after": "5"}, 5.0),
    ({"x_ratelimit_reset": "1392815100"}, None),  # past
    ({"x_ratelimit_reset": "soon"}, None), ({"x_ratelimit_reset": "-1"}, None), ({"x_ratelimit_reset": "٣"}, None),
    ({}, None),
])
def test_how_long_to_wait(headers, seconds):
    """Until X-RateLimit-Reset, which is a moment; without it, or with nonsense in it, nobody said."""
    assert said(429, **headers).retry_after == seconds


def test_what_is_told_holds_no_address():
    """SendGrid repeats the address that it refuses."""
    found = said(400, errors("You have included [joe@r.example] more than once.", "personalizations.0.to"))

    assert "joe" not in repr(found) and "(address)" in found.detail


JSON = st.recursive(st.none() | st.booleans() | st.integers() | st.text(max_size=9),
                    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3))
ENTRY = st.fixed_dictionaries({}, optional={"field": JSON, "message": JSON})


@given(status=st.integers(200, 599), body=st.binary(max_size=50) | JSON | st.builds(
    lambda entries: {"errors": entries}, st.lists(ENTRY, max_size=3)), sandbox=st.booleans())
def test_every_answer_has_a_meaning(status, body, sandbox):
    """Whatever comes, in whatever form, is an outcome; accepted is what is documented so, and nothing else."""
    found = said(status, body, sandbox=sandbox)

    assert isinstance(found, Failure | Accepted)
    assert isinstance(found, Accepted) == (status == 202 or (status == 200 and sandbox))
