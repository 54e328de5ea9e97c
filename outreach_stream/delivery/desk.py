"""One engine at work in this process: its connections, its pace and its places."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

import structlog

from outreach_stream.delivery.bucket import Bucket
from outreach_stream.domain.outcomes import EngineStopped, Outcome, Refusal, Throttled, Transient
from outreach_stream.domain.ports import Connection, Engine

log = structlog.get_logger()

SECONDS_AHEAD = 5.0
"""Mails that wait for a token hold a connection; a slow engine's would be idle too long and be closed on us."""
UNREACHABLE_SECONDS = 1.0
"""Between two attempts to connect, for each place."""
THROTTLED_SECONDS = 5.0
"""The pause when the provider did not say how long."""
LONGEST_PAUSE = 300.0
"""Seconds; who asks for a longer pause is asked again after this one."""


class Allowance(NamedTuple):
    """What all processes together may use of an engine."""

    rate: float | None
    """Mails per second; None: no limit."""
    burst: float | None
    """Mails at once."""
    lanes: list[int]
    """The partitions that its mails are spread over."""


@dataclass(slots=True)
class Desk:
    """Shared by all lanes of the engine, so that no lane of another engine ever waits for it."""

    id: str
    engine: Engine
    bucket: Bucket
    places: int
    """Mails in work at a time, those included whose end is not on record yet: a crash repeats no more than these."""
    limits: Allowance
    partitions: int
    """Partitions there are, the engine's lanes among them."""
    slots: asyncio.Semaphore = field(init=False)

    def __post_init__(self) -> None:
        self.slots = asyncio.Semaphore(self.places)

    @classmethod
    def of(cls, engine_id: str, engine: Engine, limits: Allowance, *, concurrency: int, partitions: int) -> "Desk":
        """A desk with as many places as its rate can keep busy."""
        rate = limits.rate
        places = concurrency if rate is None else min(concurrency, max(1, round(rate * SECONDS_AHEAD)))
        return cls(engine_id, engine, Bucket(rate, limits.burst), places, limits, partitions)

    def own(self, owned: set[int], busy: set[int]) -> None:
        """These partitions are ours now: take that share of the rate, beginning with nothing saved up.

        `busy` are those with requests. They may lie in lanes that are the engine's no more, since its limits were
        changed: a process with such and none of today's lanes takes a share by all its partitions, or they would stand
        still for ever. Until they are drained all processes together may come near to twice the rate.
        """
        share = len(owned.intersection(self.limits.lanes)) / len(self.limits.lanes)
        self.bucket.share(share or (len(owned) / self.partitions if busy else 0.0))

    def limit(self, limits: Allowance) -> None:
        """The engine's limits have changed; to be followed by `own`."""
        self.limits = limits
        self.bucket.limit(limits.rate, limits.burst)

    async def connect(self, given_up: Callable[[], bool]) -> Connection | Refusal:
        """A connection, or why there is none. What may pass is the engine's trouble and costs no recipient an attempt.

        It is tried again, while the caller keeps its place, so that no more than those wait; until `given_up()`.
        """
        told = False
        while True:
            try:
                connection = await self.engine.acquire()
            except Exception as error:
                log.exception("acquire_failed", engine=self.id)
                return EngineStopped("engine_error", type(error).__name__)
            if not isinstance(connection, Transient | Throttled) or given_up():
                return connection
            if not told:
                log.warning("engine_unreachable", engine=self.id, reason=connection.reason)
                told = True
            await asyncio.sleep(_pause(connection, UNREACHABLE_SECONDS))

    def heed(self, outcome: Outcome) -> None:
        """Pause, for all lanes, if the provider says that we are too fast."""
        if isinstance(outcome, Throttled):
            self.bucket.pause(_pause(outcome, THROTTLED_SECONDS))


def _pause(outcome: Transient | Throttled, default: float) -> float:
    asked = outcome.retry_after if isinstance(outcome, Throttled) else None
    return default if asked is None else min(asked, LONGEST_PAUSE)


class Slot:
    """A place at a desk, given up while nothing is on the wire."""

    __slots__ = ("_desk", "_held")

    def __init__(self, desk: Desk) -> None:
        self._desk, self._held = desk, False

    async def take(self) -> None:
        """Wait for a place."""
        await self._desk.slots.acquire()
        self._held = True

    def give(self) -> None:
        """Leave the place; nothing if there is none."""
        if self._held:
            self._held = False
            self._desk.slots.release()
