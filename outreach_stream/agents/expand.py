"""expand: a plan becomes work, and its recipients requests in the engine's lanes."""

import asyncio

import structlog
from pydantic import ValidationError

from outreach_stream.agents.durable import bury_all, make_durable
from outreach_stream.agents.expansion import Expansion
from outreach_stream.agents.run_events import RunEvents
from outreach_stream.agents.unreadable import problem
from outreach_stream.domain.clock import Clock, wall_clock
from outreach_stream.domain.events import RunPlanned, RunPlanReported
from outreach_stream.streaming.app import StreamApp
from outreach_stream.streaming.batch import Batch
from outreach_stream.topics import RUN_PLANNED, Layout

_log = structlog.get_logger()


def register(app: StreamApp, expansion: Expansion, layout: Layout, *, clock: Clock = wall_clock) -> None:
    """Adds the agent to `app`."""
    intake = PlanIntake(app, expansion, RunEvents(app, layout.runs), clock)

    @app.agent(app.batch_topic(RUN_PLANNED.name), name="expand")
    async def expand(stream: object) -> None:
        async for batch in app.batches(stream):
            await intake.take(batch)


class PlanIntake:
    """The first plan of a run is noted, then reported, then expanded; later ones are ignored."""

    def __init__(self, app: StreamApp, expansion: Expansion, events: RunEvents, clock: Clock) -> None:
        self._app, self._expansion, self._events, self._clock = app, expansion, events, clock

    async def take(self, batch: Batch) -> None:
        """Everything in the batch, in its order."""
        await make_durable(batch, lambda: self._take(batch))

    async def _take(self, batch: Batch) -> None:
        won, notes, unreadable = [], [], {}
        for i, record in enumerate(batch.records):
            try:
                plan = RunPlanned.model_validate_json(record.value or b"")
            except ValidationError as error:
                unreadable[i] = problem("RunPlanned", error)
                continue
            entry, noted = self._expansion.note(batch.tp.partition, plan, record.offset)
            if entry.offset == record.offset:
                won.append(plan)
                notes.append(noted)
            else:
                _log.info("plan_ignored", run_id=plan.run_id, plan_id=plan.plan_id)
        await bury_all(self._app, batch, unreadable)
        await asyncio.gather(*notes)
        await self._events.report(*(self._report(plan) for plan in won))
        for plan in won:
            self._expansion.start(batch.tp.partition, plan)

    def _report(self, plan: RunPlanned) -> RunPlanReported:
        return RunPlanReported(run_id=plan.run_id, total=plan.total, skipped=plan.skipped, chunks=plan.chunks,
                               error=plan.error, warning=plan.warning, cancelled=plan.cancelled,
                               due=[(group.at, group.recipients) for group in plan.due], at=self._clock())
