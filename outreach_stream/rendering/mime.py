"""Messages spliced from a skeleton made once per run: the standard library needs two milliseconds for each.

The bytes are a message as it is stored, with CRLF line ends. Dots are not doubled here: that belongs to SMTP's DATA
(RFC 5321 section 4.5.2), and so to the engine.
"""

import re
import secrets
from datetime import UTC, datetime
from email.utils import format_datetime
from functools import lru_cache

from outreach_stream.catalog.spec import WorkflowSpec
from outreach_stream.domain.message import Mail, Mailbox
from outreach_stream.rendering.bodies import encode_body
from outreach_stream.rendering.failures import RenderError
from outreach_stream.rendering.headers import mailbox, unstructured
from outreach_stream.rendering.templates import Rendered

_ADDRESS = re.compile(r"[^\s<>()\[\],;:\\\"@\x00-\x20\x7f]+@[^\s<>()\[\],;:\\\"@\x00-\x20\x7f]+")
_URL = re.compile(r"https://[!-;=?-~]{1,900}")
_TO, _SUBJECT = len("To: "), len("Subject: ")


class MessageSkeleton:
    """What all messages of a run have in common; `mail` adds one recipient's part, `write` puts both on the wire."""

    def __init__(self, sender: Mailbox, reply_to: Mailbox | None = None, *, boundary: str | None = None) -> None:
        """`boundary` is for tests; by default it cannot be guessed, so no text can contain it on purpose."""
        # "=_" occurs neither in quoted-printable nor in base64 (RFC 2045 section 6.7).
        self._boundary = (boundary or f"=_{secrets.token_hex(16)}").encode()
        self._sender, self._reply_to = sender, reply_to
        head = [f"From: {mailbox(sender.email, sender.name, before=len('From: '))}"]
        if reply_to is not None:
            head.append(f"Reply-To: {mailbox(reply_to.email, reply_to.name, before=len('Reply-To: '))}")
        self._head = "\r\n".join([*head, "MIME-Version: 1.0", ""])

    def mail(self, to: Mailbox, rendered: Rendered) -> Mail:
        """One recipient's mail; raises `RenderError` for what cannot stand in a message."""
        if not _ADDRESS.fullmatch(to.email):
            raise RenderError("to", "the address cannot stand in a header")
        if rendered.text is None and rendered.html is None:
            raise RenderError("body", "there is neither text nor html")
        return Mail(self._sender, to, rendered.subject, rendered.text, rendered.html, self._reply_to,
                    headers=_unsubscribe(rendered.unsubscribe) if rendered.unsubscribe else ())

    def write(self, mail: Mail, *, message_id: str, second: int, eight_bit: bool = False,
              smtputf8: bool = False) -> bytes:  # noqa: ARG002 - an address that needs it is UTF-8 as it stands
        """The whole message of a mail that `mail` made; see `outreach_stream.domain.message.OutgoingMessage.mime`.

        `message_id` comes with its angle brackets; `second` is when it is dated, since the epoch.
        """
        head = (
            f"Date: {_date(second)}\r\n"
            f"{self._head}"
            f"To: {mailbox(mail.to.email, mail.to.name, before=_TO)}\r\n"
            f"Subject: {unstructured(mail.subject, before=_SUBJECT)}\r\n"
            f"Message-ID: {message_id}\r\n"
            + "".join([f"{name}: {value}\r\n" for name, value in mail.headers])
        ).encode()
        return head + self._content(mail, eight_bit=eight_bit)

    def _content(self, mail: Mail, *, eight_bit: bool) -> bytes:
        parts = [
            encode_body(kind, body, eight_bit=eight_bit)
            for kind, body in ((b"plain", mail.text), (b"html", mail.html)) if body is not None
        ]
        if len(parts) == 1:
            return parts[0]
        boundary = self._boundary
        while any(boundary in part for part in parts):
            boundary = b"=_" + secrets.token_hex(16).encode()
        return (b'Content-Type: multipart/alternative; boundary="%b"\r\n\r\n--%b\r\n%b\r\n--%b\r\n%b\r\n--%b--\r\n'
                % (boundary, boundary, parts[0], boundary, parts[1], boundary))


def skeleton_of(spec: WorkflowSpec) -> MessageSkeleton:
    """The skeleton of a frozen workflow's messages."""
    sender, reply_to = spec.workflow.sender, spec.workflow.reply_to
    return MessageSkeleton(Mailbox(sender.email, sender.name),
                           Mailbox(reply_to.email, reply_to.name) if reply_to else None)


@lru_cache(maxsize=64)
def _date(second: int) -> str:
    return format_datetime(datetime.fromtimestamp(second, UTC))


def _unsubscribe(url: str) -> tuple[tuple[str, str], ...]:
    """Both headers of RFC 8058; a mail program may then unsubscribe with one POST."""
    if not _URL.fullmatch(url):
        raise RenderError("list_unsubscribe", "must become an https:// address of at most 900 ASCII characters")
    return ("List-Unsubscribe", f"<{url}>"), ("List-Unsubscribe-Post", "List-Unsubscribe=One-Click")
