"""What is particular about one provider, as the stand-in of its API sees it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

import orjson

from outreach_stream.inbox.rules import Behaviour


class Asked(NamedTuple):
    """One whole request."""

    method: str
    target: str
    """Path and query, as they came."""
    headers: Mapping[str, str]
    """Names in lower case; of a name that came twice, the values with a comma between."""
    body: bytes
    now: float
    """When it came: seconds since the epoch."""

    @property
    def path(self) -> str:
        """Without the query."""
        return self.target.partition("?")[0]

    @property
    def media_type(self) -> str:
        """In lower case, without parameters; empty: it told none."""
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()


class Reply(NamedTuple):
    """What is answered."""

    status: int
    headers: Mapping[str, str]
    body: bytes = b""

    @classmethod
    def json(cls, status: int, content: object, **headers: str) -> "Reply":
        """`content` as JSON. An underscore in a header's name stands for a hyphen."""
        told = {name.replace("_", "-"): value for name, value in headers.items()}
        return cls(status, {"Content-Type": "application/json", **told}, orjson.dumps(content))


@dataclass(frozen=True, slots=True)
class Letter:
    """The mail that a request hands over."""

    sender: str
    recipients: tuple[str, ...]
    content: bytes
    """The MIME message: as it came, or as the provider would write it."""
    rehearsal: bool = False
    """A sandbox or test mode: it is judged and answered, and not received."""
    facts: Mapping[str, object] = field(default_factory=dict)
    """What of the request is not in the message, for tests to look at: tags, tracking."""


class Provider(Protocol):
    """Reads requests as strictly as the provider documents them, and answers in its words."""

    max_size: int
    """Bytes of the largest request."""

    def read(self, asked: Asked) -> Letter | Reply:
        """The mail that is handed over; or the answer, if something else is asked, or wrong."""

    def accepted(self, letter: Letter, number: int, /) -> Reply:
        """The answer to a mail that was received as the `number`th; to a rehearsal `number` is 0."""

    def refused(self, behaviour: Behaviour, wait: float | None, now: float, /) -> Reply:
        """The answer to a mail that is not: one of `REFUSALS`. `wait`: seconds to be told, if any are."""

    def unauthorized(self) -> Reply:
        """The answer to credentials that are not, or no longer, valid."""


ALIKE = {
    Behaviour.DEFER: Behaviour.BUSY, Behaviour.GREY: Behaviour.BUSY, Behaviour.SHUTDOWN_DATA: Behaviour.SHUTDOWN,
    Behaviour.SHUTDOWN_DOT: Behaviour.SHUTDOWN, Behaviour.EARLY: Behaviour.HUGE,
}
"""What differs in SMTP and is the same thing here."""

REFUSALS = frozenset({
    Behaviour.REFUSE, Behaviour.BUSY, Behaviour.THROTTLE, Behaviour.BLOCK, Behaviour.REJECT, Behaviour.SHUTDOWN,
    Behaviour.STOP, Behaviour.HUGE,
})
"""Behaviours that are answered with a refusal."""
