"""SendGrid's stand-in is as strict as SendGrid's documentation, and says what is wrong in its words."""

import email
from email import policy

import httpx
import pytest

from tests.inbox.providers import client_of

PLAIN, HTML = {"type": "text/plain", "value": "Hello"}, {"type": "text/html", "value": "<p>Hello"}


@pytest.fixture
async def client():
    async with client_of("sendgrid") as client:
        yield client


def to(*emails):
    return {"personalizations": [{"to": [{"email": each} for each in emails]}]}


@pytest.mark.parametrize(("changes", "field", "words"), [
    (to("joe"), "personalizations.0.to.0.email", "valid address"),
    (to("jöe@r.example"), None, None),
    (to("joe@r.example", "JOE@r.example"), "personalizations.0", "should be unique"),
    ({"personalizations": []}, "personalizations", "at least 1"),
    ({"from": {"email": "news"}}, "from.email", "valid address"),
    ({"personalizations": [{"to": [{"email": "joe@r.example", "name": "Joe; Inc."}]}]}, "personalizations.0.to.0.name",
     "; or ,"),
    ({"from": {"email": "n@s.example", "name": "Grüße, Co."}}, None, None),
    ({"from": {"email": "ñ@s.example"}}, "from.email", "Unicode"),
    ({"from": None}, "from", "required"),
    ({"subject": None}, None, "subject is required"),
    ({"subject": "Hi\r\nBcc: joe"}, "subject", "CR/LF"),
    ({"content": [PLAIN, HTML]}, None, None),
    ({"content": [HTML, PLAIN]}, "content", "text/plain must be first"),
    ({"content": [PLAIN | {"value": ""}]}, "content.0.value", "at least 1"),
    ({"content": []}, "content", "at least 1"),
    ({"headers": {"Reply-To": "x@s.example"}}, "headers", "reserved"),
    ({"headers": {"X-Grüße": "1"}}, "headers", "not valid"),
    ({"headers": {"X-A": "Grüße"}}, "headers", "ASCII"),
    ({"headers": {"X-A": 1}}, "headers.X-A", "valid string"),
    ({"categories": ["a"] * 2}, "categories", "duplicate"),
    ({"categories": [str(n) for n in range(11)]}, "categories", "at most 10"),
    ({"categories": ["a" * 256]}, "categories.0", "at most 255"),
    ({"custom_args": {"a": "b" * 10_000}}, "custom_args", "10,000"),
    ({"reply_to": {"email": "a@s.example"}, "reply_to_list": [{"email": "b@s.example"}]}, None, "not both"),
    ({"attachments": [{"content": "SGk=", "filename": "hi.txt", "type": "text/plain"}]}, None, None),
    ({"attachments": [{"content": "SGk", "filename": "hi.txt"}]}, "attachments.0.content", "base64"),
    ({"attachments": [{"content": "SGk=", "filename": ""}]}, "attachments.0.filename", "at least 1"),
    ({"attachments": [{"content": "SGk=", "filename": "a", "disposition": "in"}]}, "attachments.0.disposition",
     "inline"),
    ({"subjekt": "Hi"}, "subjekt", "not allowed"),
])
async def test_a_body_is_checked(client, changes, field, words):
    """Field by field; the answer names the field and what is wrong with it."""
    status = await client.send(**changes)
    if words is None:
        assert (status, client.last.content) == (202, b"")
        assert client.last.headers["X-Message-Id"]
    else:
        error = client.last.json()["errors"][0]
        assert (status, error["field"]) == (400, field)
        assert words in error["message"]
        assert not client.inbox.mails


@pytest.mark.parametrize(("method", "path", "headers", "status"), [
    ("POST", "/v3/mail/send", {"Authorization": ""}, 401),
    ("POST", "/v3/mail/send", {"Authorization": "Bearer SG.other"}, 401),
    ("POST", "/v3/mail/send", {"Content-Type": "text/plain"}, 415),
    ("GET", "/v3/mail/send", {}, 405),
    ("POST", "/v3/mail/sent", {}, 404),
    ("GET", "/v3/scopes", {}, 200), ("GET", "/v3/verified_senders?limit=500", {}, 403),
])
async def test_requests_that_are_no_mail(client, method, path, headers, status):
    """Credentials first, then what is asked."""
    about = {"Authorization": "Bearer SG.made-up.key", "Content-Type": "application/json"} | headers
    answer = await client.http.request(method, path, headers=about, content=b"{}")
    assert answer.status_code == status


async def test_without_an_accept_header_there_is_406(client):
    """As the table of errors has it."""
    request = client.request("joe@r.example")
    del request.headers["Accept"]
    assert (await client.http.send(request)).status_code == 406


async def test_sandbox_mode_validates_and_sends_nothing(client):
    """200 instead of 202, no id, no mail; a mistake is a mistake there too."""
    sandbox = {"mail_settings": {"sandbox_mode": {"enable": True}}}
    assert await client.send(**sandbox) == 200
    assert await client.send(**sandbox, content=[]) == 400
    assert not client.inbox.mails


async def test_what_is_no_json_is_a_bad_request(client):
    """400 without a field."""
    answer = await client.http.send(httpx.Request(
        "POST", client.http.base_url.join("/v3/mail/send"), content=b"{",
        headers={"Authorization": "Bearer SG.made-up.key", "Content-Type": "application/json", "Accept": "*/*"}))
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (400, None)


async def test_the_message_is_written_as_a_reader_gets_it(client):
    """Bodies, names, files and headers arrive whole, whatever the script."""
    image = {"content": "SGk=", "filename": "löwe.png", "type": "image/png", "disposition": "inline",
             "content_id": "lion"}
    await client.send(subject="Grüße 🦁", content=[PLAIN | {"value": "Grüße\n.\n"}, HTML], attachments=[image],
                      reply_to={"email": "re@s.example", "name": "Zoë"})
    mail = email.message_from_bytes(client.inbox.contents[0], policy=policy.default)
    assert (mail["subject"], mail["reply-to"]) == ("Grüße 🦁", "Zoë <re@s.example>")
    assert mail.get_body(("plain",)).get_content().splitlines() == ["Grüße", "."]
    assert "<p>Hello" in mail.get_body(("html",)).get_content()
    file = next(mail.iter_attachments())
    assert (file.get_content(), file["content-id"], file.get_content_type()) == (b"Hi", "<lion>", "image/png")
