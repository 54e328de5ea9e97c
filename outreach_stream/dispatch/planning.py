"""Planning a run: its recipients frozen in chunks, its templates tried out, and then one plan that names both."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import orjson
import structlog

from outreach_stream.dispatch.cutting import Cutter
from outreach_stream.dispatch.forecast import too_late, too_slow
from outreach_stream.dispatch.ports import CannotPlan, ChunkWriter, Decided, Material, Materials, People
from outreach_stream.domain.chunks import DueChunks
from outreach_stream.domain.clock import Clock
from outreach_stream.domain.events import RunPlanned, RunRequested, SendRequested
from outreach_stream.domain.policy import Policy
from outreach_stream.domain.ports import Unrenderable

_log = structlog.get_logger()

TRIED_OUT = 100
"""Recipients whose mail is rendered before the run is said to be planned."""
RETRY_PAUSES = (1.0, 2.0, 4.0, 8.0, 16.0)
"""Seconds between attempts where waiting may help: a database that starts again."""
LARGEST_PARAMETERS = 128 * 1024
"""Bytes of a run's parameters as JSON: every request repeats them beside a row, and is one record."""
MOST_CHUNKS = 30_000
"""Chunks of a run, 30 million recipients as a rule: the plan names all of them, and is one record."""
LONGEST_ERROR = 2_000
"""Characters kept of why there is no plan: it may list what is missing, and travels in records of its own."""
_BREATH = 20
"""Mails rendered between two chances for others in the loop."""


@dataclass(frozen=True, slots=True)
class _Written:
    total: int = 0
    skipped: int = 0
    chunks: list[int] = field(default_factory=list)
    due: list[DueChunks] = field(default_factory=list)
    warning: str | None = None


@dataclass(frozen=True, slots=True)
class Planner:
    """Plans runs; any number at the same time.

    Of each it holds one page of recipients, and one chunk for each moment at which some of them become due.
    """

    materials: Materials
    chunks: Callable[[str], ChunkWriter]
    """Storage of a run's chunks, by run id."""
    rate_of: Callable[[str], float | None]
    """Mails a second of an engine, None: unlimited; raises `LookupError` for one that does not exist."""
    clock: Clock

    async def plan(self, run: RunRequested, rest: Callable[[float], Awaitable[None]] = asyncio.sleep) -> RunPlanned:
        """The plan, all its chunks durable; or, with `error`, why there is none. `rest` waits between two attempts.

        Raises only what the storage of chunks raises: then planning again may help, and does no harm.
        """
        for pause in RETRY_PAUSES:
            try:
                return await self._attempt(run)
            except CannotPlan as error:
                if not error.retriable:
                    return self.refused(run, str(error))
                _log.warning("planning_put_off", run_id=run.run_id, retry_in=pause, reason=str(error))
            await rest(pause)
        try:
            return await self._attempt(run)
        except CannotPlan as error:
            return self.refused(run, str(error))

    def refused(self, run: RunRequested, error: str) -> RunPlanned:
        """A plan that says that there is none."""
        return self._planned(run, uuid4().hex, error=error[:LONGEST_ERROR])

    def cancelled(self, run: RunRequested) -> RunPlanned:
        """A plan that says that there is none, since the run was cancelled before."""
        return self._planned(run, uuid4().hex, cancelled=True)

    async def _attempt(self, run: RunRequested) -> RunPlanned:
        plan_id = uuid4().hex
        self._check_deadline(run)
        if (size := len(orjson.dumps(run.parameters))) > LARGEST_PARAMETERS:
            raise CannotPlan(f"its parameters have {size:,} bytes, more than {LARGEST_PARAMETERS:,}")
        rate = self._rate(run.engine)
        material = await self.materials.gather(run)
        async with material.people() as people:
            written = await self._write(run, plan_id, material, people)
        return self._planned(
            run, plan_id, written, on_engine_stopped=material.policy.on_engine_stopped,
            failover=_failover(material.policy, run.engine), warning=self._warning(run, written, rate))

    def _warning(self, run: RunRequested, written: _Written, rate: float | None) -> str | None:
        found = (written.warning, too_late(written.due, run.deadline),
                 too_slow(written.total, written.due, rate, self.clock(), run.deadline))
        return "; ".join(filter(None, found)) or None

    def _check_deadline(self, run: RunRequested) -> None:
        if run.deadline <= self.clock():
            raise CannotPlan("its deadline passed before it was planned")

    def _rate(self, engine: str) -> float | None:
        try:
            return self.rate_of(engine)
        except LookupError as error:
            reason = f"there is no engine {engine!r}" if isinstance(error, KeyError) else str(error)
            raise CannotPlan(reason) from error

    async def _write(self, run: RunRequested, plan_id: str, material: Material, people: People) -> _Written:
        if missing := material.missing(people.columns):
            raise CannotPlan("; ".join(missing))
        local = material.local_times()
        cutter = Cutter(run.run_id, plan_id, people.columns, local.of if local else None)
        store, offsets = self.chunks(run.run_id), []
        async for page in people.pages:
            self._check_deadline(run)
            if (tried := cutter.total) < TRIED_OUT:
                await try_out(run, material, page, TRIED_OUT - tried, self.clock())
            offsets += [await store.append(full) for full in cutter.cut(page)]
            if len(offsets) > MOST_CHUNKS:
                raise CannotPlan(f"it has more than {MOST_CHUNKS:,} chunks of recipients: split it into several runs")
            await asyncio.sleep(0)
        offsets += [await store.append(rest) for rest in cutter.close()]
        return _Written(cutter.total, cutter.skipped, offsets, cutter.due(), local.warning if local else None)

    def _planned(self, run: RunRequested, plan_id: str, written: _Written | None = None, **more: Any) -> RunPlanned:
        written = written or _Written()
        return RunPlanned(
            run_id=run.run_id, plan_id=plan_id, engine=run.engine, lanes=run.lanes, spec=run.spec, weight=run.weight,
            deadline=run.deadline, total=written.total, skipped=written.skipped, chunks=written.chunks,
            due=written.due, parameters=run.parameters, planned_at=self.clock(), **more,
        )


def _failover(policy: Policy, engine: str) -> list[str]:
    """The engines that recipients are handed on to, one after the other."""
    engines = []
    while route := policy.after(engine):
        engine = route.engine
        engines.append(engine)
    return engines


async def try_out(
    run: RunRequested, material: Material, page: Sequence[Decided], most: int, now: float,
) -> None:
    """Render the mails of the first recipients of a page, `most` at most; raises `CannotPlan` if one fails.

    From what will stand in the request, which has been through JSON: a template is tried with what it will be given.
    """
    people = [item for item in page if len(item) != 2][:most]  # noqa: PLR2004 - left out: two
    for tried, (email, name, variables, *_) in enumerate(people):
        try:
            row = orjson.loads(orjson.dumps({**run.parameters, **variables}))
        except TypeError:
            continue  # It does not become a recipient either.
        request = SendRequested(run_id=run.run_id, chunk=0, index=tried, email=email, name=name or None, variables=row,
                                spec=run.spec, engine=run.engine, deadline=run.deadline)
        try:
            material.composer.compose(request, now)
        except Unrenderable as error:
            raise CannotPlan(f"the mail of recipient {tried + 1} cannot be made: {error}") from error
        if tried % _BREATH == _BREATH - 1:
            await asyncio.sleep(0)
