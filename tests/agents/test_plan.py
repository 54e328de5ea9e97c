"""The planners: taking in never waits, and no run is planned for ever."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from types import SimpleNamespace
from typing import Any

import pytest

from outreach_stream import topics
from outreach_stream.agents.plan import Planning
from outreach_stream.dispatch.planning import LONGEST_ERROR, Planner
from outreach_stream.domain.control import Control, RunOrder
from outreach_stream.domain.events import RUN_EVENT, RunInitializing, RunPlanned, RunRequested
from tests.streaming.conftest import LoggedProducer

RUN: dict[str, Any] = {
    "trigger_id": "t", "source": "s", "workflow_id": "w", "workflow_name": "W", "workflow_version": "1",
    "template_id": "t", "template_version": "1", "spec": "digest", "engine": "relay", "lanes": [0], "priority": "bulk",
    "body": "b", "triggered_at": 1.0, "admitted_at": 1.0, "deadline": 100.0}


class StubBatch:
    """Records of `run.admitted`; `finished` has the indexes of those done."""

    def __init__(self, *run_ids: str) -> None:
        self.records = [SimpleNamespace(key=run_id.encode(), value=RunRequested(run_id=run_id, **RUN).encode())
                        for run_id in run_ids]
        self.finished: list[int] = []

    async def claim(self, i: int) -> bool:
        return True

    async def owned(self) -> bool:
        return True

    def done(self, i: int) -> None:
        self.finished.append(i)

    def release(self, i: int) -> None:
        """Nothing waits for it here."""


type Rest = Callable[[float], Awaitable[None]]
REAL = Planner(None, None, None, lambda: 1.0)  # type: ignore[arg-type]


class StubPlanner:
    """Plans when it is told to; a run called `large` gets more chunks than a record holds."""

    def __init__(self) -> None:
        self.busy, self.most, self.go = 0, 0, asyncio.Event()

    async def plan(self, run: RunRequested, rest: Rest) -> RunPlanned:
        if run.run_id.startswith("rests"):
            await rest(0.03)
        self.busy += 1
        self.most = max(self.most, self.busy)
        try:
            await self.go.wait()
        finally:
            self.busy -= 1
        planned = self.refused(run, "")
        chunks = list(range(100_000)) if run.run_id == "large" else [0]
        return planned.model_copy(update={"chunks": chunks, "error": None})

    def refused(self, run: RunRequested, error: str) -> RunPlanned:
        return REAL.refused(run, error)

    def cancelled(self, run: RunRequested) -> RunPlanned:
        return REAL.cancelled(run)


@pytest.fixture
async def app() -> AsyncIterator[Any]:
    producer = LoggedProducer(max_batch_size=100_000)
    yield SimpleNamespace(aiokafka_producer=producer, spawn=asyncio.create_task, on_drain=[], sources=[])
    producer._closed = True


def plans(app: Any) -> dict[str, RunPlanned]:
    log = app.aiokafka_producer.log
    records = [record for (topic, _), records in log.items() if topic == topics.RUN_PLANNED.name for record in records]
    return {plan.run_id: plan for plan in (RunPlanned.model_validate_json(record.value) for record in records)}


def started(app: Any) -> list[str]:
    events = [RUN_EVENT.validate_json(record.value) for (topic, _), records in app.aiokafka_producer.log.items()
              if topic == topics.RUN_EVENT.name for record in records]
    return sorted(event.run_id for event in events if isinstance(event, RunInitializing))


def planning_of(app: Any, planner: StubPlanner, control: Control | None = None) -> Planning:
    return Planning(app, planner, topics.Layout(), 4, control or Control(), lambda: 1.0)  # type: ignore[arg-type]


async def test_taking_in_does_not_wait_for_planners(app: Any) -> None:
    """However many runs come, so many are planned at a time; a drain ends those in work and those that wait."""
    planner, batch = StubPlanner(), StubBatch(*map(str, range(20)))
    planning = planning_of(app, planner)
    for i in range(10):
        planning.begin(batch, i)  # type: ignore[arg-type]
    await asyncio.sleep(0.01)
    assert planner.most == 4
    app.on_drain[0]()
    await asyncio.sleep(0.01)
    assert (planning._tasks, batch.finished) == (set(), [])

    planner.go.set()
    for i in range(20):
        planning.begin(batch, i)  # type: ignore[arg-type]
    await asyncio.sleep(0.05)
    assert sorted(batch.finished) == list(range(20))
    assert plans(app).keys() == set(map(str, range(20)))


async def test_a_cancelled_run_waits_for_no_turn_and_no_query(app: Any) -> None:
    """Cancelled in its query, before its turn, or before it came: a plan that says so; the others get their turns."""
    control = Control()
    planner, batch = StubPlanner(), StubBatch("early", "0", "1", "2", "3", "waits", "goes-on")
    planning = planning_of(app, planner, control)
    control.note(b"run:early:cancel", RunOrder(at=1.0).encode())
    for i in range(7):
        planning.begin(batch, i)  # type: ignore[arg-type]
    await asyncio.sleep(0.01)
    assert (planner.most, batch.finished) == (4, [0])

    for run_id in ("waits", "2"):
        control.note(f"run:{run_id}:cancel".encode(), RunOrder(at=1.0).encode())
    control.note(b"run:1:pause", RunOrder(at=1.0).encode())
    await asyncio.sleep(0.01)
    assert sorted(batch.finished) == [0, 3, 5]
    assert planner.busy == 4
    planner.go.set()
    await asyncio.sleep(0.05)
    assert sorted(batch.finished) == list(range(7))
    found = plans(app)
    assert {run_id for run_id, plan in found.items() if plan.cancelled} == {"early", "waits", "2"}
    assert all((plan.total, plan.error) == (0, None) for plan in found.values() if plan.cancelled)
    assert started(app) == ["0", "1", "2", "3", "goes-on"]


async def test_runs_that_rest_hold_no_planner(app: Any) -> None:
    """Their database is away: others are planned meanwhile, and they get a turn when they go on."""
    planner, batch = StubPlanner(), StubBatch(*(f"rests{i}" for i in range(6)), *map(str, range(4)))
    planner.go.set()
    planning = planning_of(app, planner)
    for i in range(10):
        planning.begin(batch, i)  # type: ignore[arg-type]
    await asyncio.sleep(0.02)
    assert sorted(batch.finished) == [6, 7, 8, 9]
    await asyncio.sleep(0.2)
    assert sorted(batch.finished) == list(range(10)) and planner.most <= 4
    assert planning._turns._value == 4


async def test_a_plan_that_fits_into_no_record_fails_its_run(app: Any) -> None:
    """It would be planned again for ever, and after each crash."""
    planner, batch = StubPlanner(), StubBatch("large")
    planner.go.set()
    planning_of(app, planner).begin(batch, 0)  # type: ignore[arg-type]
    await asyncio.sleep(0.05)

    assert batch.finished == [0]
    assert "too large" in str(plans(app)["large"].error)


def test_what_is_said_of_a_failure_is_bounded() -> None:
    """It may name hundreds of variables, each with all columns, and is repeated in record after record."""
    refused = StubPlanner.refused(None, RunRequested(run_id="r", **RUN), "x" * 1_000_000)  # type: ignore[arg-type]

    assert refused.error == "x" * LONGEST_ERROR
