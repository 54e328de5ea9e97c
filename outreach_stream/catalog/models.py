"""What a catalog holds beside engines: workflows and templates, strict and frozen."""

import re
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field, JsonValue, ValidationInfo

from outreach_stream.catalog.attached import LARGEST_FILES, Attachment
from outreach_stream.catalog.beside import Beside
from outreach_stream.catalog.headers import FeedbackId, Headers, Tags
from outreach_stream.catalog.timing import Timing
from outreach_stream.domain.policy import WhenInDoubt, WhenStopped
from outreach_stream.rules import Ruled, rule
from outreach_stream.values import Address, Duration, Identifier, Line, Strict

_RESERVED = frozenset({"email", "name"})

URL_VARIABLE = "unsubscribe_url"
"""The template's variable that holds the recipient's link, where a workflow says `unsubscribe`."""

_PARAMETER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def _check_database(url: str) -> str:
    if re.fullmatch(r"env:[A-Za-z_][A-Za-z0-9_]*", url) or re.fullmatch(r"sqlite:///.+", url):
        return url
    if not url.startswith(("postgresql://", "postgres://")):
        raise ValueError('must be "sqlite:///people.db", "postgresql://host/database" or "env:NAME"')
    authority = url.split("://", 1)[1].split("/", 1)[0]
    if ":" in authority.rpartition("@")[0] or "password=" in url:
        raise ValueError('must not hold a password: keep the URL in a variable and write "env:NAME"')
    return url


def _check_unsubscribe(url: str) -> str:
    # RFC 8058 section 3.1: one-click needs an https address, enough in itself to tell the recipient.
    literal = re.sub(r"\{\{.*?\}\}", "", url)
    if not literal.startswith("https://") or any(char in literal for char in "<> ,\r\n"):
        raise ValueError("must be an https:// address without spaces, commas or angle brackets")
    if literal == url:
        raise ValueError("must say who is to be unsubscribed: write for example https://…/{{ unsubscribe_token }}")
    return url


def _mailbox(value: object) -> object:
    return {"email": value} if isinstance(value, str) else value


def _parameter(value: object) -> object:
    return value if isinstance(value, dict | Parameter) else {"default": value}


class Mailbox(Strict):
    """An address with an optional display name; a file may give the bare address."""

    email: Address
    name: Line = ""


class Parameter(Ruled):
    """A value a trigger may give. `{required: true}`: it must; anything else is its default."""

    default: JsonValue = None
    required: bool = False

    @rule("required")
    def _one_of_both(self) -> str | None:
        both = self.required and self.default is not None
        return "a required parameter has no default: drop one of the two" if both else None


class RecipientQuery(Strict):
    """Who gets the mail: one read-only SQL statement with columns `email`, `name` and template variables."""

    database: Annotated[str, AfterValidator(_check_database)]
    """`sqlite:///people.db` (relative to the catalog), `postgresql://…` without a password, or `env:NAME`."""
    query: str = Field(min_length=1)
    """SQL with bind parameters only: `:name`, filled from the trigger's parameters."""
    timeout: Duration = "5m"  # type: ignore[assignment]
    """Seconds the query may take, from its start to its last row."""


class Suppression(Ruled):
    """Addresses that never get mail: a query on the recipients' database (first column), or a file."""

    query: str | None = None
    file: str | None = None
    """One address a line, relative to the catalog; blank lines and lines starting with `#` are ignored."""

    @rule()
    def _exactly_one(self) -> str | None:
        return "give either query or file" if (self.query is None) == (self.file is None) else None


class RetryRule(Ruled):
    """How long a recipient is tried again after passing refusals; see `domain.policy.Retry`."""

    attempts: int = Field(default=16, ge=1, le=100)
    within: Duration = "12h"  # type: ignore[assignment]
    first: Duration = "30s"  # type: ignore[assignment]
    longest: Duration = "1h"  # type: ignore[assignment]

    @rule("within", "first")
    def _there_is_a_retry(self) -> str | None:
        over = self.within < self.first / 10
        return "within is over before the first retry: write a longer within, or a shorter first" if over else None

    @rule("first", "longest")
    def _backoff_grows(self) -> str | None:
        shrinks = self.first > self.longest
        return "first is longer than longest: write a shorter first, or a longer longest" if shrinks else None


