"""plan_express: small runs, many at a time, straight into the express lanes."""

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

import structlog
from aiokafka.errors import KafkaError
from pydantic import ValidationError

from outreach_stream.agents.lanes import LaneTopic
from outreach_stream.agents.run_events import RunEvents
from outreach_stream.dispatch.express import plan_express, unplanned
from outreach_stream.dispatch.planning import RETRY_PAUSES
from outreach_stream.dispatch.ports import CannotPlan, Materials
from outreach_stream.domain.clock import Clock, wall_clock
from outreach_stream.domain.events import RunPlanReported, RunRequested
from outreach_stream.streaming.app import StreamApp
from outreach_stream.streaming.batch import Batch
from outreach_stream.streaming.dead_letters import bury
from outreach_stream.topics import RUN_ADMITTED_EXPRESS, Layout

BROKER_PAUSE = 0.5
"""Seconds until runs are planned again whose requests could not be written."""

type Planned = tuple[RunPlanReported, Mapping[int, Sequence[bytes]]]
"""What is said of a run, and its requests by lane."""

_log = structlog.get_logger()


def register(
    app: StreamApp, materials: Materials, lanes: LaneTopic, layout: Layout, *, clock: Clock = wall_clock,
) -> None:
    """Adds the agent to `app`; `lanes` are those of `send.requested.express`."""
    express = Express(app, materials, lanes, layout, clock)

    @app.agent(app.batch_topic(RUN_ADMITTED_EXPRESS.name), name="plan_express")
    async def plan_express(stream: object) -> None:
        async for batch in app.batches(stream):
            # Not awaited: one partition's spec that is waited for holds up no other.
            app.spawn(express.plan(batch))


class Express:
    """Plans batches of express runs."""

    def __init__(self, app: StreamApp, materials: Materials, lanes: LaneTopic, layout: Layout, clock: Clock) -> None:
        self._app, self._materials, self._lanes, self._clock = app, materials, lanes, clock
        self._events = RunEvents(app, layout.runs)

    async def plan(self, batch: Batch) -> None:
        """All runs of the batch; tried again for as long as the broker cannot take them.

        A run that has to wait (its database is away) does so by itself, and holds up none of the others.
        """
        if not await batch.claim():
            return
        try:
            while await batch.owned():
                try:
                    waiting = await self._plan_all(batch)
                except KafkaError as error:
                    _log.warning("express_not_written", error=repr(error))
                    await asyncio.sleep(BROKER_PAUSE)
                else:
                    self._finish(batch, waiting)
                    return
        finally:
            batch.release()     # Changes nothing for those that are done.

    def _finish(self, batch: Batch, waiting: Mapping[int, RunRequested]) -> None:
        for i in range(len(batch.records)):
            if i in waiting:
                self._app.spawn(self._plan_later(batch, i, waiting[i]))
            else:
                batch.done(i)

    async def _plan_all(self, batch: Batch) -> dict[int, RunRequested]:
        """Plans what can be planned now; returns what cannot, by its place."""
        planned: list[Planned] = []
        waiting: dict[int, RunRequested] = {}
        for i, record in enumerate(batch.records):
            try:
                run = RunRequested.model_validate_json(record.value or b"")
            except ValidationError as error:
                await bury(self._app.aiokafka_producer, batch, i, f"no RunRequested: {error.error_count()} errors")
                continue
            try:
                planned.append(await self._plan_run(run))
            except CannotPlan:
                waiting[i] = run
            await asyncio.sleep(0)  # A batch may be thousands of recipients: others get their turn.
        await self._publish(planned)
        return waiting

    async def _publish(self, planned: Iterable[Planned]) -> None:
        requests: defaultdict[int, list[bytes]] = defaultdict(list)
        for _, by_lane in planned:
            for lane, values in by_lane.items():
                requests[lane].extend(values)
        await self._lanes.append(requests)
        await self._events.report(*(report for report, _ in planned))

    async def _plan_run(self, run: RunRequested) -> Planned:
        """Raises `CannotPlan` if the same may succeed soon."""
        try:
            return await plan_express(run, self._materials, self._clock)
        except CannotPlan:
            raise
        except Exception as error:  # noqa: BLE001 - a bug met by one run must not stop the others
            _log.exception("planning_failed", run_id=run.run_id)
            return unplanned(run, f"internal error: {type(error).__name__}", self._clock), {}

    async def _plan_later(self, batch: Batch, i: int, run: RunRequested) -> None:
        """A run by itself, as often and as long as one with a query is tried."""
        planned: Planned | None = None
        for pause in RETRY_PAUSES:
            await asyncio.sleep(pause)
            if not batch.live:
                return
            try:
                planned = await self._plan_run(run)
                break
            except CannotPlan as error:
                planned = unplanned(run, str(error), self._clock), {}
        while planned and await batch.claim(i):
            try:
                await self._publish([planned])
            except KafkaError as error:
                _log.warning("express_not_written", error=repr(error))
                batch.release(i)
                await asyncio.sleep(BROKER_PAUSE)
            else:
                batch.done(i)
                return
