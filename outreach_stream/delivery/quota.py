"""The hourly and daily caps of an engine: each lane keeps its share of them in its own durable table."""

import asyncio
from typing import NamedTuple

import structlog

from outreach_stream.delivery.uses import DAY, HOUR, Uses
from outreach_stream.domain.clock import Clock
from outreach_stream.domain.ports import Copies

log = structlog.get_logger()

RETRY_SECONDS = 0.5


class Caps(NamedTuple):
    """Most units in any hour, and in any day; None: no cap."""

    hourly: int | None = None
    daily: int | None = None

    def share(self, lanes: list[int], lane: int) -> "Caps":
        """One lane's part: all of the engine's lanes together have the whole, the first ones one more than the rest.

        A lane that is the engine's no more, since that was changed with requests under way, has one at least, lest
        they stand for ever: until it is drained, the parts may be more than the whole.
        """
        return Caps(*(None if cap is None else _share(cap, sorted(lanes), lane) for cap in self))


def _share(cap: int, lanes: list[int], lane: int) -> int:
    if lane not in lanes:
        return max(1, cap // max(1, len(lanes)))
    return cap // len(lanes) + (lanes.index(lane) < cap % len(lanes))


class Quota:
    """A lane's share of its engine's caps: never more units in any hour, or day, whoever crashes and takes over.

    Units are *reserved* durably before they are used, in blocks: a crash wastes a block at most. Each writer counts
    its own reservations, so the copies of all writers add up. A reservation is good for the bin of time that it is
    counted in; what is left of it then, or at a clean release, is written back.

    One for each partition and engine: the lanes of both topics share it.
    """

    def __init__(self, table: Copies, partition: int, engine: str, caps: Caps, clock: Clock, *, block: int) -> None:
        """`caps`: the lane's share; `block`: units reserved at once, as many as may be in work."""
        self.caps = caps
        """May be changed at any time; what is reserved under others is not used any more."""
        self._table, self._partition, self._key = table, partition, f"q:{engine}".encode()
        self._clock, self._block, self._engine, self._told_until = clock, block, engine, 0.0
        said = {writer: Uses.decode(value) for writer, value in table.copies(partition, self._key)}
        self._own = said.pop(table.writer, Uses())
        self._others = said
        self._free, self._reserved_at, self._reserved_under = 0, 0.0, caps
        self._writing = asyncio.Lock()

    async def take(self) -> float:
        """0.0: a unit was taken; else the seconds until there may be one. Raises nothing but `CancelledError`."""
        while not self.take_nowait():
            if (wait := await self.ready()) > 0:
                return wait
        return 0.0

    def take_nowait(self) -> bool:
        """Whether a unit was taken, of those that are reserved; nothing is awaited between this and its use."""
        if not self._good():
            return False
        self._free -= 1
        return True

    async def ready(self) -> float:
        """Have units reserved. 0.0: there are some now; else the seconds until there may be."""
        async with self._writing:
            if self._good():
                return 0.0
            try:
                return await self._reserve()
            except Exception as error:  # noqa: BLE001 - whatever it was, nothing is used that is not reserved
                log.warning("quota_not_written", partition=self._partition, error=repr(error))
                return RETRY_SECONDS

    async def release(self) -> None:
        """Before the partition leaves, and after the last `take`: write back what is reserved and was not used.

        Raises nothing: what cannot be written is wasted.
        """
        async with self._writing:
            if not self._free:
                return
            kept = self._used_up(self._clock())
            try:
                await (self._table.write(self._partition, self._key, kept.encode()) if kept
                       else self._table.delete(self._partition, self._key, self._table.writer))
            except Exception as error:  # noqa: BLE001 - see above
                log.warning("quota_not_written", partition=self._partition, error=repr(error))

    def _good(self) -> bool:
        """Whether there are units of the bin that it is now; the bins of the day begin with one of the hour."""
        return (self._free > 0 and self._reserved_under == self.caps
                and HOUR.bin(self._clock()) == HOUR.bin(self._reserved_at))

    def _used_up(self, now: float) -> Uses:
        """Our copy without what is reserved and unused, which is ours no more."""
        self._own = self._own.plus(-self._free, self._reserved_at).since(now)
        self._free = 0
        return self._own

    async def _reserve(self) -> float:
        now, caps = self._clock(), self.caps
        own = self._used_up(now)
        await self._forget_old(now)
        used = Uses.sum([own, *self._others.values()]).since(now)
        left, wait = self._block, 0.0
        for window, bins, cap in ((HOUR, used.hour, caps.hourly), (DAY, used.day, caps.daily)):
            if cap is not None:
                left = min(left, cap - bins.total())
                wait = max(wait, window.wait(bins, cap, now))
        if left <= 0:
            if now >= self._told_until:
                log.warning("engine_capped", engine=self._engine, lane=self._partition, seconds=round(wait))
                self._told_until = now + wait
            return wait
        reserved = own.plus(left, now)
        await self._table.write(self._partition, self._key, reserved.encode())
        self._own, self._free, self._reserved_at, self._reserved_under = reserved, left, now, caps
        return 0.0

    async def _forget_old(self, now: float) -> None:
        """Delete the copies of earlier writers in which nothing counts any more."""
        for writer in [writer for writer, uses in self._others.items() if not uses.since(now)]:
            await self._table.delete(self._partition, self._key, writer)
            del self._others[writer]
