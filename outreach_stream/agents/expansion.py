"""The runs being expanded in this process, by partition and engine, and what is noted of them."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from itertools import groupby

import structlog
from faust.types import TP
from pydantic import ValidationError

from outreach_stream.agents.chunks import Records
from outreach_stream.agents.lanes import LaneTopic
from outreach_stream.agents.readings import of_expansion
from outreach_stream.agents.unreadable import problem
from outreach_stream.dispatch.expander import Expander, World
from outreach_stream.dispatch.plans import PlanEntry, merged
from outreach_stream.dispatch.ports import ChunkReader, Orders
from outreach_stream.domain.clock import Clock, wall_clock
from outreach_stream.domain.control import Control
from outreach_stream.domain.events import RunPlanned
from outreach_stream.streaming.app import StreamApp
from outreach_stream.streaming.reader import RecordGone
from outreach_stream.streaming.tables import MergedTable, PartitionNotOwned
from outreach_stream.topics import DAY, LONGEST_RUN, RUN_PLANNED, Layout

KEPT = LONGEST_RUN + 14 * DAY
"""Seconds that plans are remembered: longer than anything of them can be delivered again."""
READ_PAUSE = 1.0
"""Seconds until plans are read again that could not be read."""

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class _PartitionPlans:
    table: MergedTable
    partition: int

    async def write(self, run_id: str, entry: PlanEntry) -> None:
        await self.table.write(self.partition, run_id.encode(), entry.encode())


class Expansion:
    """Owns the `plans` table; one expander for each engine with unfinished runs in the partitions that are ours."""

    def __init__(self, app: StreamApp, layout: Layout, *, lanes: LaneTopic, chunks: ChunkReader, reader: Records,
                 rate_of: Callable[[str], float | None], ahead: float, orders: Orders | None = None,
                 clock: Clock = wall_clock) -> None:
        """`lanes.progress` must have caught up, and `reader` be started, when `app` calls us on assignment."""
        self._app, self._lanes, self._chunks, self._reader = app, lanes, chunks, reader
        self._rate_of, self._ahead, self._orders, self._clock = rate_of, ahead, orders or Control(), clock
        self._table = MergedTable(app, "plans", layout.engines, ttl_seconds=KEPT)
        self._expanders: dict[tuple[int, str], Expander] = {}
        self._tasks: list[asyncio.Task[None]] = []
        self._draining = False
        self.requested: Counter[str] = Counter()    # by engine, since the process began
        app.sources.append(partial(of_expansion, self))
        app.on_drain.append(self._pause)
        app.before_release.append(self._settle)
        app.on_released.append(self._stop)
        app.on_assigned.append(self._recover)

    def note(self, partition: int, plan: RunPlanned, offset: int) -> tuple[PlanEntry, Awaitable[None]]:
        """Which plan of the run counts (that of `entry.offset`), and what to await until that is durable."""
        entry = self._noted(partition, plan.run_id) or PlanEntry(offset, finished=not plan.chunks)
        # Written even if it is known: the store may be ahead of the changelog.
        return entry, self._table.write(partition, plan.run_id.encode(), entry.encode())

    def _noted(self, partition: int, run_id: str) -> PlanEntry | None:
        return merged(PlanEntry.decode(value) for _, value in self._table.copies(partition, run_id.encode()))

    def start(self, partition: int, plan: RunPlanned) -> None:
        """Expand a noted run from where it is noted to be; again, it changes nothing."""
        entry = self._noted(partition, plan.run_id)
        if entry is None or entry.finished:
            return
        expander = self._expanders.get((partition, plan.engine))
        if expander is None:
            expander = Expander(plan.engine, self._world(partition))
            self._expanders[partition, plan.engine] = expander
            self._tasks.append(self._app.spawn(expander.run()))
        expander.add(plan, entry)

    def _world(self, partition: int) -> World:
        return World(chunks=self._chunks, lanes=self._lanes, plans=_PartitionPlans(self._table, partition),
                     rate_of=self._rate_of, ahead=self._ahead, clock=self._clock, orders=self._orders,
                     may_act=lambda: self._app.lease.valid() and not self._draining, requested=self.requested)

    def under_way(self) -> Iterator[tuple[str, int]]:
        """How many runs of each engine are not expanded to their end."""
        yield from ((engine, expander.runs) for (_, engine), expander in self._expanders.items())

    # --- the life of the partitions ---
    def _pause(self) -> None:
        self._draining = True

    async def _settle(self) -> None:
        await asyncio.gather(*(expander.settle() for expander in self._expanders.values()))

    def _stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        self._tasks.clear()
        self._expanders.clear()

    def _recover(self, assigned: frozenset[TP]) -> None:
        """Go on with what was noted and is not finished."""
        self._draining = False
        for tp in assigned:
            if tp.topic == RUN_PLANNED.name:
                try:
                    unfinished = list(self._unfinished(tp.partition))
                except PartitionNotOwned:
                    # The partition is leaving already: another assignment follows, and calls this again.
                    continue
                self._tasks.append(self._app.spawn(self._resume(tp.partition, unfinished)))

    def _unfinished(self, partition: int) -> Iterator[tuple[bytes, PlanEntry]]:
        for run_id, copies in groupby(self._table.scan(partition), key=lambda copy: copy[0]):
            entry = merged(PlanEntry.decode(value) for *_, value in copies)
            if entry is not None and not entry.finished:
                yield run_id, entry

    async def _resume(self, partition: int, unfinished: list[tuple[bytes, PlanEntry]]) -> None:
        waiting = unfinished
        while True:
            waiting = [noted for noted in waiting if not await self._resumed(partition, *noted)]
            if not waiting:
                break
            await asyncio.sleep(READ_PAUSE)
        if unfinished:
            _log.info("runs_resumed", partition=partition, runs=len(unfinished))

    async def _resumed(self, partition: int, run_id: bytes, entry: PlanEntry) -> bool:
        """False: not yet, the broker is away."""
        told = {"run_id": run_id.decode(), "partition": partition, "offset": entry.offset}
        try:
            plan = await self._read_plan(partition, entry.offset)
            if plan is None:    # So old that the topic does not have it any more, and its deadline long past.
                _log.error("plan_gone", **told)
                await self._table.write(partition, run_id, replace(entry, finished=True).encode())
            else:
                self.start(partition, plan)
        except ValidationError as error:
            _log.error("plan_unreadable", reason=problem("RunPlanned", error), **told)
        except Exception as error:  # noqa: BLE001 - trying again is right for all of them, ending the worker for none
            _log.warning("plan_not_read", error=repr(error), **told)
            return False
        return True

    async def _read_plan(self, partition: int, offset: int) -> RunPlanned | None:
        try:
            return RunPlanned.model_validate_json(await self._reader.get(RUN_PLANNED.name, partition, offset))
        except RecordGone:
            return None
