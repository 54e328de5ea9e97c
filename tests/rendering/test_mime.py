"""Spliced messages, judged by the standard library's parser."""

from datetime import UTC, datetime
from email import message_from_bytes
from email.header import decode_header, make_header
from email.policy import SMTP, compat32, default
from email.utils import parseaddr

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from outreach_stream.domain.message import Mailbox
from outreach_stream.rendering.failures import RenderError
from outreach_stream.rendering.headers import one_line
from outreach_stream.rendering.mime import MessageSkeleton
from outreach_stream.rendering.templates import Rendered

SENDER = Mailbox(email="hello@shop.example.com", name='Café, "Hazel" & Co.')
SKELETON = MessageSkeleton(SENDER, Mailbox(email="service@shop.example.com"))
DATE = datetime(2026, 3, 1, 9, 30, tzinfo=UTC)
HEADERS = ["Date", "From", "Reply-To", "MIME-Version", "To", "Subject", "Message-ID", "Content-Type",
           "Content-Transfer-Encoding"]

anything = st.text(st.characters(codec="utf-8"), max_size=300)
awkward = st.one_of(anything, st.text(st.sampled_from('a =?_"\\,;:<>()@.\r\n\t\0é🌱\u202eא\u2028'), max_size=200))
special = st.sampled_from([".", "..", ".x", "", "From me", "a" * 1200, "é" * 700, " \t"])
lines = st.lists(st.one_of(anything, special), max_size=6)
bodies = st.builds(lambda parts, end: end.join(parts), lines, st.sampled_from(["\n", "\r\n", "\r"]))


def build(email="ada@example.org", name="Ada", *, subject="Hello", text="Hi\n", html=None, **options):
    mail = SKELETON.mail(Mailbox(email, name or ""), Rendered(subject, text, html, options.pop("unsubscribe", None)))
    options = {"message_id": "<run.0.1@shop.example.com>", "second": int(DATE.timestamp())} | options
    return SKELETON.write(mail, **options)


def parse(data):
    return message_from_bytes(data, policy=default)


def as_lines(text):
    """What a body is after its line ends were made those of mail, one at its end."""
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    return text if text.endswith("\n") else text + "\n"


def content(part):
    """The decoded body, its line ends as LF."""
    return part.get_payload(decode=True).decode(part.get_content_charset()).replace("\r\n", "\n")


def display_name(data):
    """The name in To. The library's newer parser leaves spaces between encoded words; RFC 2047 (6.2) does not."""
    to = message_from_bytes(data, policy=compat32)["To"].replace("\r\n", "")
    return str(make_header(decode_header(parseaddr(to)[0])))


@given(name=awkward, subject=awkward)
@example(name="=?utf-8?b?eA==?=", subject="=?utf-8?q?x?=")
@example(name="a\r\nBcc: b@example.com", subject="x\r\n\r\nbody")
@example(name="", subject="word " * 60)
@settings(max_examples=300, deadline=None)
def test_headers_survive_and_nothing_is_injected(name, subject):
    """The reader sees the name and the subject as one line each, and exactly the headers we wrote."""
    data = build(name=name, subject=one_line(subject))
    message = parse(data)

    assert message.keys() == HEADERS
    assert [to.addr_spec for to in message["To"].addresses] == ["ada@example.org"]
    assert display_name(data) == one_line(name)
    assert message["Subject"] == one_line(subject)
    assert content(message) == "Hi\n"


@given(name=awkward, subject=awkward)
@settings(max_examples=200, deadline=None)
def test_header_lines_are_short_and_ascii(name, subject):
    """Whatever is in them, header lines are ASCII, at most 78 characters long, and folded before a space."""
    head = build(name=name, subject=one_line(subject)).partition(b"\r\n\r\n")[0]

    for line in head.split(b"\r\n"):
        assert line.isascii()
        assert len(line) <= 78
        assert line.strip()
    assert b"\n" not in head.replace(b"\r\n", b"")


@given(text=bodies, html=bodies, eight_bit=st.booleans())
@example(text="", html="", eight_bit=False)
@example(text="x ", html="trailing\t\n \n", eight_bit=False)
@settings(max_examples=300, deadline=None)
def test_bodies_survive(text, html, eight_bit):
    """Both bodies arrive as they were, line ends apart, in lines that any server takes."""
    data = build(text=text, html=html, eight_bit=eight_bit)
    message = parse(data)
    plain, rich = message.iter_parts()

    assert [part.get_content_type() for part in (plain, rich)] == ["text/plain", "text/html"]
    assert content(plain) == as_lines(text)
    assert content(rich) == as_lines(html)
    assert data.endswith(b"\r\n")
    assert all(len(line) <= 998 for line in data.split(b"\r\n"))
    assert b"\n" not in data.replace(b"\r\n", b"") and b"\r" not in data.replace(b"\r\n", b"")
    assert b"\0" not in data
    assert eight_bit or data.isascii()


