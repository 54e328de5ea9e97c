"""plan_express: small runs, many at a time, straight into the express lanes."""

import asyncio
from collections import defaultdict

import structlog
from aiokafka.errors import KafkaError
from pydantic import ValidationError

from outreach_stream.agents.lanes import LaneTopic
from outreach_stream.agents.run_events import RunEvents
from outreach_stream.dispatch.express import plan_express
from outreach_stream.dispatch.ports import Materials
from outreach_stream.domain.clock import Clock, wall_clock
from outreach_stream.domain.events import RunPlanReported, RunRequested
from outreach_stream.streaming.app import StreamApp
from outreach_stream.streaming.batch import Batch
from outreach_stream.streaming.dead_letters import bury
from outreach_stream.topics import RUN_ADMITTED_EXPRESS, Layout

BROKER_PAUSE = 0.5
"""Seconds until runs are planned again whose requests could not be written."""

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
        """All runs of the batch, and then it is done; tried again for as long as the broker cannot take them."""
        if not await batch.claim():
            return
        try:
            while await batch.owned():
                try:
                    await self._plan_all(batch)
                except KafkaError as error:
                    _log.warning("express_not_written", error=repr(error))
                    await asyncio.sleep(BROKER_PAUSE)
                else:
                    batch.done()
                    return
        finally:
            batch.release()     # Changes nothing if it is done.

    async def _plan_all(self, batch: Batch) -> None:
        reports: list[RunPlanReported] = []
        requests: defaultdict[int, list[bytes]] = defaultdict(list)
        for i, record in enumerate(batch.records):
            try:
                run = RunRequested.model_validate_json(record.value or b"")
            except ValidationError as error:
                await bury(self._app.aiokafka_producer, batch, i, f"no RunRequested: {error.error_count()} errors")
                continue
            report, by_lane = await self._plan_run(run)
            await asyncio.sleep(0)  # A batch may be thousands of recipients: others get their turn.
            reports.append(report)
            for lane, values in by_lane.items():
                requests[lane].extend(values)
        await self._lanes.append(requests)
        await self._events.report(*reports)

    async def _plan_run(self, run: RunRequested) -> tuple[RunPlanReported, dict[int, list[bytes]]]:
        try:
            report, requests = await plan_express(run, self._materials, self._clock)
        except Exception as error:  # noqa: BLE001 - a bug met by one run must not stop the others
            _log.exception("planning_failed", run_id=run.run_id)
            reason = f"internal error: {type(error).__name__}"
            return RunPlanReported(run_id=run.run_id, total=0, error=reason, at=self._clock()), {}
        return report, {lane: list(values) for lane, values in requests.items()}
