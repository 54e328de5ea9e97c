"""Express runs in batches: one that has to wait holds up no other."""

import asyncio
from collections.abc import Mapping, Sequence
from types import SimpleNamespace
from typing import Any

import pytest

from outreach_stream import topics
from outreach_stream.agents import plan_express as module
from outreach_stream.agents.plan_express import Express
from outreach_stream.dispatch.ports import CannotPlan
from outreach_stream.domain.control import Control, RunOrder
from outreach_stream.domain.events import RUN_EVENT, RunPlanReported, RunRequested
from outreach_stream.domain.triggers import InlineRecipient
from tests.agents.test_plan import RUN
from tests.streaming.conftest import LoggedProducer


class Materials:
    """Everybody gets the mail; the database of a run called `waiting` is away for `outage` tries."""

    def __init__(self, outage: int) -> None:
        self.outage = outage

    async def gather(self, run: RunRequested, patience: float = 0.0) -> Any:
        if run.run_id == "waiting" and self.outage:
            self.outage -= 1
            raise CannotPlan("the database is away", retriable=True)
        return self

    def missing(self, columns: Sequence[str]) -> list[str]:
        return []

    async def decide(self, recipients: Sequence[InlineRecipient]) -> list[Any]:
        return [(given.email, "", {}) for given in recipients]


class Lanes:
    """What was requested, by lane."""

    def __init__(self) -> None:
        self.requested: list[bytes] = []

    async def append(self, requests: Mapping[int, Sequence[bytes]]) -> None:
        self.requested += [value for values in requests.values() for value in values]


class StubBatch:
    live = True

    def __init__(self, *run_ids: str) -> None:
        people = [InlineRecipient(email="p@x.org")]
        self.records = [SimpleNamespace(value=RunRequested(run_id=run_id, recipients=people, **RUN).encode())
                        for run_id in run_ids]
        self.finished: list[int] = []

    async def claim(self, i: int | None = None) -> bool:
        return True

    async def owned(self) -> bool:
        return True

    def done(self, i: int) -> None:
        self.finished.append(i)

    def release(self, i: int | None = None) -> None:
        """Nothing waits for it here."""


async def test_a_cancelled_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that waits is reported as cancelled at once; one that need not wait is planned, and ended by its lanes."""
    monkeypatch.setattr(module, "RETRY_PAUSES", (60.0,) * 5)
    producer, lanes, batch = LoggedProducer(max_batch_size=100_000), Lanes(), StubBatch("one", "waiting")
    app: Any = SimpleNamespace(aiokafka_producer=producer, spawn=asyncio.create_task)
    control = Control()
    express = Express(app, Materials(1_000), lanes, topics.Layout(), control, lambda: 1.0)  # type: ignore[arg-type]
    control.note(b"run:one:cancel", RunOrder(at=1.0).encode())
    await express.plan(batch)  # type: ignore[arg-type]
    await asyncio.sleep(0.01)
    assert batch.finished == [0]

    control.note(b"run:waiting:cancel", RunOrder(at=1.0).encode())
    await asyncio.sleep(0.01)
    events = [RUN_EVENT.validate_json(record.value) for records in producer.log.values() for record in records]
    told = {event.run_id: (event.total, event.cancelled, event.error)
            for event in events if isinstance(event, RunPlanReported)}
    assert batch.finished == [0, 1]
    assert told == {"one": (1, False, None), "waiting": (0, True, None)}
    assert len(lanes.requested) == 1
    producer._closed = True


@pytest.mark.parametrize("outage", [3, 1_000])
async def test_a_run_that_has_to_wait_holds_up_no_other(outage: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is tried as often as a run with a query, and fails, with the reason, only then."""
    monkeypatch.setattr(module, "RETRY_PAUSES", (0.02,) * 5)
    producer, lanes, batch = LoggedProducer(max_batch_size=100_000), Lanes(), StubBatch("one", "waiting", "two")
    app: Any = SimpleNamespace(aiokafka_producer=producer, spawn=asyncio.create_task)
    control = Control()
    express = Express(app, Materials(outage), lanes, topics.Layout(), control, lambda: 1.0)  # type: ignore[arg-type]

    await express.plan(batch)  # type: ignore[arg-type]
    assert batch.finished == [0, 2]
    assert len(lanes.requested) == 2

    await asyncio.sleep(0.3)
    events = [RUN_EVENT.validate_json(record.value) for records in producer.log.values() for record in records]
    errors = {event.run_id: event.error for event in events if isinstance(event, RunPlanReported)}
    assert batch.finished == [0, 2, 1]
    assert errors == {"one": None, "two": None, "waiting": None if outage == 3 else "the database is away"}
    assert len(lanes.requested) == (3 if outage == 3 else 2)
    producer._closed = True
