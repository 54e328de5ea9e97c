"""A dispatcher's world that needs no broker: lanes that an engine empties at its rate, on a clock that tests turn."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import orjson
import pytest

from outreach_stream.dispatch.chunking import Chunker
from outreach_stream.dispatch.expander import Expander, World
from outreach_stream.dispatch.plans import PlanEntry
from outreach_stream.dispatch.ports import ChunkGone, Span
from outreach_stream.domain.control import Control, EngineFuse, Matter, RunOrder, Subject, control_key
from outreach_stream.domain.events import RunPlanned, SendRequested

LANES = list(range(8))


@dataclass
class FakeWorld:
    """Lanes, chunks, plans and a clock; `run` lets time pass, in which an engine sends `rate` mails a second."""

    rate: float | None = 200.0
    others: dict[str, float | None] = field(default_factory=dict)
    gone: set[str] = field(default_factory=set)
    now: float = 1_000.0
    lanes: dict[int, list[bytes]] = field(default_factory=lambda: {lane: [] for lane in LANES})
    sent: dict[int, float] = field(default_factory=lambda: dict.fromkeys(LANES, 0.0))
    reports: bool = True
    chunks: dict[tuple[str, int], bytes] = field(default_factory=dict)
    entries: dict[str, PlanEntry] = field(default_factory=dict)
    orders: Control = field(default_factory=Control)
    expired: set[str] = field(default_factory=set)
    failures: int = 0
    completed: dict[str, float] = field(default_factory=dict)
    counts: Counter[str] = field(default_factory=Counter)
    reads: int = 0

    # --- what the expander asks of the world ---
    async def append(self, requests: Mapping[int, Sequence[bytes]]) -> dict[int, Span]:
        if self.failures:
            self.failures -= 1
            raise ConnectionError("the broker is away")
        spans = {}
        for lane, values in requests.items():
            first = len(self.lanes[lane])
            self.lanes[lane].extend(values)
            spans[lane] = Span(first, first + len(values))
        return spans

    def finished(self, engine: str, lane: int) -> int | None:
        return int(self.sent[lane]) if self.reports else None

    async def read(self, run_id: str, offset: int) -> bytes:
        self.reads += 1
        if run_id in self.expired:
            raise ChunkGone("run.chunk/0 no longer holds offset 0")
        return self.chunks[run_id, offset]

    async def write(self, run_id: str, entry: PlanEntry) -> None:
        self.entries[run_id] = entry

    def rate_of(self, engine: str) -> float | None:
        if engine in self.gone:
            raise LookupError(f"no engine has the id {engine!r}")
        return self.others.get(engine, self.rate)

    # --- what tests do ---
    def order(self, matter: Matter, id_: str, *, back: bool = False) -> None:
        """Cancel or pause a run, stop an engine; or take that back."""
        order = EngineFuse(reason="535", at=self.now) if matter == "fuse" else RunOrder(at=self.now)
        subject = Subject("engine" if matter == "fuse" else "run", id_)
        self.orders.note(control_key(subject, matter), None if back else order.encode())

    def expander(self, engine: str = "relay") -> Expander:
        return Expander(engine, World(chunks=self, lanes=self, plans=self, rate_of=self.rate_of, ahead=2.0,
                                      clock=lambda: self.now, orders=self.orders))

    def plan(self, run_id: str, total: int, **changes: object) -> RunPlanned:
        chunker, offsets = Chunker(run_id, "plan", ["n"]), []

        def store(chunk: bytes | None) -> None:
            if chunk:
                offsets.append(len(self.chunks))
                self.chunks[run_id, offsets[-1]] = chunk

        for n in range(total):
            store(chunker.add(f"p{n}@example.org", None, [n]))
        store(chunker.close())
        return RunPlanned(**{"run_id": run_id, "plan_id": "plan", "engine": "relay", "lanes": LANES, "spec": "digest",
                             "weight": 1.0, "deadline": self.now + 86_400, "total": total, "skipped": 0,
                             "chunks": offsets, "planned_at": self.now, **changes})

    async def run(self, expander: Expander, seconds: float, *, engine_rate: float | None = None) -> None:
        """Steps of 50 ms: expand whatever may go, then send for as long."""
        each = (engine_rate if engine_rate is not None else self.rate or 1_000) * 0.05 / len(LANES)
        for _ in range(round(seconds / 0.05)):
            while await expander.step():
                pass
            self.now += 0.05
            for lane, values in self.lanes.items():
                before, after = self.sent[lane], min(self.sent[lane] + each, len(values))
                self.sent[lane] = after
                for value in values[int(before):int(after)]:
                    run_id = orjson.loads(value)["run_id"]
                    self.counts[run_id] += 1
                    self.completed[run_id] = self.now

    def requested(self) -> list[SendRequested]:
        return [SendRequested.model_validate_json(value) for values in self.lanes.values() for value in values]

    def per_run(self) -> Counter[str]:
        return Counter(orjson.loads(value)["run_id"] for values in self.lanes.values() for value in values)

    def ahead(self) -> int:
        """Requests in the lanes that are not yet sent."""
        return sum(len(values) - int(self.sent[lane]) for lane, values in self.lanes.items())


@pytest.fixture
def world() -> FakeWorld:
    """An engine of 200 mails a second over eight lanes."""
    return FakeWorld()


@pytest.fixture
def new_world() -> Callable[..., FakeWorld]:
    """To make a world that differs."""
    return FakeWorld
