"""What Mailgun's `messages` and `messages.mime` take.

https://documentation.mailgun.com/docs/mailgun/api-reference/send/mailgun/messages. Fields that the page does not have
are refused, so that a misspelt option is not lost in silence.
"""

import re
from collections.abc import Iterable

from outreach_stream.inbox.providers.addresses import bare, mailboxes, valid
from outreach_stream.inbox.providers.forms import Field, MalformedForm
from outreach_stream.inbox.providers.provider import Letter
from outreach_stream.inbox.providers.written import Part, mailbox, written

_PLAIN = frozenset({"from", "to", "cc", "bcc", "subject", "text", "html", "amp-html", "attachment", "inline", "message",
                    "template", "recipient-variables"})
_YES_NO = frozenset({"yes", "no", "true", "false"})
_OPTIONS = {
    "o:testmode": _YES_NO, "o:dkim": _YES_NO, "o:tracking": _YES_NO | {"htmlonly"}, "o:tracking-opens": _YES_NO,
    "o:tracking-clicks": _YES_NO | {"htmlonly"}, "o:require-tls": _YES_NO, "o:skip-verification": _YES_NO,
    "o:tag": None, "o:deliverytime": None, "o:tracking-pixel-location-top": _YES_NO | {"htmlonly"},
}
"""Sending options, and what they may be; None: any text."""
_OPTIONS_LIMIT, _TAG_LENGTH, _TAGS = 16 * 1024, 128, 10
"""Bytes of all options; characters of a tag; tags of a message: "Send options are limited to 16KB total"."""


class Form:
    """The fields of one message."""

    def __init__(self, given: list[Field]) -> None:
        self._all = given

    def every(self, name: str) -> list[Field]:
        """Those of this name."""
        return [field for field in self._all if field.name == name]

    def text(self, name: str) -> str:
        """The first of this name; empty if there is none."""
        return next((field.text for field in self._all if field.name == name), "")

    def check(self, *, mime: bool, multipart: bool) -> None:
        """Raises `MalformedForm`, with Mailgun's words where they are known."""
        for field in self._all:
            _check_name(field)
        self._check_options()
        self._check_addresses(("to",) if mime else ("from", "to"))
        message = self.every("message")
        if mime:
            if not multipart or len(message) != 1 or message[0].filename is None:
                raise MalformedForm("'message' parameter is missing or is not a file")
        elif not (self.text("text") or self.text("html")):
            raise MalformedForm("Need at least one of 'text', 'html', 'amp-html' or 'template' parameters specified")

    def _check_options(self) -> None:
        options = [field for field in self._all if field.name[:2] in {"o:", "h:", "v:", "t:"}]
        if sum(len(field.name) + len(field.content) for field in options) > _OPTIONS_LIMIT:
            raise MalformedForm("Send options (parameters starting with o:, h:, v:, or t:) are limited to 16KB total")
        if len(self.every("o:tag")) > _TAGS:
            raise MalformedForm(f"'o:tag' parameter: no more than {_TAGS} tags")

    def _check_addresses(self, required: Iterable[str]) -> None:
        for name in required:
            if not self.text(name):
                raise MalformedForm(f"'{name}' parameter is missing")
        for name in ("from", "to", "cc", "bcc"):
            if self.every(name) and not all(map(valid, self.addresses(name) or [""])):
                raise MalformedForm(f"'{name}' parameter is not a valid address. please check documentation")

    def addresses(self, name: str) -> list[str]:
        """The bare addresses of a field."""
        return bare(field.text for field in self.every(name))

    def letter(self, now: float) -> Letter:
        """The mail; `cc` and `bcc` are recipients too."""
        to = [*self.addresses("to"), *self.addresses("cc"), *self.addresses("bcc")]
        message = self.every("message")
        content = message[0].content if message else self._written(now)
        sender = (self.addresses("from") or _sender(content))[0]
        return Letter(sender, tuple(to), content, rehearsal=self.text("o:testmode") in {"yes", "true"},
                      facts={"form": self._all})

    def _written(self, now: float) -> bytes:
        headers = [(name.title(), ", ".join(mailbox(email, shown) for shown, email in
                                          mailboxes(field.text for field in self.every(name))))
                   for name in ("from", "to", "cc") if self.text(name)]
        headers.append(("Subject", self.text("subject")))
        headers += [(field.name[2:], field.text) for field in self._all if field.name.startswith("h:")]
        bodies = [Part(f"text/{kind}", self.text(name).encode()) for name, kind in (("text", "plain"), ("html", "html"))
                  if self.text(name)]
        files = [Part(field.media_type or "application/octet-stream", field.content, field.filename,
                      field.filename if field.name == "inline" else None)
                 for field in self._all if field.name in {"attachment", "inline"}]
        return written(headers, bodies, files, now)


def _check_name(field: Field) -> None:
    if field.name in _OPTIONS:
        allowed = _OPTIONS[field.name]
        if allowed is not None and field.text not in allowed:
            raise MalformedForm(f"'{field.name}' parameter is not one of {', '.join(sorted(allowed))}")
        if field.name == "o:tag" and not (field.text.isascii() and 0 < len(field.text) <= _TAG_LENGTH):
            raise MalformedForm("'o:tag' parameter: up to 128 ASCII characters")
    elif field.name not in _PLAIN and field.name[:2] not in {"h:", "v:", "t:"}:
        raise MalformedForm(f"'{field.name}' parameter is not known")
    if field.name in {"attachment", "inline"} and not field.filename:
        raise MalformedForm(f"'{field.name}' parameter is not a file")


def _sender(content: bytes) -> list[str]:
    """The address in the From header of a MIME message; raises `MalformedForm`."""
    head = content.replace(b"\r\n", b"\n").partition(b"\n\n")[0]
    found = re.search(rb"^from:([^\n]*(?:\n[ \t][^\n]*)*)", head, re.IGNORECASE | re.MULTILINE)
    sender = bare([found[1].decode("utf-8", "replace").strip()]) if found else []
    if not sender:
        raise MalformedForm("'from' parameter is missing")
    return sender
