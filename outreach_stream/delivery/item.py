"""A request in its place: what is delivered, and what was tried before."""

from dataclasses import dataclass, field
from typing import NamedTuple

from outreach_stream.domain.events import SendRequested
from outreach_stream.domain.identity import send_id
from outreach_stream.domain.ports import Ledgered

type ItemKey = tuple[str, int, int]
"""Run id, chunk and index: what identifies a recipient, however often it was requested."""


class LaneKey(NamedTuple):
    """Which lane: an engine's requests in one partition of one topic."""

    topic: str
    partition: int
    engine: str

    @property
    def watermark_key(self) -> bytes:
        """The table's key for its watermark."""
        return f"w:{self.engine}:{self.topic}".encode()


class History(NamedTuple):
    """What earlier rounds of a recipient left."""

    rounds: int = 0
    """How often it was put off."""
    attempts: int = 0
    """Those that count against what its workflow allows."""
    since: float | None = None
    """When the first one was made."""


NEW = History()


@dataclass(slots=True)
class Item:
    """Record `i` of a batch, at `offset` of its lane; or a request that was put off, under a batch of its own.

    Never changed; not frozen, since one is made for each mail, and that would take three times as long.
    """

    batch: Ledgered
    i: int
    offset: int | None
    """None: it was put off, and comes from the lane's own table."""
    request: SendRequested
    history: History = NEW
    due: float = 0.0
    """Not to be attempted before."""
    tried: bool = False
    """Put off before, and a process that is gone may have handed it over since."""
    key: ItemKey = field(init=False, compare=False, repr=False)
    """What identifies the recipient."""

    def __post_init__(self) -> None:
        request = self.request
        self.key = request.run_id, request.chunk, request.index

    def expired(self, now: float) -> bool:
        """Whether its run's deadline has passed."""
        return self.request.deadline <= now

    @property
    def send_id(self) -> str:
        """The id by which logs and results speak of it."""
        return send_id(*self.key)
