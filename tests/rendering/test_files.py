"""Files around a body, judged by the standard library's parser."""

from email import message_from_bytes
from email.policy import default

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from outreach_stream.catalog.attached import check_name
from outreach_stream.domain.message import File, Mailbox
from outreach_stream.rendering.mime import MessageSkeleton
from outreach_stream.rendering.templates import Rendered

LOGO = File("logo.png", "image/png", b"\x89PNG\0\xff" * 50, "logo")
TERMS = File("terms.pdf", "application/pdf", bytes(range(256)) * 40)


def build(files, text="Hi\n", html='<img src="cid:logo">', **options):
    skeleton = MessageSkeleton(Mailbox("us@shop.example.com", "Us"), files=files, **options)
    mail = skeleton.mail(Mailbox("ada@example.org", "Ada"), Rendered("Hello", text, html))
    assert mail.files == tuple(files)
    return skeleton.write(mail, message_id="<run.0.1@shop.example.com>", second=0)


def parse(data):
    message = message_from_bytes(data, policy=default)
    assert not [defect for part in message.walk() for defect in part.defects]
    return message


def shape(part):
    """The types of a message's parts, as they are nested."""
    if not part.is_multipart():
        return part.get_content_type()
    return part.get_content_subtype(), *map(shape, part.iter_parts())


BOTH = ("alternative", "text/plain", "text/html")


def test_every_line_of_a_mail_with_files_ends_in_crlf():
    """Engines need not make line ends good: also what stands around files has no other."""
    notes = File("notes, long ü.txt", "text/plain", b"a\nb\rc\r\n")
    data = build([LOGO, TERMS, notes], "a\nb\rc\r\n", "<p>\r\n\n\r")

    assert data.count(b"\r\n") == data.count(b"\n") == data.count(b"\r")
    assert data.endswith(b"\r\n")


@pytest.mark.parametrize(("files", "text", "html", "expected"), [
    ([], "t", "h", BOTH),
    ([TERMS], "t", None, ("mixed", "text/plain", "application/pdf")),
    ([TERMS], None, "h", ("mixed", "text/html", "application/pdf")),
    ([LOGO], None, "h", ("related", "text/html", "image/png")),
    ([LOGO], "t", "h", ("related", BOTH, "image/png")),
    ([TERMS, TERMS], "t", "h", ("mixed", BOTH, "application/pdf", "application/pdf")),
    ([LOGO, TERMS], "t", "h", ("mixed", ("related", BOTH, "image/png"), "application/pdf")),
])
def test_no_more_parts_than_needed(files, text, html, expected):
    """Mixed around what is attached, related around what is shown, alternative around two bodies; nothing else."""
    message = parse(build(files, text, html))

    assert shape(message) == expected
    for part in message.walk():
        if part.get_content_type() == "multipart/related":  # RFC 2387 section 3.1: the type of what it begins with
            assert part.get_param("type") == next(part.iter_parts()).get_content_type()


def test_files_arrive_as_they_were():
    """Content, name and role of each file survive; the message stays ASCII in short lines."""
    data = build([LOGO, TERMS])
    image, attached = (part for part in parse(data).walk() if part.get_filename())

    assert (image.get_content(), attached.get_content()) == (LOGO.content, TERMS.content)
    assert (image["Content-ID"], image.get_content_disposition()) == ("<logo>", "inline")
    assert (attached["Content-ID"], attached.get_content_disposition()) == (None, "attachment")
    assert data.isascii()
    assert max(map(len, data.split(b"\r\n"))) <= 78
    assert b"\n" not in data.replace(b"\r\n", b"")


@pytest.mark.parametrize(("content", "charset"), [("é".encode(), "utf-8"), (b"\xe9", None)])
def test_text_says_its_charset(content, charset):
    """An attached text that is UTF-8 says so: the default would be ASCII."""
    message = parse(build([File("list.csv", "text/csv", content)]))
    [attached] = message.iter_attachments()

    assert attached.get_payload(decode=True) == content
    assert attached.get_param("charset") == charset


names = st.one_of(
    st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs", "Zl", "Zp"], exclude_characters="/\\"),
            min_size=1, max_size=150),
    st.text(st.sampled_from("aé🌱\u202e\u200d \"';,=?%*<>()@.\u05d0"), min_size=1, max_size=150),
).filter(str.strip)


@given(name=names)
@example(name='a"; filename="evil.exe')
@example(name="=?utf-8?b?eA==?=.pdf")
@example(name="Überblick „Köln“.pdf")
@example(name="x" * 150)
@example(name="👩‍👩‍👧" * 18)
@settings(max_examples=300, deadline=None)
def test_names_survive(name):
    """Whatever a file is called, one part has exactly that name, and no header is added to it."""
    try:
        check_name(name)
    except ValueError:
        return
    data = build([File(name, "application/pdf", b"x")], "t", None)
    [attached] = parse(data).iter_attachments()

    assert attached.get_filename() == name
    assert set(attached.keys()) == {"Content-Type", "Content-Transfer-Encoding", "Content-Disposition"}
    assert data.isascii()
    assert max(map(len, data.split(b"\r\n"))) <= 998


@pytest.mark.parametrize("body", ["--=_x--", "--r=_x", "--m=_x--", "a\r\n--m=_x\r\n\r\nb"])
def test_no_body_ends_a_part(body):
    """A body that holds a boundary of any level is encoded, and what follows it is still there."""
    message = parse(build([LOGO, TERMS], body, body, boundary="x"))

    assert shape(message) == ("mixed", ("related", BOTH, "image/png"), "application/pdf")
    assert message.get_body(("plain",)).get_content().split() == body.split()


def test_files_are_encoded_once(monkeypatch):
    """A mail joins what was encoded before the first of them."""
    skeleton = MessageSkeleton(Mailbox("us@shop.example.com"), files=[LOGO, TERMS])
    monkeypatch.setattr("outreach_stream.rendering.files._entity", None)
    mail = skeleton.mail(Mailbox("ada@example.org"), Rendered("Hello", "t", "h"))

    assert b"logo.png" in skeleton.write(mail, message_id="<a@b>", second=0)