class Workflow(Timing):
    """Who gets which mail, from whom, through which engines, and by when."""

    id: Identifier
    name: Line = ""
    version: Identifier = "1"
    template: Identifier
    engines: tuple[Identifier, ...] = Field(min_length=1)
    """The first is the primary; the others may take over what it certainly did not send."""
    sender: Annotated[Mailbox, BeforeValidator(_mailbox, json_schema_input_type=str | Mailbox)] = Field(alias="from")
    reply_to: Annotated[Mailbox, BeforeValidator(_mailbox, json_schema_input_type=str | Mailbox)] | None = None
    recipients: RecipientQuery | None = None
    """None: the recipients come with the trigger."""
    parameters: dict[str, Annotated[
        Parameter, BeforeValidator(_parameter, json_schema_input_type=JsonValue)]] = Field(default={})
    weight: float = Field(default=1.0, gt=0, le=100)
    """Share of the engine beside other runs."""
    retry: RetryRule = RetryRule()
    in_doubt: WhenInDoubt | None = None
    """A mail that may have been sent when a worker died: `resend` it, labelled, or `hold` it for a person.
    None: bulk is mailed again, express is held."""
    on_engine_stopped: WhenStopped = "wait"
    """What those get whose engine has stopped: wait for it, fail, or go to the next of `engines`."""
    suppression: Suppression | None = None
    list_unsubscribe: Annotated[str, AfterValidator(_check_unsubscribe)] | None = None
    """https URL, a template with the recipient's variables: the List-Unsubscribe headers of RFC 8058."""
    unsubscribe: Identifier | None = None
    """Name of the list by which recipients leave: its headers, its link and its suppression are ours."""
    headers: Headers = Field(default={})
    """Further headers by name. Templates with the recipient's variables; one that comes out empty is left out."""
    feedback_id: FeedbackId | None = None
    """Gmail's Feedback-ID, `a:b:c:sender`: complaints are counted by each of its fields."""
    tags: Tags = ()
    """What the provider's statistics count the mails under. No header: a plain relay is not told."""

    @rule("parameters")
    def _parameters_fit(self) -> str | None:
        for name in self.parameters:
            if not _PARAMETER.fullmatch(name):
                return f"parameter {name!r} must be a plain name: letters, digits and underscores"
            if name in _RESERVED:
                return f"parameter {name!r} is taken by the recipient: choose another name"
        return None

    @rule("engines")
    def _engines_differ(self) -> str | None:
        return "engines are named twice: name each once" if len(set(self.engines)) < len(self.engines) else None

    @rule("engines", "on_engine_stopped")
    def _failover_leads_somewhere(self) -> str | None:
        nowhere = self.on_engine_stopped == "failover" and len(self.engines) == 1
        return "on_engine_stopped is failover, but engines names only one: add another" if nowhere else None

    @rule("unsubscribe", at="unsubscribe")
    def _unsubscribed_one_way(self) -> str | None:
        both = self.unsubscribe is not None and self.list_unsubscribe is not None
        return "a mail has one List-Unsubscribe: give either unsubscribe or list_unsubscribe" if both else None

    @rule("unsubscribe", "parameters", at="parameters")
    def _link_is_no_parameter(self) -> str | None:
        taken = self.unsubscribe is not None and URL_VARIABLE in self.parameters
        return f"{URL_VARIABLE} is the recipient's link here, by unsubscribe: choose another name" if taken else None

    @rule("suppression")
    def _suppression_has_a_database(self) -> str | None:
        lacking = self.suppression and self.suppression.query and self.recipients is None
        return "a suppression query needs recipients.database: use suppression.file" if lacking else None


HTML_ONLY = "none"
"""A template's text that says: there shall be none."""

_SHOWN = re.compile(r"""["'(=]\s*cid:([^"'\s)>]*)""", re.IGNORECASE)
"""An image by its content id, in an attribute or a style; one that is computed has a brace in it, or is nothing yet."""


def _check_content_id(name: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._+@-]{0,63}", name):
        raise ValueError("must be a plain name, as it stands after cid: in the html: letters, digits, dots, hyphens")
    return name


def _body(value: object, info: ValidationInfo) -> object:
    return info.context.body(value) if isinstance(info.context, Beside) else value


class Template(Ruled):
    """What the reader of a mail sees: Jinja2 sources of the subject and of at least one body, and files."""

    id: Identifier
    version: Identifier = "1"
    subject: str = Field(min_length=1)
    html: Annotated[str | None, BeforeValidator(_body)] = None
    text: Annotated[str | None, BeforeValidator(_body)] = None
    """None: it is made from the html of each mail; `none`: the mails have no text."""
    attachments: tuple[Attachment, ...] = ()
    images: dict[Annotated[str, AfterValidator(_check_content_id)], Attachment] = Field(default={})
    """What the html shows as `cid:name`, by that name."""

    @rule("images", at="images")
    def _images_are_images(self) -> str | None:
        for name, image in self.images.items():
            if not image.type.startswith("image/"):
                return f"{name} is of the type {image.type}: give an image, or put it under attachments"
        return None

    @rule("html", "images", at="images")
    def _images_are_shown(self) -> str | None:
        shown = set(_SHOWN.findall(self.html or ""))
        told = {name for name in shown if name and "{" not in name}
        if missing := sorted(told - self.images.keys()):
            return f"the html shows cid:{missing[0]}, which is not given here: add it"
        if told == shown and (unused := sorted(self.images.keys() - shown)):
            return f'{unused[0]} is not shown: write <img src="cid:{unused[0]}"> in the html, or remove it'
        return None

    @rule("html", "text")
    def _has_a_body(self) -> str | None:
        lacking = not self.html and (not self.text or self.text == HTML_ONLY)
        return "html or text is missing: give at least one body" if lacking else None

    @rule("attachments", "images")
    def _files_are_small(self) -> str | None:
        size = sum(len(file.content) for file in (*self.attachments, *self.images.values()))
        if size <= LARGEST_FILES:
            return None
        return (f"attachments and images are {size:,} bytes, {LARGEST_FILES:,} at most: put the larger ones on the web "
                "and link to them")
