"""What `POST /v3/mail/send` takes, as Twilio SendGrid describes it.

The fields and their limits are those of the OpenAPI description (github.com/twilio/sendgrid-oai, spec/yaml/
tsg_mail_v3.yaml, 2026-01-22), the messages those of https://www.twilio.com/docs/sendgrid/api-reference/mail-send/errors
where that page has one; what neither has is from .../mail-send/limitations. Fields that no mail of this project uses
(templates, schedules, pools) are not known here: they are refused like misspelt ones.
"""

import base64
import binascii
import re
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from outreach_stream.inbox.providers.addresses import valid

_RESERVED = frozenset({"x-sg-id", "x-sg-eid", "received", "dkim-signature", "content-type", "content-transfer-encoding",
                       "to", "from", "subject", "reply-to", "cc", "bcc"})
"""Headers that may not be overridden."""
_HEADER = re.compile(r"[!-9;-~]+")


def _address(text: str) -> str:
    if not valid(text):
        raise ValueError("Does not contain a valid address.")
    return text


def _one_line(text: str) -> str:
    if "\n" in text or "\r" in text:
        raise ValueError("Contains CR/LF characters.")
    return text


def _ascii(text: str) -> str:
    if not text.isascii():
        raise ValueError("Unicode encoding is not supported for the from field.")
    return text


def _recipients_name(text: str) -> str:
    if re.search(r"[,;]", text):
        raise ValueError("The name of a recipient cannot include either the ; or , characters.")
    return text


def _base64(text: str) -> str:
    try:
        base64.b64decode(text, validate=True)
    except binascii.Error:
        raise ValueError("The attachment content must be base64 encoded.") from None
    return text


def _headers(headers: dict[str, str]) -> dict[str, str]:
    for name, value in headers.items():
        if name.lower() in _RESERVED:
            raise ValueError(f"You've specified a header that is reserved: {name}.")
        if not _HEADER.fullmatch(name):
            raise ValueError(f"The header name {name!r} is not valid.")
        _one_line(value)
        if not value.isascii():  # "You must ensure these are properly encoded if they contain unicode characters"
            raise ValueError("Header values must be ASCII: encode them (RFC 2047).")
    return headers


def _small(arguments: dict[str, str]) -> dict[str, str]:
    if sum(len((name + value).encode()) for name, value in arguments.items()) >= 10_000:  # noqa: PLR2004 - documented
        raise ValueError("Custom arguments may not exceed 10,000 bytes.")
    return arguments


Text = Annotated[str, Field(min_length=1), AfterValidator(_one_line)]
Headers = Annotated[dict[str, str], AfterValidator(_headers)]
Arguments = Annotated[dict[str, str], AfterValidator(_small)]


class Known(BaseModel):
    """Fields that are not described are refused; nothing is converted."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class Address(Known):
    """A mailbox."""

    email: Annotated[str, AfterValidator(_address)]
    name: Annotated[str, AfterValidator(_one_line)] | None = None


class Sender(Address):
    """Whom it is from."""

    email: Annotated[str, AfterValidator(_address), AfterValidator(_ascii)]


class Recipient(Address):
    """Whom it is for."""

    name: Annotated[str, AfterValidator(_one_line), AfterValidator(_recipients_name)] | None = None


class Personalization(Known):
    """An envelope."""

    to: Annotated[list[Recipient], Field(min_length=1)]
    cc: list[Recipient] = []
    bcc: list[Recipient] = []
    subject: Text | None = None
    headers: Headers = {}
    custom_args: Arguments = {}

    @model_validator(mode="after")
    def _each_once(self) -> Self:
        emails = [each.email.lower() for each in (*self.to, *self.cc, *self.bcc)]
        if len(set(emails)) != len(emails):
            raise ValueError("Each email address in the personalization block should be unique between to, cc, and "
                             "bcc.")
        return self


class Content(Known):
    """A body."""

    type: Annotated[str, Field(min_length=1)]
    value: Annotated[str, Field(min_length=1)]

    @field_validator("type")
    @classmethod
    def _plain(cls, text: str) -> str:
        if re.search(r"[;\r\n]", text):
            raise ValueError("The content type cannot contain ';', or CRLF characters.")
        return text


class Attachment(Known):
    """A file."""

    content: Annotated[str, Field(min_length=1), AfterValidator(_base64)]
    filename: Text
    type: Annotated[str, Field(min_length=1, pattern=r"^[^;\r\n]+$")] | None = None
    disposition: Literal["inline", "attachment"] = "attachment"
    content_id: Text | None = None


class Switch(Known):
    """A setting that is on or off."""

    enable: bool
    enable_text: bool | None = None


class MailSettings(Known):
    """How the mail is handled."""

    sandbox_mode: Switch | None = None


class TrackingSettings(Known):
    """What readers do is watched, or not."""

    click_tracking: Switch | None = None
    open_tracking: Switch | None = None
    subscription_tracking: Switch | None = None


class MailSend(Known):
    """The whole request."""

    personalizations: Annotated[list[Personalization], Field(min_length=1, max_length=1_000)]
    from_: Annotated[Sender, Field(alias="from")]
    reply_to: Address | None = None
    reply_to_list: Annotated[list[Address], Field(max_length=1_000)] | None = None
    subject: Text | None = None
    content: Annotated[list[Content], Field(min_length=1)]
    attachments: list[Attachment] = []
    headers: Headers = {}
    categories: Annotated[list[Annotated[str, Field(min_length=1, max_length=255)]], Field(max_length=10)] = []
    custom_args: Arguments = {}
    mail_settings: MailSettings | None = None
    tracking_settings: TrackingSettings | None = None

    @field_validator("content")
    @classmethod
    def _plain_first(cls, content: list[Content]) -> list[Content]:
        order = [{"text/plain": 0, "text/html": 1}.get(each.type, 2) for each in content]
        if order != sorted(order):
            raise ValueError("If present, text/plain and text/html may only be provided once, and text/plain must be "
                             "first, followed by text/html, followed by any other content.")
        return content

    @field_validator("categories")
    @classmethod
    def _once(cls, categories: list[str]) -> list[str]:
        if len(set(categories)) != len(categories):
            raise ValueError("You cannot have any duplicate categories.")
        return categories

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if self.reply_to and self.reply_to_list:
            raise ValueError("You can use either the reply_to property or reply_to_list property but not both.")
        if not self.subject and not all(each.subject for each in self.personalizations):
            raise ValueError("The subject is required. You can get around this requirement if you use a template with "
                             "a subject defined or if every personalization has a subject defined.")
        return self


def problem(error: ValidationError) -> tuple[str, str | None]:
    """The first thing that is wrong, in SendGrid's words, and its field."""
    first = error.errors()[0]
    field = ".".join(map(str, first["loc"])).replace("from_", "from") or None
    if first["type"] == "extra_forbidden":
        return f"Additional property {first['loc'][-1]} is not allowed", field
    return first["msg"].removeprefix("Value error, "), field
