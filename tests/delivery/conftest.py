"""A sending floor whose surroundings are in memory, and may crash: what was not durable is gone then."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

import pytest

from outreach_stream.delivery.deliver import Item
from outreach_stream.delivery.desk import Allowance, Desk
from outreach_stream.delivery.floor import Floor
from outreach_stream.domain.events import SendRequested, SendResult
from outreach_stream.domain.identity import send_id
from outreach_stream.domain.marks import Mark, Marks
from outreach_stream.domain.ports import OutgoingMessage, Unrenderable
from outreach_stream.engines.memory import MemoryEngine

BULK, EXPRESS, RUN, NOW = "bulk", "express", "run", 1_000.0


class DurableTable:
    """`Copies` in memory: readable at once, durable a moment later, as the real one."""

    def __init__(self, durable: dict[tuple[int, bytes], dict[bytes, bytes]], writer: bytes, journal: list[Any]) -> None:
        self.durable, self.writer, self.journal = durable, writer, journal
        self.store = {place: dict(copies) for place, copies in durable.items()}
        self.failures = 0
        self.stalled = False

    def copies(self, partition: int, key: bytes) -> list[tuple[bytes, bytes]]:
        return list(self.store.get((partition, key), {}).items())

    async def write(self, partition: int, key: bytes, value: bytes) -> None:
        self.store.setdefault((partition, key), {})[self.writer] = value
        await asyncio.sleep(0.001)
        while self.stalled:
            await asyncio.sleep(0.001)
        if self.failures:
            self.failures -= 1
            raise OSError("not written")
        self.durable.setdefault((partition, key), {})[self.writer] = value
        self.journal.append(("table", key[:1].decode()))

    async def delete(self, partition: int, key: bytes, writer: bytes) -> None:
        self.store[partition, key].pop(writer, None)
        self.durable[partition, key].pop(writer, None)

    def marks(self, partition: int, key: bytes) -> Marks:
        """What is durable of a chunk, merged."""
        marks = Marks()
        for value in self.durable.get((partition, key), {}).values():
            marks.merge(Marks.decode(value))
        return marks


class FakeBatch:
    """`Ledgered`, with the gate in the test's hands."""

    def __init__(self, size: int, journal: list[Any]) -> None:
        self.live, self.draining, self.stale, self.lost = True, False, False, False
        self.states = ["waiting"] * size
        self.journal = journal

    async def claim(self, i: int) -> bool:
        while self.live and not self.draining:
            if self.claim_nowait(i):
                return True
            await asyncio.sleep(0.001)
        return False

    def claim_nowait(self, i: int) -> bool:
        if not self.live or self.draining or self.stale:
            return False
        if self.states[i] == "waiting":
            self.states[i] = "claimed"
        return True

    async def owned(self) -> bool:
        while self.live and not self.lost:
            if not self.stale:
                return True
            await asyncio.sleep(0.001)
        return False

    def done(self, i: int) -> None:
        self.states[i] = "done"
        self.journal.append(("done", i))

    def release(self, i: int) -> None:
        if self.states[i] == "claimed":
            self.states[i] = "waiting"


class PlainComposer:
    def compose(self, request: SendRequested, now: float) -> OutgoingMessage:
        if request.variables.get("broken"):
            raise Unrenderable("template: subject: 'broken' is undefined")
        if request.variables.get("bug"):
            raise KeyError("bug")
        return OutgoingMessage(send_id(request.run_id, request.chunk, request.index), "us@x.example", request.email)


def request(index: int, **fields: Any) -> SendRequested:
    given = {"run_id": RUN, "chunk": 0, "index": index, "email": f"p{index}@x.example", "spec": "d", "engine": "e",
             "deadline": NOW + 60} | fields
    return SendRequested.model_validate(given)


