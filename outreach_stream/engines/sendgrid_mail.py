"""A mail as the body of SendGrid's mail/send.

Fields and their limits: https://www.twilio.com/docs/sendgrid/api-reference/mail-send/mail-send, .../limitations and
.../errors. "Unicode encoding is not supported for the from field" is taken to mean its address: names go as UTF-8, as
SendGrid's own libraries send them (github.com/sendgrid/sendgrid-python/pull/792).
"""

import re
from email.header import Header
from typing import Any

from outreach_stream.domain.message import File, Mailbox, OutgoingMessage

_RESERVED = frozenset({
    "x-sg-id", "x-sg-eid", "received", "dkim-signature", "content-type", "content-transfer-encoding",
    "to", "from", "subject", "reply-to", "cc", "bcc",
})
"""Headers that may not be set: a mail that tries is refused, so they are left out."""

_CATEGORIES = 10
_CATEGORY_LENGTH = 255
_SEPARATORS = re.compile(r"\s*[;,][\s;,]*")
_UNFIT_IN_FILENAME = re.compile(r"[;,\r\n]+")


def body_of(message: OutgoingMessage, *, sandbox: bool) -> dict[str, Any]:
    """What is posted, before it is written as JSON. One recipient: the answer then speaks of one.

    Tags beyond ten are left out, and so is an empty body beside one that is not.
    """
    mail = message.mail
    to = Mailbox(mail.to.email, _SEPARATORS.sub(" ", mail.to.name).strip())  # "cannot include either the ; or ,"
    body: dict[str, Any] = {
        "personalizations": [{"to": [_mailbox(to)]}],
        "from": _mailbox(mail.sender),
        "subject": mail.subject,
        "content": [{"type": kind, "value": text}  # plain text first
                    for kind, text in (("text/plain", mail.text), ("text/html", mail.html)) if text],
        "headers": _headers(message),
    }
    if mail.reply_to:
        body["reply_to"] = _mailbox(mail.reply_to)
    if mail.files:
        body["attachments"] = [_attachment(file) for file in mail.files]
    if mail.tags:
        body["categories"] = [tag[:_CATEGORY_LENGTH] for tag in dict.fromkeys(mail.tags)][:_CATEGORIES]
    if sandbox:
        body["mail_settings"] = {"sandbox_mode": {"enable": True}}
    return body


def _mailbox(mailbox: Mailbox) -> dict[str, str]:
    return {"email": mailbox.email, "name": mailbox.name} if mailbox.name else {"email": mailbox.email}


def _headers(message: OutgoingMessage) -> dict[str, str]:
    """The mail's own headers; of one that stands there twice the last, since SendGrid refuses it twice."""
    named = {name.lower(): (name, value) for name, value in (("Message-ID", message.message_id), *message.mail.headers)}
    return {name: _encoded(value) for lower, (name, value) in named.items() if lower not in _RESERVED}


def _encoded(value: str) -> str:
    """"You must ensure these are properly encoded if they contain unicode": as encoded words of RFC 2047, in a line."""
    return value if value.isascii() else Header(value, "utf-8", maxlinelen=75).encode(linesep="")


def _attachment(file: File) -> dict[str, str]:
    found = {
        "content": file.base64,
        "type": file.media_type.partition(";")[0].strip(),  # "cannot contain ';', or CRLF characters"
        "filename": _UNFIT_IN_FILENAME.sub("_", file.name),
        "disposition": "attachment",
    }
    return found if file.content_id is None else {**found, "disposition": "inline", "content_id": file.content_id}
