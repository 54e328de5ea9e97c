"""A session past its login: what the server can do, and the wire to it."""

import re
import time
from collections.abc import Sequence
from dataclasses import dataclass

from outreach_stream.domain.message import OutgoingMessage
from outreach_stream.domain.outcomes import MessageRejected, RecipientRejected, Refusal
from outreach_stream.engines.dkim import Signer, signed
from outreach_stream.engines.smtp_wire import SmtpWire

_UNFIT = re.compile(r"[\x00-\x20\x7f<>\ud800-\udfff]")
_LINE_END = re.compile(rb"\r\n|\r|\n")
_UNTIDY = re.compile(rb"\n(?:\.|(?<!\r\n))")


def tidy(content: bytes) -> bool:
    """Whether `content` goes over the wire as it is: each line ends in CRLF, also the last, and none begins with a dot.

    What is found out in one pass; with a line feed behind each carriage return there are as many of both.
    """
    return not _UNTIDY.search(content) and content.count(b"\n") == content.count(b"\r") \
        and content.endswith(b"\r\n") and not content.startswith(b".")


def crlf(content: bytes) -> bytes:
    """`content` with every line ending in CRLF, the last one included.

    A line end that is not CRLF would let a message's text pass for SMTP commands with servers that take it for one
    (CVE-2023-51764), so none is let through.
    """
    if not content.count(b"\n") == content.count(b"\r") == content.count(b"\r\n"):
        content = _LINE_END.sub(b"\r\n", content)
    return content if content.endswith(b"\r\n") or not content else content + b"\r\n"


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

    def content(self, message: OutgoingMessage, signers: Sequence[Signer] = ()) -> tuple[bytes, bool]:
        """The message as this server takes it, signed now, and whether it is `tidy`.

        A signed one is ASCII throughout even where 8-bit text would be taken: the relay's next hop may not take it, and
        whoever writes it anew breaks the signature (RFC 6376 section 5.3).
        """
        content = message.mime(eight_bit=self.eight_bit and not signers, smtputf8=self.smtputf8)
        as_it_is = tidy(content)
        if not as_it_is:
            content = crlf(content)
        return (signed(content, signers, int(time.time())) if signers else content), as_it_is

    def refusal(self, message: OutgoingMessage, content: bytes) -> Refusal | None:
        """Why this server cannot take `message`, known without asking it; None: it can."""
        if _UNFIT.search(message.recipient) or not message.recipient:
            return RecipientRejected("malformed_address")
        if _UNFIT.search(message.sender):
            return MessageRejected("malformed_sender")
        if not self.smtputf8 and _needs_smtputf8(message, content):
            kind = MessageRejected if message.recipient.isascii() else RecipientRejected
            return kind("needs_smtputf8")
        if not content.isascii() and not self.eight_bit:
            return MessageRejected("needs_8bitmime")
        if self.max_size is not None and len(content) > self.max_size:
            return MessageRejected("too_large", f"{len(content)} bytes, the server takes {self.max_size}")
        return None

    def envelope(self, message: OutgoingMessage, content: bytes) -> tuple[bytes, bytes]:
        """The MAIL and RCPT commands."""
        size = f" SIZE={len(content)}" if self.size else ""
        body = " BODY=8BITMIME" if self.eight_bit and not content.isascii() else ""
        utf8 = " SMTPUTF8" if _needs_smtputf8(message, content) else ""
        return (f"MAIL FROM:<{message.sender}>{size}{body}{utf8}\r\n".encode(),
                f"RCPT TO:<{message.recipient}>\r\n".encode())


def _needs_smtputf8(message: OutgoingMessage, content: bytes) -> bool:
    """RFC 6531 section 3.4: what is not ASCII in the envelope, or in the headers."""
    if not (message.sender + message.recipient).isascii():
        return True
    return not content.isascii() and not content[:content.find(b"\r\n\r\n") + 1].isascii()


@dataclass(frozen=True, slots=True)
class Session:
    """One connection, ready for MAIL."""

    wire: SmtpWire
    abilities: Abilities
    signers: tuple[Signer, ...] = ()
    """Who signs what goes over it (DKIM)."""

    def content(self, message: OutgoingMessage) -> tuple[bytes, bool]:
        """The message as it goes over this connection, its dots not stuffed, and whether it is `tidy`.

        Some 0.5 ms with an RSA key.
        """
        return self.abilities.content(message, self.signers)
