"""The mails that the engines' benchmark sends: a newsletter's size, made before the clock runs."""

from outreach_stream.domain.message import Mail, Mailbox, OutgoingMessage

SENDER = Mailbox("news@mg.example.com", "The News")
TEXT = "A line of text as it stands in a newsletter, about seventy bytes long.\n" * 38
LARGE = len(TEXT)


def address(number: int) -> str:
    return f"r{number}@recipient.example"


def mime(number: int) -> bytes:
    head = (f"Message-ID: <{number}@mg.example.com>\nDate: Tue, 24 Nov 2026 09:00:00 +0000\n"
            f"From: {SENDER.name} <{SENDER.email}>\nTo: {address(number)}\nSubject: Hello\nMIME-Version: 1.0\n"
            "Content-Type: text/plain; charset=utf-8\n\n")
    return (head + TEXT).replace("\n", "\r\n").encode()


def prepared(number: int) -> OutgoingMessage:
    """One mail, in both its forms."""
    mail = Mail(SENDER, Mailbox(address(number)), "Hello", TEXT)
    return OutgoingMessage(f"<{number}@mg.example.com>", SENDER.email, address(number), mail, lambda **_: mime(number))
