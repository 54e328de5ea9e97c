"""What a workflow may write into the head of its mails: names of headers, Gmail's Feedback-ID, tags."""

import re
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field

from outreach_stream.values import canonical_id

MOST_HEADERS = 10
"""SES takes 15, three of which may be List-Unsubscribe, its -Post, and Feedback-ID."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{0,49}")
_TAKEN = frozenset({
    "from", "to", "subject", "date", "message-id", "reply-to", "feedback-id",  # the message's own
    "sender", "cc", "bcc", "return-path", "received", "domainkey-signature", "authentication-results",
})
_TAKEN_FAMILIES = ("mime-", "content-", "list-unsubscribe", "dkim-", "arc-", "received-", "resent-", "x-sg-")

_FEEDBACK = re.compile(r"(?:[A-Za-z0-9._-]{0,50}:){0,3}[A-Za-z0-9._-]{5,15}")
"""Its last field is the sender's, 5 to 15 characters, the same in all mail; up to three before it may say what the
mail belongs to (https://support.google.com/a/answer/6254652)."""


def check_header(name: str) -> str:
    """A header's name that is free to be used."""
    if not _NAME.fullmatch(name):
        raise ValueError("must be a header's name: letters, digits and hyphens, 50 at most, such as X-Campaign")
    if name.lower() in _TAKEN or name.lower().startswith(_TAKEN_FAMILIES):
        raise ValueError(f"{name} is set by the message itself or by the provider: remove it (from, reply_to, "
                         "list_unsubscribe and feedback_id are fields of the workflow)")
    return name


def check_headers(headers: dict[str, str]) -> dict[str, str]:
    """So few that every provider takes them, none twice in another case."""
    if len(headers) > MOST_HEADERS:
        raise ValueError(f"must be {MOST_HEADERS} at most: that is what every provider takes")
    if len({name.lower() for name in headers}) < len(headers):
        raise ValueError("the same name is given twice, in capitals and small letters: give it once")
    return headers


def check_feedback_id(value: str) -> str:
    """`a:b:c:sender`; Gmail adds all mails up by each field, so that no two may be the same."""
    if not _FEEDBACK.fullmatch(value):
        raise ValueError("must be up to four fields, the last of 5 to 15 characters: write for example "
                         '"spring-2026:offers::hazel-co" (letters, digits, ".", "_", "-")')
    given = [part for part in value.split(":") if part]
    if len(set(given)) < len(given):
        raise ValueError("has the same identifier in two fields: Gmail would add unrelated mails up")
    return value


def check_tag(tag: str) -> str:
    """What SendGrid's categories, SES's tags and Mailgun's tags all take."""
    if not re.fullmatch(r"[A-Za-z0-9_-]{1,50}", tag):
        raise ValueError('must be letters, digits, "_" and "-", 50 at most')
    return tag


def check_tags(tags: tuple[str, ...]) -> tuple[str, ...]:
    """None twice."""
    if len(set(tags)) < len(tags):
        raise ValueError("a tag is given twice: give it once")
    return tags


Headers = Annotated[
    dict[Annotated[str, AfterValidator(check_header)], Annotated[str, BeforeValidator(canonical_id)]],
    AfterValidator(check_headers),
]
FeedbackId = Annotated[str, AfterValidator(check_feedback_id)]
Tags = Annotated[
    tuple[Annotated[str, AfterValidator(check_tag)], ...], Field(max_length=10), AfterValidator(check_tags)]
