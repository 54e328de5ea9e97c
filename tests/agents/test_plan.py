"""The planners: taking in never waits, and no run is planned for ever."""

import asyncio
from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import Any

import pytest

from outreach_stream import topics
from outreach_stream.agents.plan import Planning
from outreach_stream.dispatch.planning import LONGEST_ERROR, Planner
from outreach_stream.domain.events import RunPlanned, RunRequested
from tests.streaming.conftest import LoggedProducer

RUN: dict[str, Any] = {
    "trigger_id": "t", "source": "s", "workflow_id": "w", "workflow_name": "W", "workflow_version": "1",
    "template_id": "t", "template_version": "1", "spec": "digest", "engine": "relay", "lanes": [0], "priority": "bulk",
    "body": "b", "triggered_at": 1.0, "admitted_at": 1.0, "deadline": 100.0}


class StubBatch:
    """Records of `run.admitted`; `finished` has the indexes of those done."""

    def __init__(self, *run_ids: str) -> None:
        self.records = [SimpleNamespace(value=RunRequested(run_id=run_id, **RUN).encode()) for run_id in run_ids]
        self.finished: list[int] = []

    async def claim(self, i: int) -> bool:
        return True

    async def owned(self) -> bool:
        return True

    def done(self, i: int) -> None:
        self.finished.append(i)

    def release(self, i: int) -> None:
        """Nothing waits for it here."""


class StubPlanner:
    """Plans when it is told to; a run called `large` gets more chunks than a record holds."""

    def __init__(self) -> None:
        self.busy, self.most, self.go = 0, 0, asyncio.Event()

    async def plan(self, run: RunRequested) -> RunPlanned:
        self.busy += 1
        self.most = max(self.most, self.busy)
        await self.go.wait()
        self.busy -= 1
        planned = self.refused(run, "")
        chunks = list(range(100_000)) if run.run_id == "large" else [0]
        return planned.model_copy(update={"chunks": chunks, "error": None})

    def refused(self, run: RunRequested, error: str) -> RunPlanned:
        return Planner.refused(Planner(None, None, None, lambda: 1.0), run, error)  # type: ignore[arg-type]


@pytest.fixture
async def app() -> AsyncIterator[Any]:
    producer = LoggedProducer(max_batch_size=100_000)
    yield SimpleNamespace(aiokafka_producer=producer, spawn=asyncio.create_task, on_drain=[])
    producer._closed = True


def plans(app: Any) -> dict[str, RunPlanned]:
    log = app.aiokafka_producer.log
    records = [record for (topic, _), records in log.items() if topic == topics.RUN_PLANNED.name for record in records]
    return {plan.run_id: plan for plan in (RunPlanned.model_validate_json(record.value) for record in records)}


async def test_taking_in_does_not_wait_for_planners(app: Any) -> None:
    """However many runs come, so many are planned at a time; a drain ends those in work and those that wait."""
    planner, batch = StubPlanner(), StubBatch(*map(str, range(20)))
    planning = Planning(app, planner, topics.Layout(), 4, lambda: 1.0)  # type: ignore[arg-type]
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


async def test_a_plan_that_fits_into_no_record_fails_its_run(app: Any) -> None:
    """It would be planned again for ever, and after each crash."""
    planner, batch = StubPlanner(), StubBatch("large")
    planner.go.set()
    Planning(app, planner, topics.Layout(), 4, lambda: 1.0).begin(batch, 0)  # type: ignore[arg-type]
    await asyncio.sleep(0.05)

    assert batch.finished == [0]
    assert "too large" in str(plans(app)["large"].error)


def test_what_is_said_of_a_failure_is_bounded() -> None:
    """It may name hundreds of variables, each with all columns, and is repeated in record after record."""
    refused = StubPlanner.refused(None, RunRequested(run_id="r", **RUN), "x" * 1_000_000)  # type: ignore[arg-type]

    assert refused.error == "x" * LONGEST_ERROR
