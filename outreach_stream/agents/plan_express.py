"""plan_express: small runs, many at a time, straight into the express lanes."""

import asyncio
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence

import structlog
from pydantic import ValidationError

from outreach_stream.agents.durable import bury_all, make_durable
from outreach_stream.agents.lanes import LaneTopic
from outreach_stream.agents.run_events import RunEvents
from outreach_stream.agents.unreadable import problem
from outreach_stream.dispatch.cancelling import Cancelling
from outreach_stream.dispatch.express import cancelled, plan_express, unplanned
from outreach_stream.dispatch.planning import RETRY_PAUSES
from outreach_stream.dispatch.ports import CannotPlan, Materials, Orders
from outreach_stream.domain.clock import Clock, wall_clock
from outreach_stream.domain.control import Control
from outreach_stream.domain.events import RunPlanReported, RunRequested
from outreach_stream.streaming.app import StreamApp
from outreach_stream.streaming.batch import Batch
from outreach_stream.topics import RUN_ADMITTED_EXPRESS, Layout

type Planned = tuple[RunPlanReported, Mapping[int, Sequence[bytes]]]
"""What is said of a run, and its requests by lane."""

_log = structlog.get_logger()


def register(app: StreamApp, materials: Materials, lanes: LaneTopic, layout: Layout, *, orders: Orders | None = None,
             clock: Clock = wall_clock) -> None:
    """Adds the agent to `app`; `lanes` are those of `send.requested.express`."""
    express = Express(app, materials, lanes, layout, orders or Control(), clock)

    @app.agent(app.batch_topic(RUN_ADMITTED_EXPRESS.name), name="plan_express")
    async def plan_express(stream: object) -> None:
        async for batch in app.batches(stream):
            # Not awaited: one partition's spec that is waited for holds up no other.
            app.spawn(express.plan(batch))


class Express:
    """Plans batches of express runs."""

    def __init__(self, app: StreamApp, materials: Materials, lanes: LaneTopic, layout: Layout, orders: Orders,
                 clock: Clock) -> None:
        self._app, self._materials, self._lanes, self._clock = app, materials, lanes, clock
        self._events = RunEvents(app, layout.runs)
        self._cancelling = Cancelling(orders)

    async def plan(self, batch: Batch) -> None:
        """All runs of the batch.

        A run that has to wait (its database is away) does so by itself, and holds up none of the others.
        """
        for i in await make_durable(batch, lambda: self._plan_all(batch)):
            self._app.spawn(self._plan_later(batch, i))

    async def _plan_all(self, batch: Batch) -> Collection[int]:
        """Plans what can be planned now; returns the places of what cannot.

        A cancelled run is planned too: its lanes end it, and nobody knows whether it had been planned before.
        """
        planned: list[Planned] = []
        waiting: set[int] = set()
        unreadable: dict[int, str] = {}
        for i, record in enumerate(batch.records):
            try:
                planned.append(await self._plan_run(RunRequested.model_validate_json(record.value or b"")))
            except ValidationError as error:
                unreadable[i] = problem("RunRequested", error)
            except CannotPlan:
                waiting.add(i)
            await asyncio.sleep(0)  # A batch may be thousands of recipients: others get their turn.
        await bury_all(self._app, batch, unreadable)
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

    async def _plan_later(self, batch: Batch, i: int) -> None:
        """A run by itself, as often and as long as one with a query is tried, unless it is cancelled."""
        run = RunRequested.model_validate_json(batch.records[i].value or b"")
        planned = await self._cancelling.unless_cancelled(run.run_id, lambda: self._plan_patiently(run))
        await make_durable(batch, lambda: self._publish([planned or (cancelled(run, self._clock), {})]), i)

    async def _plan_patiently(self, run: RunRequested) -> Planned:
        reason = ""
        for pause in RETRY_PAUSES:
            await asyncio.sleep(pause)
            try:
                return await self._plan_run(run)
            except CannotPlan as error:
                reason = str(error)
        return unplanned(run, reason, self._clock), {}
