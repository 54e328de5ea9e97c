"""Hostile names, subjects and header values, judged by the standard library's parser."""

from email import message_from_bytes
from email.header import decode_header, make_header
from email.policy import compat32, default
from email.utils import parseaddr

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from outreach_stream.domain.message import Mailbox
from outreach_stream.rendering.failures import RenderError
from outreach_stream.rendering.headers import one_line
from outreach_stream.rendering.mime import MessageSkeleton
from outreach_stream.rendering.templates import Rendered

SENDER = "us@shop.example.com"
HOSTILE = [
    "Doe, Jane", 'Jane "Q" Doe', "a; b: c;", "=?utf-8?b?eA==?=", "=?utf-8?q?x?= =?", "a\r\nBcc: eve@example.com",
    "a\0b", "a\x7f\x85b", "\u202egnp.exe", "\u2066x", "דויד כהן", "محمد", "👩‍👩‍👧 Ada", "🏳️‍🌈" * 60, "x" * 1_000,
    "é" * 1_000,
    ("word " * 200).strip(), "\\", '"', "<eve@example.com>", "Ada (comment", "undisclosed-recipients:;", ".", "@",
    "\u2028x", "\ufeffx",
]
anything = st.one_of(st.sampled_from(HOSTILE), st.text(max_size=300),
                     st.text(st.sampled_from('a =?_"\\,;:<>()@.\r\n\t\0é🌱\u202e\u200dא\u2028'), max_size=200))


def head(*, to="Ada", sender="", reply="", subject="Hi", headers=(), email="ada@example.org"):
    skeleton = MessageSkeleton(Mailbox(SENDER, sender), Mailbox(SENDER, reply))
    mail = skeleton.mail(Mailbox(email, to), Rendered(one_line(subject) or "-", "t", headers=tuple(headers)))
    return skeleton.write(mail, message_id="<a@b>", second=0).partition(b"\r\n\r\n")[0] + b"\r\n\r\n"


def name_in(data, header):
    """The name. The library's newer parser leaves spaces between encoded words; RFC 2047 (6.2) does not."""
    found = message_from_bytes(data, policy=compat32)[header].replace("\r\n", "")
    return str(make_header(decode_header(parseaddr(found)[0])))


@given(to=anything, sender=anything, reply=anything)
@settings(max_examples=300, deadline=None)
def test_names_arrive_in_all_three_places(to, sender, reply):
    """Whatever somebody is called, there is one address with that name, and no header more than we wrote."""
    data = head(to=to, sender=sender, reply=reply)
    message = message_from_bytes(data, policy=default)

    for header, name in (("To", to), ("From", sender), ("Reply-To", reply)):
        [found] = message[header].addresses
        assert found.addr_spec == ("ada@example.org" if header == "To" else SENDER)
        assert name_in(data, header) == one_line(name)
    assert set(message.keys()) == {"Date", "From", "Reply-To", "MIME-Version", "To", "Subject", "Message-ID",
                                   "Content-Type", "Content-Transfer-Encoding"}
    assert data.isascii()
    assert max(map(len, data.split(b"\r\n"))) <= 78


@pytest.mark.parametrize("text", HOSTILE)
def test_a_subject_is_read_as_it_was_meant(text):
    """The reader sees the subject's one line; joined emoji and right-to-left text stay whole."""
    assert message_from_bytes(head(subject=text), policy=default)["Subject"] == one_line(text)


@given(value=anything.map(lambda text: one_line(text)[:870]), name=st.sampled_from(["X-A", "X-" + "a" * 48]))
@example(value="x" * 870, name="X-A")
@example(value="https://x.example/?a==?utf-8?", name="X-A")
@settings(max_examples=300, deadline=None)
def test_values_of_headers_arrive(name, value):
    """A workflow's header has one line's value; ASCII stays readable for programs that decode nothing."""
    data = head(headers=[(name, value)] if value else [])
    message = message_from_bytes(data, policy=default)

    assert message.get(name, "") == value
    assert data.isascii()
    assert max(map(len, data.split(b"\r\n"))) <= 998
    if value.isascii() and "=?" not in value:
        assert data.replace(b"\r\n ", b" ").count(value.encode())


@pytest.mark.parametrize("email", [
    "a\r\nBcc: b@example.org", "a@example.org>, <b@example.org", "a b@example.org", "a@b@example.org", "a@", "@b", "",
    '"a b"@example.org', "a\u202eb@example.org", "a\u200b@example.org", "a\ud800@example.org", "a\u2028@example.org",
    "a\x85@example.org", "a@exa\ufeffmple.org",
])
def test_no_address_that_could_be_read_otherwise(email):
    """Signs of syntax, line ends and what nobody sees are refused; the error holds nothing of the address."""
    with pytest.raises(RenderError, match=r"^to: the address cannot stand in a header$"):
        head(email=email)


@pytest.mark.parametrize("email", ["jürgen@example.org", "用户@例子.example", "δοκιμή@παράδειγμα.example"])
def test_addresses_in_other_scripts(email):
    """An internationalised address (RFC 6532) is written as it is; all the rest of the head stays ASCII."""
    data = head(email=email, to="Jürgen")

    assert f"<{email}>".encode() in data
    assert data.replace(email.encode(), b"").isascii()


def test_a_mail_holds_what_is_to_be_shown():
    """Providers that write the message get one line each, not encoded, in the order in which they are written."""
    skeleton = MessageSkeleton(Mailbox(SENDER, "Café\r\nBcc: x"), headers=[("Feedback-ID", "a:b:c:sender")],
                               tags=["spring"])
    mail = skeleton.mail(Mailbox("ada@example.org", "Ada\nL"), Rendered(
        "Hi", "t", unsubscribe="https://u.example/1", headers=(("X-City", "Köln"),)))

    assert (mail.sender.name, mail.to.name, mail.tags) == ("Café Bcc: x", "Ada L", ("spring",))
    assert mail.headers == (
        ("Feedback-ID", "a:b:c:sender"), ("X-City", "Köln"), ("List-Unsubscribe", "<https://u.example/1>"),
        ("List-Unsubscribe-Post", "List-Unsubscribe=One-Click"))
    assert list(message_from_bytes(skeleton.write(mail, message_id="<a@b>", second=0)).keys())[-6:-2] == [
        name for name, _ in mail.headers]
