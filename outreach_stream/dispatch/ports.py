"""What dispatching asks of the world."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, Protocol

from outreach_stream.dispatch.plans import PlanEntry
from outreach_stream.domain.control import EngineFuse, Listener
from outreach_stream.domain.events import RunRequested
from outreach_stream.domain.policy import Policy
from outreach_stream.domain.ports import Composer
from outreach_stream.domain.triggers import InlineRecipient
from outreach_stream.scheduling.local import LocalTimes


class CannotPlan(Exception):  # noqa: N818 - named as it is said
    """The run cannot be planned, for a reason that its owner has to read."""

    def __init__(self, reason: str, *, retriable: bool = False) -> None:
        super().__init__(reason)
        self.retriable = retriable
        """Whether the same may succeed soon, with nothing changed by anybody."""


type Person = tuple[str, str, Mapping[str, Any]]
"""A recipient who gets the mail: address, name (empty: not known), and the variables in the order of the columns."""
type Doubted = tuple[str, str, Mapping[str, Any], Literal[True]]
"""A recipient who gets it, and may have got it before, from the run that this one replays."""
type LeftOut = tuple[str, str]
"""Somebody who does not: address and reason."""
type Decided = Person | Doubted | LeftOut


@dataclass(frozen=True, slots=True)
class People:
    """Those a run is for: the names of their variables, and them, in pages small enough not to hold up the loop."""

    columns: Sequence[str]
    pages: AsyncIterator[Sequence[Decided]]


class Material(Protocol):
    """All that a run's plan is made of."""

    @property
    def composer(self) -> Composer:
        """Makes its mails."""

    @property
    def policy(self) -> Policy:
        """What its workflow wants done when an engine has stopped."""

    def missing(self, columns: Sequence[str]) -> list[str]:
        """A sentence for each variable that neither the columns nor the run's parameters bring."""

    def local_times(self) -> LocalTimes | None:
        """When each of its recipients is due, on their own clock; None: all at once. Counts those it is asked for."""

    def people(self) -> AbstractAsyncContextManager[People]:
        """Read the recipients, once; what goes wrong meanwhile leaves the context as `CannotPlan`."""

    async def decide(self, recipients: Sequence[InlineRecipient]) -> list[Person | LeftOut]:
        """Who of an express run's recipients gets the mail, place by place; raises `CannotPlan`."""


class Materials(Protocol):
    """Where it comes from."""

    async def gather(self, run: RunRequested, patience: float = ...) -> Material:
        """Wait at most `patience` seconds for the run's spec, and compile its templates; raises `CannotPlan`."""


class ChunkWriter(Protocol):
    """Storage of chunks."""

    async def append(self, chunk: bytes) -> int:
        """Write a chunk; returns its offset once it is durable. Failures of the store raise, and not `CannotPlan`."""


class ChunkGone(Exception):  # noqa: N818 - named as it is said
    """The storage does not have the chunk any more, and never will again."""


class ChunkReader(Protocol):
    """Storage of chunks, read by offset."""

    async def read(self, run_id: str, offset: int) -> bytes:
        """A chunk of the run, as it was written; raises `ChunkGone`, and `TimeoutError` when the storage is away."""


class Span(NamedTuple):
    """Where records of one append came to lie in their lane; others' may lie between them."""

    first: int
    end: int
    """One beyond the last."""


class Lanes(Protocol):
    """The partitions that requests are sent through."""

    async def append(self, requests: Mapping[int, Sequence[bytes]]) -> Mapping[int, Span]:
        """Append to each lane in order; returns when all are durable, raises if one is not."""

    def finished(self, engine: str, lane: int) -> int | None:
        """Every request of the engine below this offset of the lane is finished; None: not known. Does not block."""


class PlanStore(Protocol):
    """The plans of one partition, as this process writes them."""

    async def write(self, run_id: str, entry: PlanEntry) -> None:
        """Returns when it is durable."""


class Orders(Protocol):
    """What is ordered in mid-run, as far as it is known now; `domain.control.Control` is one."""

    @property
    def listeners(self) -> list[Listener]:
        """Called after each change with whom it is about."""

    def cancelled(self, run_id: str) -> bool:
        """Nobody of the run is to be mailed any more."""

    def paused(self, run_id: str) -> bool:
        """Nobody of the run is to be mailed for the time being; its deadline goes on."""

    def fuse(self, engine: str) -> EngineFuse | None:
        """Why the engine takes nothing; None: it has not stopped."""