class Sender:
    """One process's life: a floor from its start to its crash or its clean end."""

    def __init__(self, engine: MemoryEngine, durable: dict[Any, Any], writer: bytes) -> None:
        self.engine, self.journal = engine, []
        self.table = DurableTable(durable, writer, self.journal)
        self.results: list[SendResult] = []
        self.publish_failures = 0
        self.batches: list[FakeBatch] = []
        self.tasks: set[asyncio.Task[None]] = set()
        self.rate: float | None = None
        self.places, self.now = 4, NOW
        self.floor = Floor(self.table, self._publish, self._composer, self._desk, lambda topic: topic == EXPRESS,
                           self._spawn, lambda: self.now)
        self.floor.assigned({0})

    def put(self, *requests: SendRequested, start: int = 0, topic: str = BULK, partition: int = 0) -> FakeBatch:
        """Deliver these, at the offsets from `start` on."""
        batch = FakeBatch(len(requests), self.journal)
        self.batches.append(batch)
        for i, asked in enumerate(requests):
            self.floor.put(topic, partition, Item(batch, i, start + i, asked))
        return batch

    async def until(self, condition: Callable[[], object], seconds: float = 5.0) -> None:
        async with asyncio.timeout(seconds):
            while not condition():
                self.check()
                await asyncio.sleep(0.001)

    async def finish(self) -> None:
        """All that was put is done."""
        await self.until(lambda: all(state == "done" for batch in self.batches for state in batch.states))

    def check(self) -> None:
        """No task has failed."""
        for task in self.tasks:
            if task.done() and not task.cancelled() and task.exception():
                raise AssertionError("a task failed") from task.exception()

    def begin_drain(self) -> None:
        for batch in self.batches:
            batch.draining = True
        self.floor.rest()

    async def drain(self, limit: float = 2.0) -> None:
        """A clean release, cut off after `limit` seconds: the hooks in the order of `StreamApp`."""
        self.begin_drain()
        deadline = asyncio.get_running_loop().time() + limit
        while any("claimed" in batch.states for batch in self.batches):
            if asyncio.get_running_loop().time() > deadline:
                break
            await asyncio.sleep(0.001)
        await self.floor.last_words()
        await asyncio.sleep(0.02)  # the commit: lanes that had not stopped would go on here
        self.release()

    def release(self) -> None:
        """The partitions have left."""
        for batch in self.batches:
            batch.live = False
        self.batches = []
        self.floor.close()

    async def crash(self) -> None:
        """As kill -9: nothing of this process happens any more."""
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)

    def by_index(self) -> dict[int, SendResult]:
        """The last result of each recipient."""
        return {result.index: result for result in self.results}

    async def _publish(self, results: Sequence[SendResult]) -> None:
        await asyncio.sleep(0.001)
        if self.publish_failures:
            self.publish_failures -= 1
            raise OSError("not published")
        self.results += results
        self.journal.append(("results", len(results)))

    async def _composer(self, digest: str) -> PlainComposer:
        return PlainComposer()

    def _desk(self, engine_id: str) -> Desk:
        return Desk.of(engine_id, self.engine, Allowance(self.rate, None, [0]), concurrency=self.places, partitions=4)

    def _spawn(self, coro: Any) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(coro)
        self.tasks.add(task)
        return task


class World:
    """What outlives the processes: the engine's provider and the durable part of the table."""

    def __init__(self) -> None:
        self.engine = MemoryEngine()
        self.durable: dict[Any, Any] = {}
        self.senders: list[Sender] = []

    def sender(self) -> Sender:
        """The next process: another writer, with what was durable."""
        self.senders.append(Sender(self.engine, self.durable, b"writer%d" % len(self.senders)))
        return self.senders[-1]

    def mailed(self, index: int) -> int:
        """How often a recipient's mail was handed over."""
        return sum(message.message_id == send_id(RUN, 0, index) for message in self.engine.attempts)

    def has(self, mark: Mark, index: int) -> bool:
        """Whether a mark is durable."""
        return self.senders[-1].table.marks(0, f"m:{RUN}:0".encode()).has(mark, index)


@pytest.fixture
async def world() -> AsyncIterator[World]:
    world = World()
    yield world
    for sender in world.senders:
        await sender.crash()
