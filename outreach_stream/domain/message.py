"""One mail as engines get it: what a reader sees, for providers that write the message, and the message itself."""

from base64 import b64encode
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple, Protocol


class Mailbox(NamedTuple):
    """An address and the name shown with it."""

    email: str
    name: str = ""


@dataclass(frozen=True)
class File:
    """An attachment, or an image that the HTML shows."""

    name: str
    """What the reader's program saves it as."""
    media_type: str
    """`application/pdf`."""
    content: bytes
    content_id: str | None = None
    """What the HTML calls it (`cid:…`), without angle brackets; None: it is attached."""

    @cached_property
    def base64(self) -> str:
        """The content in base64, in one line. Made once for all mails that carry the file."""
        return b64encode(self.content).decode()


@dataclass(slots=True, unsafe_hash=True)
class Mail:
    """What the reader sees, and what travels with it. Names, subject and header values are one line each.

    Nobody changes one: it is not frozen only because that would make each three times as costly.

    None of them is encoded: they hold what the reader sees, in any script. Who needs ASCII encodes (RFC 2047).
    """

    sender: Mailbox
    to: Mailbox
    subject: str
    text: str | None = None
    html: str | None = None
    """At least one of the two bodies is there."""
    reply_to: Mailbox | None = None
    headers: tuple[tuple[str, str], ...] = ()
    """Those beside From, To, Reply-To, Subject, Date and Message-ID: Feedback-ID, the workflow's, List-Unsubscribe with
    its -Post. At most 13, of ASCII names up to 50 and values up to 870 characters; only the workflow's values may hold
    what is not ASCII."""
    files: tuple[File, ...] = ()
    tags: tuple[str, ...] = ()
    """What the provider's statistics count it under; letters, digits, `_` and `-`."""


class Writer(Protocol):
    """Writes the MIME message of one mail."""

    def __call__(self, *, eight_bit: bool, smtputf8: bool) -> bytes:
        """The whole message; see `OutgoingMessage.mime`."""


@dataclass(slots=True, unsafe_hash=True)
class OutgoingMessage:
    """One rendered mail for one recipient, ready to be handed over. Like its `mail`, it is never changed."""

    message_id: str
    """The Message-ID header's value, the same on every attempt."""
    sender: str
    """Envelope sender: the bare address that bounces go to."""
    recipient: str
    """Envelope recipient: one bare address."""
    mail: Mail
    write: Writer

    def mime(self, *, eight_bit: bool = False, smtputf8: bool = False) -> bytes:
        """The whole MIME message, its lines ending in CRLF, dots not yet stuffed. Pure, raises nothing.

        `eight_bit`: whoever takes it takes 8-bit bodies (RFC 6152); otherwise it is ASCII throughout.
        `smtputf8`: headers may be UTF-8 (RFC 6531); needed exactly by addresses that are not ASCII.
        """
        return self.write(eight_bit=eight_bit, smtputf8=smtputf8)
