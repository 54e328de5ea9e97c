"""A mail with everything in it comes out of each provider as it went in, whoever writes the message."""

import email
from email import policy
from email.message import EmailMessage

import pytest

from outreach_stream.domain.message import File, Mailbox, OutgoingMessage
from outreach_stream.domain.outcomes import Accepted
from outreach_stream.rendering.mime import MessageSkeleton
from outreach_stream.rendering.templates import Rendered
from tests.contract.conftest import WORLDS
from tests.contract.mails import attempt
from tests.contract.worlds import InboxWorld

SUBJECT = "Grüße 🌱 — " + "שלום " * 12 + "& Tomate «Ténor», 50 % off"
TEXT = "Zoë,\n.\n..two\n" + "ü" * 700 + "\nbye\n"
HTML = '<p>Zoë<img src="cid:lion">' + "<br>" * 300 + "</p>\n"
PDF, PNG = bytes(range(256)) * 40, b"\x89PNG\r\n\x1a\n" + bytes(200)
UNSUBSCRIBE = "https://hazel.example.com/u/t0000002a"


def full() -> OutgoingMessage:
    skeleton = MessageSkeleton(
        Mailbox("news@s.example", "Hazel, Co. & Söhne"), Mailbox("re@s.example", "Zoë “Z” O'Brien"),
        headers=[("Feedback-ID", "spring:7:outreach")], tags=["spring-offer", "b_7"],
        files=[File("löwe.png", "image/png", PNG, "lion"), File("price; list, 1.pdf", "application/pdf", PDF)])
    mail = skeleton.mail(Mailbox("joe@r.example", "Jürgen; O'Brien, “Ñ”"),
                         Rendered(SUBJECT, TEXT, HTML, unsubscribe=UNSUBSCRIBE))
    return OutgoingMessage("<m@s.example>", "news@s.example", "joe@r.example", mail, lambda **capabilities:
                           skeleton.write(mail, message_id="<m@s.example>", second=1_795_000_000, **capabilities))


@pytest.fixture(params=[name for name, made in WORLDS.items() if issubclass(made, InboxWorld)])
async def arrived(request, stack) -> EmailMessage:
    """The mail, at the other side of each engine but the one that sends nothing."""
    world = WORLDS[request.param](stack)
    engine = await world.engine()
    outcome, _ = await attempt(engine, full())
    assert isinstance(outcome, Accepted), outcome
    await engine.close()
    return email.message_from_bytes(world.inbox.contents[0], policy=policy.default)


def test_its_headers(arrived):
    """Names, long subjects, and what providers demand of those who send to many."""
    assert arrived["subject"] == " ".join(SUBJECT.split())
    assert str(arrived["from"].addresses[0].display_name) == "Hazel, Co. & Söhne"
    assert arrived["from"].addresses[0].addr_spec == "news@s.example"
    assert arrived["reply-to"].addresses[0].addr_spec == "re@s.example"
    assert [it.addr_spec for it in arrived["to"].addresses] == ["joe@r.example"]
    assert arrived["message-id"] == "<m@s.example>"
    assert arrived["list-unsubscribe"] == f"<{UNSUBSCRIBE}>"
    assert arrived["list-unsubscribe-post"] == "List-Unsubscribe=One-Click"
    assert arrived["feedback-id"] == "spring:7:outreach"


def test_its_bodies_and_files(arrived):
    """Every line of text, dots and all, and every byte of a file; images where the HTML finds them."""
    assert arrived.get_body(("plain",)).get_content().splitlines() == TEXT.splitlines()
    assert arrived.get_body(("html",)).get_content().split() == HTML.split()
    files = {part.get_content_type(): part for part in arrived.walk() if part.get_filename()}
    assert files["application/pdf"].get_content() == PDF
    assert files["image/png"].get_content() == PNG
    assert files["image/png"]["content-id"] == "<lion>"
    assert files["application/pdf"].get_content_disposition() == "attachment"
