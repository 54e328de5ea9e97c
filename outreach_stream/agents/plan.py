"""plan: a run with a query (or a long list) becomes chunks and one plan."""

import asyncio
from collections import Counter
from collections.abc import Collection
from functools import partial

import structlog
from aiokafka.errors import KafkaError
from pydantic import ValidationError

from outreach_stream.agents.durable import bury_all, make_durable
from outreach_stream.agents.readings import of_planning
from outreach_stream.agents.run_events import RunEvents
from outreach_stream.agents.unreadable import problem
from outreach_stream.dispatch.cancelling import Cancelling
from outreach_stream.dispatch.planning import Planner
from outreach_stream.dispatch.ports import Orders
from outreach_stream.dispatch.recent import Recent
from outreach_stream.domain.clock import Clock, wall_clock
from outreach_stream.domain.control import Control
from outreach_stream.domain.events import RunInitializing, RunPlanned, RunRequested
from outreach_stream.domain.identity import partition_of
from outreach_stream.streaming.app import StreamApp
from outreach_stream.streaming.batch import Batch
from outreach_stream.streaming.produce import Record, RecordTooLarge, produce
from outreach_stream.topics import RUN_ADMITTED, RUN_PLANNED, Layout

_log = structlog.get_logger()


def register(app: StreamApp, planner: Planner, layout: Layout, *, planners: int, orders: Orders | None = None,
             clock: Clock = wall_clock) -> None:
    """Adds the agent to `app`; it plans up to `planners` runs at a time."""
    planning = Planning(app, planner, layout, planners, orders or Control(), clock)

    @app.agent(app.batch_topic(RUN_ADMITTED.name), name="plan")
    async def plan(stream: object) -> None:
        async for batch in app.batches(stream):
            # Not waited for: an agent that waits fills its queue, and then no topic of the process is fetched.
            for i in range(len(batch.records)):
                planning.begin(batch, i)


class Turn:
    """One of the turns at planning, given up while a run has to wait: a database that is away holds up no other run."""

    def __init__(self, turns: asyncio.Semaphore) -> None:
        self._turns, self._held = turns, False

    async def __aenter__(self) -> None:
        await self._turns.acquire()
        self._held = True

    async def __aexit__(self, *_: object) -> None:
        if self._held:
            self._held = False
            self._turns.release()

    async def rest(self, seconds: float) -> None:
        """Wait without the turn, and then for one."""
        await self.__aexit__()
        await asyncio.sleep(seconds)
        await self.__aenter__()


class Planning:
    """The runs being planned in this process."""

    def __init__(self, app: StreamApp, planner: Planner, layout: Layout, planners: int, orders: Orders,
                 clock: Clock) -> None:
        self._app, self._planner, self._layout, self._orders, self._clock = app, planner, layout, orders, clock
        self._events = RunEvents(app, layout.runs)
        self._cancelling = Cancelling(orders)
        self._tasks: set[asyncio.Task[None]] = set()
        self._planned = Recent()
        self.results: Counter[str] = Counter()  # plans made: planned, failed, cancelled
        self._turns = asyncio.Semaphore(planners)
        app.sources.append(partial(of_planning, self))
        app.on_drain.append(self._cancel)

    @property
    def under_way(self) -> int:
        """Runs that are being planned, or wait for it."""
        return len(self._tasks)

    def begin(self, batch: Batch, i: int) -> None:
        """Plan the run of one record when its turn comes, in a task."""
        task = self._app.spawn(self._plan(batch, i))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _cancel(self) -> None:
        """The partitions are leaving: a query may take minutes, and to plan again does no harm."""
        for task in self._tasks:
            task.cancel()

    async def _plan(self, batch: Batch, i: int) -> None:
        """A cancelled run waits for no turn and no query, but for its plan, which says so."""
        turn = Turn(self._turns)

        async def plan_in_turn() -> Collection[int]:
            async with turn:
                return await plan()

        async def plan() -> Collection[int]:
            return await make_durable(batch, lambda: self._plan_record(batch, i, turn), i)

        # By its key: thousands may wait, each as small as its record.
        run_id = (batch.records[i].key or b"").decode(errors="replace")
        if await self._cancelling.unless_cancelled(run_id, plan_in_turn) is None:
            await plan()

    async def _plan_record(self, batch: Batch, i: int, turn: Turn) -> None:
        try:
            run = RunRequested.model_validate_json(batch.records[i].value or b"")
        except ValidationError as error:
            await bury_all(self._app, batch, {i: problem("RunRequested", error)})
            return
        if run.run_id in self._planned:
            return
        planned = await self._planned_as(run, turn)
        if await batch.owned():
            try:
                await self._publish(planned)
            except RecordTooLarge as error:     # or it would be planned again for ever
                await self._publish(self._planner.refused(run, f"its plan is too large: {error}"))

    async def _planned_as(self, run: RunRequested, turn: Turn) -> RunPlanned:
        if self._orders.cancelled(run.run_id):
            return self._planner.cancelled(run)
        await self._events.report(RunInitializing(run_id=run.run_id, at=self._clock()))
        try:
            return await self._planner.plan(run, turn.rest)
        except KafkaError:
            raise
        except Exception as error:  # noqa: BLE001 - a bug met by one run would keep one planner from all others
            _log.exception("planning_failed", run_id=run.run_id)
            return self._planner.refused(run, f"internal error: {type(error).__name__}")

    async def _publish(self, planned: RunPlanned) -> None:
        partition = partition_of(planned.engine, self._layout.engines)
        await produce(self._app.aiokafka_producer, RUN_PLANNED.name, partition,
                      [Record(planned.run_id.encode(), planned.encode())])
        self._planned.add(planned.run_id)
        self.results["failed" if planned.error else "cancelled" if planned.cancelled else "planned"] += 1
        _log.info("run_planned", run_id=planned.run_id, engine=planned.engine, total=planned.total,
                  skipped=planned.skipped, error=planned.error, cancelled=planned.cancelled)
