"""Expanding the runs of one engine into its lanes, slice by slice."""

import asyncio
import math
from collections import Counter, OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field

import structlog

from outreach_stream.dispatch.course import Course, Courses, Rates, Turnstile
from outreach_stream.dispatch.pacing import Backlog
from outreach_stream.dispatch.plans import PlanEntry
from outreach_stream.dispatch.ports import ChunkGone, ChunkReader, Lanes, Orders, PlanStore
from outreach_stream.dispatch.requests import Snapshot, lanes_from, read_chunk, requests_of
from outreach_stream.dispatch.schedule import Schedule, ScheduledRun
from outreach_stream.domain.clock import Clock
from outreach_stream.domain.control import Control
from outreach_stream.domain.events import RunPlanned

TICK = 0.1
"""Seconds between two looks at the lanes while they are full."""
SLEEP = 1.0
"""Seconds between two looks at the runs whose time is still to come: thousands of them must cost the others nothing."""
RETRY_PAUSE = 1.0
"""Seconds until what failed (the broker was away) is tried again."""
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
    orders: Orders = field(default_factory=Control)
    may_act: Callable[[], bool] = lambda: True
    """False while the partition may have another owner."""
    requested: Counter[str] = field(default_factory=Counter)
    """Requests put into lanes, by engine."""


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
        self._courses = Courses(world.orders, Rates(world.rate_of, world.clock), world.ahead)
        self._turnstile = Turnstile(world.ahead)
        self._looked, self._look_again = math.inf, -math.inf

    @property
    def runs(self) -> int:
        """Runs that are not expanded to their end."""
        return len(self._schedule)

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
        if not self._looked <= now < self._look_again:      # also when the clock was set back
            wakes = self._schedule.look(lambda run: self._courses.asleep(run.plan, now, run.due))
            self._looked, self._look_again = now, min(now + SLEEP, wakes)
        for run in self._schedule.in_turn(lambda run: self._course(run, now) is None):
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
        while not run.entry.finished and (course := self._course(run, now)) and (room := self._room(run, course, now)):
            try:
                taken = await self._expand(run, course, room, now)
            except ChunkGone as error:
                if now < run.plan.deadline:     # Chunks are kept for longer: whatever this is, it may pass.
                    raise
                _log.error("chunk_gone", run_id=run.run_id, chunk=run.chunk, reason=str(error))
                run.give_up()
                break
            self._turnstile.passed(course, taken, now)
            await self._note(run)
            if taken:
                return taken
        if run.entry.finished:  # given up, or noting that has failed
            await self._note(run)
        return 0

    def _course(self, run: ScheduledRun, now: float) -> Course | None:
        """None: nothing of it can go now."""
        course = self._courses.of(run.plan, now, run.due)
        return course if course and now >= run.not_before and self._turnstile.open(course, now) else None

    def _room(self, run: ScheduledRun, course: Course, now: float) -> int:
        lanes = lanes_from(run.run_id, run.chunk, run.entry.index, run.plan.lanes)
        room = self._backlog.room(lanes, course.pace.slice, course.pace.window, now)
        return room or (len(run.plan.lanes) if self._backlog.stuck(now) else 0)

    async def _expand(self, run: ScheduledRun, course: Course, room: int, now: float) -> int:
        number, start = run.chunk, run.entry.index
        snapshot = await self._snapshot(run.plan, number)
        stop = min(start + room, len(snapshot.rows))
        # Who is requested early is to end, not to be mailed: so says the request, to a sender that has not heard yet
        # that the run is cancelled, or whose clock is behind ours at the deadline.
        due = min(run.due, run.plan.deadline) if run.due > now else 0.0
        if requests := requests_of(run.plan, number, snapshot, start, stop, due):
            spans = await self._world.lanes.append(requests)
            self._world.requested[self._engine] += sum(map(len, requests.values()))
            for lane, span in spans.items():
                self._backlog.put(lane, span, len(requests[lane]), inherited=course.pace.window,
                                  inherited_until=now + self._world.ahead, now=now)
        run.advance(stop - start, len(snapshot.rows))
        return stop - start

    async def _note(self, run: ScheduledRun) -> None:
        await self._world.plans.write(run.run_id, run.entry)
        if run.entry.finished:
            self._schedule.remove(run)
            if run.entry.chunk >= len(run.plan.chunks):
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