@pytest.mark.parametrize(("body", "eight_bit", "encoding"), [
    ("plain\n", False, "7bit"),
    ("plain\n", True, "7bit"),
    ("un café\n", True, "8bit"),
    ("un café, mostly plain\n", False, "quoted-printable"),
    ("доброе утро\n", False, "base64"),
    ("x" * 999, True, "quoted-printable"),
    ("é" * 998, True, "base64"),
    ("nul \0", True, "quoted-printable"),
])
def test_the_cheapest_safe_encoding(body, eight_bit, encoding):
    """7bit where it can be, 8bit where the server takes it, else the shorter of the two others."""
    assert parse(build(text=body, eight_bit=eight_bit))["Content-Transfer-Encoding"] == encoding


@pytest.mark.parametrize("before", [0, 1, 500, 997, 998, 5_000])
@pytest.mark.parametrize("after", ["", "\n", "\nx\n", "\n" + "x" * 998])
@pytest.mark.parametrize(("longest", "encoding"), [(998, "8bit"), (999, "quoted-printable")])
def test_the_longest_line_counts_wherever_it_is(before, after, longest, encoding):
    """A line of 998 octets goes as it is, one more needs encoding: at the start, in the middle and at the end."""
    body = "x\n" * (before // 2) + "y" * (before % 2) + "\n" + "é" + "x" * (longest - 2) + after

    assert parse(build(text=body, eight_bit=True))["Content-Transfer-Encoding"] == encoding


@pytest.mark.parametrize(("text", "line"), [
    ("a b", "a b"), (" a", "a"),
    ("a ", "a"), ("a  b", "a b"), ("a\xa0b", "a b"), ("a\u3000", "a"), ("  ", ""), ("", ""),
    ("a\tb", "a b"), ("é \u2028 b", "é b"),
])
def test_one_line(text, line):
    """White space of any kind is one space, and none at the ends."""
    assert one_line(text) == line


def test_static_headers():
    """From, Reply-To, Date and Message-ID are exactly what was asked for."""
    message = parse(build())

    assert message["From"].addresses[0].addr_spec == SENDER.email
    assert message["From"].addresses[0].display_name == SENDER.name
    assert message["Reply-To"] == "service@shop.example.com"
    assert message["Date"].datetime == DATE
    assert message["Message-ID"] == "<run.0.1@shop.example.com>"


def test_unsubscribe_headers():
    """RFC 8058 asks for both headers, the address in angle brackets."""
    message = parse(build(unsubscribe="https://shop.example.com/u/1"))

    assert message["List-Unsubscribe"] == "<https://shop.example.com/u/1>"
    assert message["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"


@pytest.mark.parametrize(("part", "options"), [
    ("to", {"email": "a@example.org\r\nBcc: b@example.org"}),
    ("to", {"email": "a@example.org>, <b@example.org"}),
    ("to", {"email": "a@example.org\n"}),
    ("list_unsubscribe", {"unsubscribe": "https://x/>\r\nBcc: c@example.org"}),
    ("list_unsubscribe", {"unsubscribe": "http://x/"}),
])
def test_refused(part, options):
    """What cannot stand in a header is an error that says which part, and not what was in it."""
    with pytest.raises(RenderError) as failure:
        build(**options)

    assert failure.value.part == part
    assert "example" not in str(failure.value)


def test_smtputf8():
    """With SMTPUTF8 an address may be written as it is."""
    data = build(email="jürgen@example.org", smtputf8=True)

    assert "To: Ada <jürgen@example.org>".encode() in data


def test_a_body_with_the_boundary_gets_another():
    """A body that holds the boundary does not end the part early."""
    skeleton = MessageSkeleton(SENDER, boundary="x")
    mail = skeleton.mail(Mailbox("a@example.org"), Rendered("s", "--=_x--\n", "<p>"))
    data = skeleton.write(mail, message_id="<a@b>", second=0)

    assert content(next(parse(data).iter_parts())) == "--=_x--\n"


def test_dots_are_left_alone():
    """Dot-stuffing belongs to the engine."""
    assert b"\r\n.\r\n" in build(text="a\n.\nb\n")


def test_the_standard_library_agrees_on_structure():
    """A round trip through the library keeps the message's structure."""
    again = parse(parse(build(html="<p>hi</p>")).as_bytes(policy=SMTP))

    assert again.get_content_type() == "multipart/alternative"
