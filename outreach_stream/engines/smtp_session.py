"""A session past its login: what the server can do, and the wire to it."""

import re
from dataclasses import dataclass

from outreach_stream.domain.message import OutgoingMessage
from outreach_stream.domain.outcomes import MessageRejected, RecipientRejected, Refusal
from outreach_stream.engines.smtp_wire import SmtpWire

_UNFIT = re.compile(r"[\x00-\x20\x7f<>\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Abilities:
    """What the server offered in its answer to EHLO."""

    pipelining: bool = False
    """RFC 2920: commands may go together, replies come in order."""
    eight_bit: bool = False
    """8BITMIME, RFC 6152."""
    smtputf8: bool = False
    """RFC 6531."""
    max_size: int | None = None
    """Bytes (SIZE, RFC 1870); None: no limit told."""
    size: bool = False
    """The server wants to hear sizes."""

    def content(self, message: OutgoingMessage) -> bytes:
        """The message as this server takes it."""
        return message.mime(eight_bit=self.eight_bit, smtputf8=self.smtputf8)

    def refusal(self, message: OutgoingMessage, content: bytes) -> Refusal | None:
        """Why this server cannot take `message`, known without asking it; None: it can."""
        if _UNFIT.search(message.recipient) or not message.recipient:
            return RecipientRejected("malformed_address")
        if _UNFIT.search(message.sender):
            return MessageRejected("malformed_sender")
        if not message.recipient.isascii() and not self.smtputf8:
            return RecipientRejected("needs_smtputf8")
        if not content.isascii() and not self.eight_bit:
            return MessageRejected("needs_8bitmime")
        if self.max_size is not None and len(content) > self.max_size:
            return MessageRejected("too_large", f"{len(content)} bytes, the server takes {self.max_size}")
        return None

    def envelope(self, message: OutgoingMessage, content: bytes) -> tuple[bytes, bytes]:
        """The MAIL and RCPT commands."""
        size = f" SIZE={len(content)}" if self.size else ""
        body = " BODY=8BITMIME" if self.eight_bit and not content.isascii() else ""
        utf8 = " SMTPUTF8" if not (message.recipient + message.sender).isascii() else ""
        return (f"MAIL FROM:<{message.sender}>{size}{body}{utf8}\r\n".encode(),
                f"RCPT TO:<{message.recipient}>\r\n".encode())


@dataclass(frozen=True, slots=True)
class Session:
    """One connection, ready for MAIL."""

    wire: SmtpWire
    abilities: Abilities
