"""What is said of those who want no mail of a list any more: the event of the topic `suppression`."""

from typing import Literal

from pydantic import ConfigDict

from outreach_stream.domain.clock import Stamp
from outreach_stream.domain.event import Event

How = Literal["one_click", "page", "api"]

UNSUBSCRIBED = "unsubscribed"
"""The reason of whoever is left out by a list, whoever noticed it."""


class Unsubscribed(Event):
    """Public, out: an address gets no mail of a list any more, until its key's record has no value."""

    model_config = ConfigDict(use_attribute_docstrings=True)
    list: str
    """The list's name: what a workflow says under `unsubscribe`."""
    email: str
    """As it was mailed, or as it was given; any case of it is the same mailbox."""
    at: Stamp
    how: How
    """`one_click`: by the mail program's own button (RFC 8058); `page`: by the link in the mail; `api`: by a service
    or an operator."""
    run_id: str | None = None
    """The run whose mail was answered so."""
