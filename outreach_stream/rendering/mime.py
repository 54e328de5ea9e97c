"""Messages spliced from a skeleton made once per run: the standard library needs two milliseconds for each.

The bytes are a message as it is stored, with CRLF line ends. Dots are not doubled here: that belongs to SMTP's DATA
(RFC 5321 section 4.5.2), and so to the engine.
"""

import re
import secrets
from collections.abc import Sequence
from datetime import UTC, datetime
from email.utils import format_datetime
from functools import lru_cache

from outreach_stream.catalog.spec import WorkflowSpec
from outreach_stream.domain.message import File, Mail, Mailbox
from outreach_stream.rendering.bodies import encode_body
from outreach_stream.rendering.failures import RenderError
from outreach_stream.rendering.files import Surroundings
from outreach_stream.rendering.headers import extension, mailbox, one_line, unstructured
from outreach_stream.rendering.templates import Rendered

_UNFIT = r"\s<>()\[\],;:\\\"@\x00-\x20\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ud800-\udfff"
_ADDRESS = re.compile(f"[^{_UNFIT}]+@[^{_UNFIT}]+")
_URL = re.compile(r"(?:https://|http://(?:localhost|127\.|\[::1\]))[!-;=?-~]{1,860}")
"""ASCII without angle brackets, which end it; as long as SES takes, with both. One to this machine need not be https:
it is for trying things out."""

_WORD = "=?"
"""What begins an encoded word, and so cannot stand in an address."""

_ONE_CLICK = ("List-Unsubscribe-Post", "List-Unsubscribe=One-Click")

_TO, _SUBJECT = len("To: "), len("Subject: ")


class MessageSkeleton:
    """What all messages of a run have in common; `mail` adds one recipient's part, `write` puts both on the wire."""

    def __init__(
        self, sender: Mailbox, reply_to: Mailbox | None = None, *, headers: Sequence[tuple[str, str]] = (),
        files: Sequence[File] = (), tags: Sequence[str] = (), boundary: str | None = None,
    ) -> None:
        """`headers`: those that all have alike, as in `Mail`.

        `boundary` is for tests; by default it cannot be guessed.
        """
        self._boundary = f"=_{boundary or secrets.token_hex(12)}"
        between = self._boundary.encode()
        self._opens = b'Content-Type: multipart/alternative; boundary="%b"\r\n\r\n--%b\r\n' % (between, between)
        self._parts, self._closes = b"\r\n--%b\r\n" % between, b"\r\n--%b--\r\n" % between
        self._sender, self._reply_to = _tidy(sender), _tidy(reply_to) if reply_to else None
        self._headers, self._files, self._tags = tuple(headers), tuple(files), tuple(tags)
        self._surroundings = Surroundings(files, between) if files else None
        head = [f"{name}: {mailbox(it.email, it.name, before=len(name) + 2)}"
                for name, it in (("From", self._sender), ("Reply-To", self._reply_to)) if it]
        self._head = "\r\n".join([*head, "MIME-Version: 1.0", ""])
        self._lines = {header: extension(*header) for header in (*self._headers, _ONE_CLICK)}

    def mail(self, to: Mailbox, rendered: Rendered) -> Mail:
        """One recipient's mail; raises `RenderError` for what cannot stand in a message."""
        if not _ADDRESS.fullmatch(to.email):
            raise RenderError("to", "the address cannot stand in a header")
        if rendered.text is None and rendered.html is None:
            raise RenderError("body", "there is neither text nor html")
        unsubscribe = _unsubscribe(rendered.unsubscribe) if rendered.unsubscribe else ()
        headers = (*self._headers, *rendered.headers, *unsubscribe)
        return Mail(self._sender, _tidy(to), rendered.subject, rendered.text, rendered.html,
                    self._reply_to, headers, self._files, self._tags)

    def write(self, mail: Mail, *, message_id: str, second: int, eight_bit: bool = False,
              smtputf8: bool = False) -> bytes:  # noqa: ARG002 - an address that needs it is UTF-8 as it stands
        """The whole message of a mail that `mail` made; see `outreach_stream.domain.message.OutgoingMessage.mime`.

        `message_id` comes with its angle brackets; `second` is when it is dated, since the epoch.
        """
        to = mail.to
        head = (
            f"Date: {_date(second)}\r\n"
            f"{self._head}"
            f"To: {mailbox(to.email, to.name, before=_TO)}\r\n"
            f"Subject: {unstructured(mail.subject, before=_SUBJECT)}\r\n"
            f"Message-ID: {message_id}\r\n"
            f"{"".join([self._lines.get(header) or extension(*header) for header in mail.headers])}"
        ).encode()
        return b"".join([head, *self._content(mail, eight_bit=eight_bit)])

    def _content(self, mail: Mail, *, eight_bit: bool) -> Sequence[bytes]:
        parts = [encode_body(subtype, body, eight_bit=eight_bit, without=self._boundary)
                 for subtype, body in (("plain", mail.text), ("html", mail.html)) if body is not None]
        if len(parts) == 1:
            kind, content = b"text/plain" if mail.html is None else b"text/html", [*parts[0]]
        else:
            kind, content = b"multipart/alternative", [self._opens, *parts[0], self._parts, *parts[1], self._closes]
        return [self._surroundings.around(kind, b"".join(content))] if self._surroundings else content


def skeleton_of(spec: WorkflowSpec) -> MessageSkeleton:
    """The skeleton of a frozen workflow's messages."""
    workflow, template, reply_to = spec.workflow, spec.template, spec.workflow.reply_to
    return MessageSkeleton(
        Mailbox(workflow.sender.email, workflow.sender.name),
        Mailbox(reply_to.email, reply_to.name) if reply_to else None,
        headers=[("Feedback-ID", workflow.feedback_id)] if workflow.feedback_id else (),
        files=[
            *(File(it.name, it.type, it.content, content_id) for content_id, it in template.images.items()),
            *(File(it.name, it.type, it.content) for it in template.attachments),
        ],
        tags=workflow.tags,
    )


def _tidy(who: Mailbox) -> Mailbox:
    name = one_line(who.name)
    return who if name == who.name else Mailbox(who.email, name)


@lru_cache(maxsize=64)
def _date(second: int) -> str:
    return format_datetime(datetime.fromtimestamp(second, UTC))


def _unsubscribe(url: str) -> tuple[tuple[str, str], ...]:
    """Both headers of RFC 8058; a mail program may then unsubscribe with one POST."""
    if _WORD in url or not _URL.fullmatch(url):
        raise RenderError("list_unsubscribe", "must become an https:// address of at most 860 ASCII characters")
    return ("List-Unsubscribe", f"<{url}>"), _ONE_CLICK
