"""One engine at work in this process: its connections, its pace and its places."""

import asyncio
from dataclasses import dataclass, field

from outreach_stream.delivery.bucket import Bucket
from outreach_stream.domain.ports import Engine

SECONDS_AHEAD = 5.0
"""Mails that wait for a token hold a connection; a slow engine's would be idle too long and be closed on us."""


@dataclass(slots=True)
class Desk:
    """Shared by all lanes of the engine, so that no lane of another engine ever waits for it."""

    id: str
    engine: Engine
    bucket: Bucket
    places: int
    """Mails in work at a time."""
    lanes: list[int]
    """The engine's lanes over all processes."""
    slots: asyncio.Semaphore = field(init=False)

    def __post_init__(self) -> None:
        self.slots = asyncio.Semaphore(self.places)

    @classmethod
    def of(cls, engine_id: str, engine: Engine, *, rate: float | None, burst: float | None, concurrency: int,
           lanes: list[int]) -> "Desk":
        """A desk with as many places as its rate can keep busy."""
        places = concurrency if rate is None else min(concurrency, max(1, round(rate * SECONDS_AHEAD)))
        return cls(engine_id, engine, Bucket(rate, burst), places, lanes)

    def own(self, partitions: set[int]) -> None:
        """These partitions are ours now: take that share of the rate, beginning with nothing saved up."""
        self.bucket.share(len(partitions.intersection(self.lanes)) / len(self.lanes))


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
