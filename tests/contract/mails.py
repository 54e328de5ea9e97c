"""Mails, and what becomes of them."""

from outreach_stream.domain.message import OutgoingMessage
from outreach_stream.domain.outcomes import Failure, Outcome
from outreach_stream.domain.ports import Connection, Engine
from tests.messages import raw

LINE = b"x" * 70 + b"\r\n"


def mail(name: str, size: int = 0) -> OutgoingMessage:
    """For somebody of this name, of about `size` bytes, in lines as long as a mail may have them."""
    recipient, body = f"{name}@r.example", b".Hello\r\n" + LINE * (size // len(LINE))
    head = f"From: news@s.example\r\nTo: {recipient}\r\nSubject: Hi\r\nMessage-ID: <m@s.example>\r\n\r\n"
    return raw("<m@s.example>", "news@s.example", recipient, head.encode() + body, text=body.decode())


async def acquired(engine: Engine) -> Connection:
    connection = await engine.acquire()
    assert not isinstance(connection, Failure), connection
    return connection


async def attempt(engine: Engine, message: OutgoingMessage) -> tuple[Outcome, bool]:
    """The outcome, and whether the message was handed over."""
    connection = await engine.acquire()
    if isinstance(connection, Failure):
        return connection, False
    try:
        return await connection.hand_over(message), connection.handed_over
    finally:
        engine.release(connection)
