"""What is posted to SendGrid is what it documents, whatever the names and texts are."""

import base64
from dataclasses import replace
from email.header import decode_header, make_header

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outreach_stream.domain.message import File, Mailbox
from outreach_stream.domain.outcomes import MessageRejected, RecipientRejected
from outreach_stream.engines.sendgrid import SendGrid, SendGridConfig
from tests.engines.sendgrid_schema import checked
from tests.messages import raw

ID = "<run-1.0.1@s.example>"


def config(**fields) -> SendGridConfig:
    return SendGridConfig.model_validate({"id": "main", "kind": "sendgrid", "api_key": "env:SG_KEY"} | fields)


def posted(mail=None, **fields):
    """The checked body of a mail."""
    message = raw(ID, "bounces@s.example", "joe@r.example")
    message = replace(message, mail=replace(message.mail, **(mail or {})))
    return checked(SendGrid(config(**fields)).request(message).body)


def test_a_whole_mail():
    """Every field stands where SendGrid wants it, and nothing else is said."""
    found = posted({
        "sender": Mailbox("news@s.example", "Acme, Inc."), "to": Mailbox("joe@r.example", "Joe Doe"),
        "subject": "Hi", "text": "Hello\n", "html": "<p>Hello</p>", "reply_to": Mailbox("help@s.example", "Help"),
        "headers": (("List-Unsubscribe", "<https://s.example/u>"),
                    ("List-Unsubscribe-Post", "List-Unsubscribe=One-Click")),
        "files": (File("terms.pdf", "application/pdf", b"%PDF"), File("logo.png", "image/png", b"PNG", "logo")),
        "tags": ("weekly", "eu"),
    })

    assert found == {
        "personalizations": [{"to": [{"email": "joe@r.example", "name": "Joe Doe"}]}],
        "from": {"email": "news@s.example", "name": "Acme, Inc."},
        "reply_to": {"email": "help@s.example", "name": "Help"},
        "subject": "Hi",
        "content": [{"type": "text/plain", "value": "Hello\n"}, {"type": "text/html", "value": "<p>Hello</p>"}],
        "headers": {"Message-ID": ID, "List-Unsubscribe": "<https://s.example/u>",
                    "List-Unsubscribe-Post": "List-Unsubscribe=One-Click"},
        "attachments": [
            {"content": base64.b64encode(b"%PDF").decode(), "type": "application/pdf", "filename": "terms.pdf",
             "disposition": "attachment"},
            {"content": base64.b64encode(b"PNG").decode(), "type": "image/png", "filename": "logo.png",
             "disposition": "inline", "content_id": "logo"},
        ],
        "categories": ["weekly", "eu"],
    }


def test_the_least_mail():
    """What a mail has not is not said: not even an empty name or list."""
    assert posted() == {
        "personalizations": [{"to": [{"email": "joe@r.example"}]}], "from": {"email": "bounces@s.example"},
        "subject": "x", "content": [{"type": "text/plain", "value": "Hello\n"}], "headers": {"Message-ID": ID},
    }


@pytest.mark.parametrize("sandbox", [True, False])
def test_the_sandbox(sandbox):
    """A boolean, and only when it is on."""
    expected = {"sandbox_mode": {"enable": True}} if sandbox else None

    assert posted(sandbox=sandbox).get("mail_settings") == expected


@pytest.mark.parametrize(("name", "sent"), [
    ("Doe, Jane", "Doe Jane"), ("a;b ,; c", "a b c"), (",", None), ("Zoë Müller", "Zoë Müller"),
    ("山田 太郎", "山田 太郎"), ("شركة", "شركة"), ("👩‍👩‍👧 Family", "👩‍👩‍👧 Family"),
    ('"Q" <x@y.example>', '"Q" <x@y.example>'), ("x\r\nBcc: y@z.example", "x\r\nBcc: y@z.example"),
])
def test_names_of_recipients(name, sent):
    """Without what SendGrid does not take in a name; the rest as it is: JSON has no lines to break out of."""
    to = posted({"to": Mailbox("joe@r.example", name)})["personalizations"][0]["to"]

    assert to == [{"email": "joe@r.example"} | ({"name": sent} if sent else {})]


