"""Taking over a partition: what was noted goes on, or has an end."""

import asyncio
from collections import defaultdict
from types import SimpleNamespace
from typing import Any

import pytest
from faust.types import TP

from outreach_stream.agents import expansion as module
from outreach_stream.agents.expansion import Expansion
from outreach_stream.dispatch.plans import PlanEntry
from outreach_stream.domain.events import RunPlanned
from outreach_stream.streaming.reader import RecordGone
from outreach_stream.topics import RUN_PLANNED, Layout

PLAN = RunPlanned(run_id="fine", plan_id="p", engine="relay", lanes=[0], spec="d", weight=1.0, deadline=2e9, total=1,
                  skipped=0, chunks=[0], planned_at=0)


class Table:
    """The plans of one partition, in memory; the broker takes no note of it `failures` times."""

    def __init__(self, *_: object, **__: object) -> None:
        self.rows = {name.encode(): PlanEntry(offset, 1, 5).encode()
                     for offset, name in enumerate(["fine", "gone", "unreadable"])}
        self.failures = 1

    def scan(self, partition: int) -> list[tuple[bytes, bytes, bytes]]:
        return [(key, b"writer", value) for key, value in self.rows.items()]

    def copies(self, partition: int, key: bytes) -> list[tuple[bytes, bytes]]:
        return [(b"writer", self.rows[key])]

    async def write(self, partition: int, key: bytes, value: bytes) -> None:
        self.failures -= 1
        if self.failures >= 0:
            raise ConnectionError("the broker is away")
        self.rows[key] = value


class Reader:
    """`run.planned`: one plan, one place that retention has reached, one record of nobody knows what."""

    def __init__(self) -> None:
        self.reads: defaultdict[int, int] = defaultdict(int)

    async def get(self, topic: str, partition: int, offset: int) -> bytes:
        self.reads[offset] += 1
        if self.reads[offset] == 1:
            raise TimeoutError
        if offset == 1:
            raise RecordGone("run.planned/0 no longer holds offset 1")
        return PLAN.encode() if offset == 0 else b"{}"


async def test_every_noted_run_is_resumed_or_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """A broker that is away is asked again; a plan that is gone ends there; one that cannot be read stops no other."""
    monkeypatch.setattr(module, "MergedTable", Table)
    monkeypatch.setattr(module, "READ_PAUSE", 0.001)
    hooks: Any = {name: [] for name in ("on_drain", "before_release", "on_released", "on_assigned")}
    app: Any = SimpleNamespace(spawn=asyncio.create_task, lease=SimpleNamespace(valid=lambda: False), sources=[],
                               **hooks)
    reader, nothing = Reader(), SimpleNamespace(finished=lambda *_: None)
    expansion = Expansion(app, Layout(), lanes=nothing, chunks=nothing, reader=reader,  # type: ignore[arg-type]
                          rate_of=lambda _: None, ahead=2.0)
    app.on_assigned[0](frozenset({TP(RUN_PLANNED.name, 0)}))
    await asyncio.wait_for(expansion._tasks[0], 5)

    rows = {key.decode(): PlanEntry.decode(value) for key, value in expansion._table.rows.items()}
    assert rows == {"fine": PlanEntry(0, 1, 5), "gone": PlanEntry(1, 1, 5, finished=True),
                    "unreadable": PlanEntry(2, 1, 5)}
    assert [len(expander._schedule) for expander in expansion._expanders.values()] == [1]
    assert dict(reader.reads) == {0: 2, 1: 3, 2: 2}
    app.on_released[0]()
