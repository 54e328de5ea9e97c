"""Expanding the runs of one engine into its lanes, slice by slice."""

import asyncio
import math
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

import structlog

from outreach_stream.dispatch.pacing import LARGEST_SLICE, LEAST_WINDOW, OPEN_WINDOW, Backlog, Pace
from outreach_stream.dispatch.plans import PlanEntry
from outreach_stream.dispatch.ports import NO_ORDERS, ChunkReader, Lanes, Orders, PlanStore
from outreach_stream.dispatch.requests import Snapshot, lanes_from, read_chunk, requests_of
from outreach_stream.dispatch.schedule import Schedule, ScheduledRun
from outreach_stream.domain.clock import Clock
from outreach_stream.domain.events import RunPlanned

TICK = 0.1
"""Seconds between two looks at the lanes while they are full."""
RETRY_PAUSE = 1.0
"""Seconds until what failed (the broker was away) is tried again."""
RATE_KEPT = 1.0
"""Seconds after which a catalog that was changed must be noticed; to look at it costs a visit to its files."""
CACHED_CHUNKS = 16
"""Decoded chunks kept per engine, about a megabyte each at most; beyond so many runs, chunks are read again."""

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class World:
    """What an expander acts on; one for all engines of a partition."""

    chunks: ChunkReader
    lanes: Lanes
    plans: PlanStore
    rate_of: Callable[[str], float | None]
    """Mails a second of an engine, None: unlimited; `LookupError`: not in the catalog. Asked once a second at most."""
    ahead: float
    """Seconds of its rate that an engine's lanes are kept ahead."""
    clock: Clock
    orders: Orders = NO_ORDERS
    may_act: Callable[[], bool] = lambda: True
    """False while the partition may have another owner."""


class Expander:
    """Expands all unfinished runs of one engine, interleaved. `run` it as a task; cancel it when the partition leaves.

    A slice is durable before its cursor is written, so that a crash repeats a slice and never loses one: requests of
    the same recipient meet in the same lane, where the sender knows them.
    """

    def __init__(self, engine: str, world: World) -> None:
        self._engine, self._world = engine, world
        self._schedule = Schedule()
        self._backlog = Backlog(lambda lane: world.lanes.finished(engine, lane))
        self._cache: OrderedDict[tuple[str, int], Snapshot] = OrderedDict()
        self._added = asyncio.Event()
        self._stepping = asyncio.Lock()
        self._known_rate: float | None = 0.0
        self._ask_again = -math.inf

    def add(self, plan: RunPlanned, entry: PlanEntry) -> None:
        """Take a run in; one that is there already, or finished, changes nothing."""
        if not entry.finished:
            self._schedule.add(ScheduledRun(plan, entry))
            self._added.set()

    async def run(self) -> None:
        """Expand until cancelled. Raises nothing: what fails is tried again."""
        while True:
            self._added.clear()
            try:
                async with self._stepping:
                    expanded = await self.step()
            except Exception as error:  # noqa: BLE001 - repeating is right for all of them, stopping for none
                _log.warning("expand_failed", engine=self._engine, error=repr(error))
                await asyncio.sleep(RETRY_PAUSE)
                continue
            if not expanded:
                await self._wait()

    async def settle(self) -> None:
        """Returns when the slice in work is noted: then a successor repeats nothing. Let nothing act meanwhile."""
        async with self._stepping:
            pass

    async def _wait(self) -> None:
        """Until a run comes or, when some are here, until the lanes may have moved."""
        try:
            async with asyncio.timeout(TICK if len(self._schedule) else None):
                await self._added.wait()
        except TimeoutError:
            pass

    async def step(self) -> int:
        """Expand one slice of the run whose turn it is; returns its recipients (0: nothing can go now)."""
        now = self._world.clock()
        for run in self._schedule.in_turn(lambda run: self._waits(run, now)):
            if not self._world.may_act():
                break
            try:
                if taken := await self._serve(run, now):
                    return taken
            except Exception as error:  # noqa: BLE001 - repeating is right for all of them, holding others up for none
                _log.warning("expand_failed", engine=self._engine, run_id=run.run_id, error=repr(error))
                run.not_before = now + RETRY_PAUSE
        return 0

    async def _serve(self, run: ScheduledRun, now: float) -> int:
        while not run.entry.finished and (room := self._room(run, now)):
            taken = await self._expand(run, room, now)
            await self._note(run)
            if taken:
                return taken
        if run.entry.finished:  # but noting that has failed
            await self._note(run)
        return 0

    def _waits(self, run: ScheduledRun, now: float) -> bool:
        """A pause does not stop the deadline, nor a cancellation."""
        paused = self._world.orders.paused(run.run_id) and not self._hurries(run, now)
        return paused or now < run.not_before

    def _hurries(self, run: ScheduledRun, now: float) -> bool:
        """Its rest is to end in the lanes without touching the engine, so the engine's rate is no measure."""
        return run.plan.deadline <= now or self._world.orders.cancelled(run.run_id)

    def _pace(self, run: ScheduledRun) -> Pace:
        rate = self._rate()
        if rate == 0:
            return Pace(1, LEAST_WINDOW)
        return Pace.of(rate, len(run.plan.lanes), self._world.ahead)

    def _rate(self) -> float | None:
        """The engine's rate; 0 when it was taken out of the catalog: it may come back before the deadlines."""
        if (now := self._world.clock()) >= self._ask_again:
            try:
                self._known_rate = self._world.rate_of(self._engine)
            except LookupError:
                self._known_rate = 0.0
            self._ask_again = now + RATE_KEPT
        return self._known_rate

    def _room(self, run: ScheduledRun, now: float) -> int:
        pace = Pace(LARGEST_SLICE, OPEN_WINDOW) if self._hurries(run, now) else self._pace(run)
        lanes = lanes_from(run.run_id, run.entry.chunk, run.entry.index, run.plan.lanes)
        room = self._backlog.room(lanes, pace.slice, pace.window, now)
        return room or (len(run.plan.lanes) if self._backlog.stuck(now) else 0)

    async def _expand(self, run: ScheduledRun, room: int, now: float) -> int:
        number, start = run.entry.chunk, run.entry.index
        snapshot = await self._snapshot(run.plan, number)
        stop = min(start + room, len(snapshot.rows))
        if requests := requests_of(run.plan, number, snapshot, start, stop):
            spans = await self._world.lanes.append(requests)
            window = self._pace(run).window
            for lane, span in spans.items():
                self._backlog.put(lane, span, len(requests[lane]), inherited=window,
                                  inherited_until=now + self._world.ahead, now=now)
        run.advance(stop - start, len(snapshot.rows))
        return stop - start

    async def _note(self, run: ScheduledRun) -> None:
        await self._world.plans.write(run.run_id, run.entry)
        if run.entry.finished:
            self._schedule.remove(run)
            _log.info("run_expanded", run_id=run.run_id, engine=self._engine)

    async def _snapshot(self, plan: RunPlanned, number: int) -> Snapshot:
        key = (plan.run_id, number)
        snapshot = self._cache.pop(key, None)
        if snapshot is None:
            snapshot = read_chunk(await self._world.chunks.read(plan.run_id, plan.chunks[number]), plan.run_id, number)
        self._cache[key] = snapshot
        if len(self._cache) > CACHED_CHUNKS:
            self._cache.popitem(last=False)
        return snapshot