@pytest.mark.parametrize("subject", ["x" * 5_000, "Grüße 🎉", "مرحبا", "a\u202eb", "=?utf-8?q?x?="])
def test_subjects(subject):
    """SendGrid encodes them: they go as they are."""
    assert posted({"subject": subject})["subject"] == subject


def test_empty_bodies_are_left_out():
    """SendGrid refuses a mail for an empty half, and a mail without any is refused here."""
    assert posted({"text": "", "html": "<p>x</p>"})["content"] == [{"type": "text/html", "value": "<p>x</p>"}]
    refused = SendGrid(config()).request(raw(ID, "a@s.example", "b@r.example", text="", html=None))
    assert type(refused) is MessageRejected and refused.reason == "body_empty"


def test_headers_that_are_sendgrids_own():
    """They are left out, or it would refuse the mail; one that comes twice is said once."""
    reserved = ("X-SG-ID", "x-sg-eid", "Received", "DKIM-Signature", "Content-Type", "Content-Transfer-Encoding",
                "To", "From", "Subject", "Reply-To", "CC", "Bcc")

    found = posted({"headers": (*((name, "x") for name in reserved), ("X-A", "1"), ("x-a", "2"))})["headers"]

    assert found == {"Message-ID": ID, "x-a": "2"}


@pytest.mark.parametrize("value", ["Grüße", "🎉" * 60, "مرحبا بالعالم", "a, b; ü"])
def test_header_values_are_encoded(value):
    """In encoded words of at most 75 characters (RFC 2047), in one line, that decode to what was meant."""
    found = posted({"headers": (("X-Campaign", value),)})["headers"]["X-Campaign"]

    assert str(make_header(decode_header(found))) == value
    assert all(len(word) <= 75 for word in found.split(" "))


def test_attachments_without_what_is_refused():
    """Neither a type's parameters nor separators in a file's name are taken."""
    found = posted({"files": (File("a; b,c.ics", "text/calendar; method=REQUEST", b"x"),)})["attachments"]

    assert (found[0]["type"], found[0]["filename"]) == ("text/calendar", "a_ b_c.ics")


def test_tags_become_categories():
    """At most ten, each once: more would cost the mail."""
    found = posted({"tags": ("a", "a", *(f"t{i}" for i in range(20)))})["categories"]

    assert found == ["a", *(f"t{i}" for i in range(9))]


def test_too_large():
    """What is over 30 MB with its attachments is refused before it is sent; what is just under it goes."""
    provider = SendGrid(config())

    def of(size):
        return provider.request(raw(ID, "a@s.example", "b@r.example", files=(File("f", "a/b", b"x" * size),)))

    refused, fits = of(24_000_000), of(23_000_000)

    assert type(refused) is MessageRejected and refused.reason == "message_too_large"
    assert len(checked(fits.body)["attachments"][0]["content"]) > 30_000_000


def test_an_address_that_is_dropped_later():
    """SendGrid says yes to an address that is not ASCII, and drops the mail: a no that we can say ourselves."""
    refused = SendGrid(config()).request(raw(ID, "a@s.example", "pepé@r.example"))

    assert type(refused) is RecipientRejected and "pepé" not in repr(refused)


def test_half_a_character():
    """It cannot be written in UTF-8: refused, and no exception."""
    refused = SendGrid(config()).request(raw(ID, "a@s.example", "b@r.example", text="\ud83d"))

    assert type(refused) is MessageRejected and refused.reason == "not_utf8"


TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=50)
LINE = st.text(st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp"]), max_size=50)


@given(name=TEXT, sender=TEXT, subject=TEXT.filter(bool), text=TEXT.filter(bool), header=LINE, tags=st.lists(TEXT))
def test_hostile_words(name, sender, subject, text, header, tags):
    """Whatever recipients and templates bring, the body is one that SendGrid documents, with one recipient."""
    found = posted({"to": Mailbox("joe@r.example", name), "sender": Mailbox("a@s.example", sender), "subject": subject,
                    "text": text, "headers": (("X-H", header),), "tags": tuple(tags)})

    assert [to["email"] for one in found["personalizations"] for to in one["to"]] == ["joe@r.example"]
    assert (found["subject"], found["content"][0]["value"]) == (subject, text)
