"""Mailgun's stand-in is as strict as Mailgun's documentation, and greets those who lost their way."""

import email
from email import policy

import pytest

from outreach_stream.inbox.providers.forms import MalformedForm, fields
from tests.inbox.providers import client_of

PARTS = {"from": "Zoë <n@s.example>", "to": "joe@r.example", "subject": "Grüße", "text": "Hello"}


@pytest.fixture
async def client():
    async with client_of("mailgun") as client:
        yield client


async def post(client, form, path="messages", auth=("api", "key-made-up"), **more):
    return await client.http.post(f"/v3/mg.example.com/{path}", data=form, auth=auth, **more)


@pytest.mark.parametrize(("changes", "words"), [
    ({"to": "joe"}, "'to' parameter is not a valid address. please check documentation"),
    ({"to": "Joe <joe@r.example>, ann@r.example"}, None),
    ({"to": ""}, "'to' parameter is missing"),
    ({"from": ""}, "'from' parameter is missing"),
    ({"cc": "joe@"}, "'cc' parameter is not a valid address"),
    ({"text": ""}, "Need at least one of"),
    ({"o:testmod": "yes"}, "not known"),
    ({"o:tracking": "perhaps"}, "'o:tracking' parameter"),
    ({"o:tag": "a" * 129}, "128"),
    ({"o:tag": [str(n) for n in range(11)]}, "no more than 10 tags"),
    ({"v:data": "a" * 17_000}, "16KB"),
    ({"attachment": "no file"}, "not a file"),
    ({"h:X-Own": "1", "v:my": "2", "o:tag": ["a", "b"]}, None),
])
async def test_a_form_is_checked(client, changes, words):
    """Field by field; the answer says in JSON what is wrong."""
    answer = await post(client, PARTS | changes)
    if words:
        assert answer.status_code == 400
        assert words in answer.json()["message"]
        assert not client.inbox.mails
    else:
        assert (answer.status_code, answer.json()["message"]) == (200, "Queued. Thank you.")
        assert answer.json()["id"].endswith("@mg.example.com>")


async def test_a_mime_message_must_be_a_file(client):
    """multipart/form-data with `to` and one file `message`, kept byte by byte."""
    for form, files in ((PARTS, None), ({"to": "joe@r.example"}, {"message": (None, b"From: n@s.example\r\n\r\n")})):
        answer = await post(client, form, "messages.mime", files=files)
        assert answer.status_code == 400
    message = b"From: n@s.example\r\nSubject: --x\r\n\r\n\r\n--\r\n--x--\r\n"
    answer = await post(client, {"to": "joe@r.example"}, "messages.mime", files={"message": ("m", message)})
    assert answer.status_code == 200
    assert list(client.inbox.contents) == [message]


async def test_the_wrong_way_is_greeted(client):
    """A path that is none gets 200, and nothing is sent."""
    answer = await client.http.post("/v3/messages", data=PARTS, auth=("api", "key-made-up"))
    assert (answer.status_code, answer.text) == (200, "Mailgun Magnificent API")
    assert not client.inbox.mails


async def test_credentials_and_domain_are_checked(client):
    """401 is no JSON; a domain of another region is not found."""
    answer = await post(client, PARTS, auth=("api", "other"))
    assert (answer.status_code, answer.text) == (401, "Forbidden")
    answer = await client.http.post("/v3/other.example/messages", data=PARTS, auth=("api", "key-made-up"))
    assert (answer.status_code, answer.json()) == (404, {"message": "Domain not found: other.example"})
    answer = await client.http.get("/v4/domains/mg.example.com", auth=("api", "key-made-up"))
    assert answer.json()["domain"]["state"] == "active"


async def test_test_mode_sends_nothing(client):
    """It is queued, and not received."""
    answer = await post(client, PARTS | {"o:testmode": "yes"})
    assert answer.json()["message"] == "Queued. Thank you."
    assert not client.inbox.mails


async def test_the_message_is_written_as_a_reader_gets_it(client):
    """Header fields with `h:`, bodies and files."""
    await post(client, PARTS | {"html": "<p>Hello", "h:Message-ID": "<9@s.example>"},
               files={"attachment": ("hi.txt", b"Hi", "text/plain")})
    mail = email.message_from_bytes(client.inbox.contents[0], policy=policy.default)
    assert (mail["subject"], mail["from"], mail["message-id"]) == ("Grüße", "Zoë <n@s.example>", "<9@s.example>")
    assert next(mail.iter_attachments()).get_content() == "Hi"
    assert client.inbox.mails[0].message_id == "<9@s.example>"


@pytest.mark.parametrize(("kind", "body"), [
    ("multipart/form-data", b""), ("multipart/form-data; boundary=x", b"--x\r\n"), ("text/plain", b"a=b"),
    ("multipart/form-data; boundary=x", b"--x\r\nContent-Type: a/b\r\n\r\n1\r\n--x--"),
    ("application/x-www-form-urlencoded", b"a"), ("application/x-www-form-urlencoded", "ä=1".encode()),
])
def test_what_is_no_form_is_told(kind, body):
    """Cut off, without a name, of another kind."""
    with pytest.raises(MalformedForm):
        fields(kind, body)
