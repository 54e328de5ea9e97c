"""A sending floor whose surroundings are in memory, and may crash: what was not durable is gone then."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

import pytest

from outreach_stream.delivery.desk import Allowance, Desk
from outreach_stream.delivery.floor import Floor, Surroundings
from outreach_stream.delivery.item import Item
from outreach_stream.delivery.later import Entry, merged
from outreach_stream.domain.control import Control, EngineFuse, EngineThrottle, RunOrder, Subject, control_key
from outreach_stream.domain.events import SendRequested
from outreach_stream.domain.identity import send_id
from outreach_stream.domain.marks import Mark
from outreach_stream.domain.policy import Policy
from outreach_stream.domain.ports import Brief, SpecAway
from outreach_stream.domain.told import Told
from outreach_stream.engines.memory import MemoryEngine

from .fakes import BULK, EXPRESS, NOW, RUN, DurableTable, FakeBatch, PlainComposer, busy_for, request

__all__ = ["BULK", "EXPRESS", "NOW", "RUN", "FakeBatch", "Sender", "World", "busy_for", "request"]


class Sender:
    """One process's life: a floor from its start to its crash or its clean end."""

    def __init__(self, world: "World", writer: bytes) -> None:
        self.world, self.journal = world, []
        self.table = DurableTable(world.durable, writer, self.journal)
        self.results: list[Told] = []
        self.publish_failures = 0
        self.batches: list[FakeBatch] = []
        self.own_work: list[FakeBatch] = []
        self.draining = False
        self.tasks: set[asyncio.Task[None]] = set()
        self.rate: float | None = None
        self.places, self.hourly, self.now = world.places, world.hourly, world.now
        self.policy, self.specs_away = world.policy, False
        self.control, self.told, self.handed_on = Control(), [], []
        for key, order in world.orders.items():
            self.control.note(key, order)
        self.floor = Floor(Surroundings(
            table=self.table, publish=self._publish, hand_on=self._hand_on, briefs=self._brief, desk=self._desk,
            express=lambda topic: topic == EXPRESS, own_work=self._own_work,
            tell=lambda engine, order: self.told.append((engine, order)), spawn=self._spawn, clock=lambda: self.now,
            control=self.control))
        self.floor.assigned({0})

    def put(self, *requests: SendRequested, start: int = 0, topic: str = BULK, partition: int = 0) -> FakeBatch:
        """Deliver these, at the offsets from `start` on."""
        batch = FakeBatch(len(requests), self.journal)
        self.batches.append(batch)
        for i, asked in enumerate(requests):
            self.floor.put(topic, partition, Item(batch, i, start + i, asked, due=asked.due))
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
        self.draining = True
        for batch in (*self.batches, *self.own_work):
            batch.draining = True
        self.floor.rest()

    def passes(self, seconds: float) -> None:
        """Let time pass."""
        self.now = self.world.now = self.now + seconds
        for lane in self.floor._lanes.values():
            lane._put_off.stirred.set()

    def order(self, subject: Subject, matter: Any, order: RunOrder | EngineFuse | EngineThrottle | None) -> None:
        """What an operator or an engine says, heard here at once, and by every process to come."""
        key, value = control_key(subject, matter), None if order is None else order.encode()
        self.world.orders[key] = value
        self.control.note(key, value)

    def put_off(self) -> dict[int, Entry]:
        """What is durably put off, by index."""
        entries = [merged(map(Entry.decode, copies.values()))
                   for (_, key), copies in self.table.durable.items() if key.startswith(b"l:") and copies]
        return {entry.request.index: entry for entry in entries}

    async def drain(self, limit: float = 2.0) -> None:
        """A clean release, cut off after `limit` seconds: the hooks in the order of `StreamApp`."""
        self.begin_drain()
        deadline = asyncio.get_running_loop().time() + limit
        while any("claimed" in batch.states for batch in (*self.batches, *self.own_work)):
            if asyncio.get_running_loop().time() > deadline:
                break
            await asyncio.sleep(0.001)
        await self.floor.last_words()
        await asyncio.sleep(0.02)  # the commit: lanes that had not stopped would go on here
        self.release()

    def release(self) -> None:
        """The partitions have left."""
        for batch in (*self.batches, *self.own_work):
            batch.live = False
        self.batches, self.own_work, self.draining = [], [], False
        self.floor.close()

    async def crash(self) -> None:
        """As kill -9: nothing of this process happens any more."""
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)

    def by_index(self) -> dict[int, Told]:
        """The last result of each recipient."""
        return {result.index: result for result in self.results}

    async def _publish(self, results: Sequence[Told]) -> None:
        await asyncio.sleep(0.001)
        if self.publish_failures:
            self.publish_failures -= 1
            raise OSError("not published")
        self.results += results
        self.journal.append(("results", len(results)))

    async def _brief(self, digest: str) -> Brief:
        if self.specs_away:
            raise SpecAway(digest)
        return Brief(PlainComposer(), self.policy)

    async def _hand_on(self, lanes: Any) -> None:
        await asyncio.sleep(0.001)
        appended = [(topic, lane, each) for (topic, lane), requests in lanes.items() for each in requests]
        self.handed_on += appended
        self.world.handed_on += appended
        self.journal.append(("handed on", sum(map(len, lanes.values()))))

    def _own_work(self, topic: str, partition: int) -> FakeBatch:
        batch = FakeBatch(1, self.journal)
        batch.draining = self.draining
        self.own_work.append(batch)
        return batch

    def _desk(self, engine_id: str) -> Desk:
        engine = self.world.engines.get(engine_id, self.world.engine)
        limits = Allowance(self.rate, None, [0], self.hourly)
        return Desk.of(engine_id, engine, limits, concurrency=self.places, partitions=4)

    def _spawn(self, coro: Any) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(coro)
        self.tasks.add(task)
        return task


class World:
    """What outlives the processes: the engines' providers, the orders, the time, the durable part of the table."""

    def __init__(self) -> None:
        self.engine = MemoryEngine()
        self.engines: dict[str, MemoryEngine] = {}
        """Those of other engines; "e", and who is not named here, is `engine`."""
        self.orders: dict[bytes, bytes | None] = {}
        self.places, self.now, self.policy = 4, NOW, Policy()
        self.hourly: int | None = None
        self.handed_on: list[tuple[str, int, SendRequested]] = []
        self.durable: dict[Any, Any] = {}
        self.senders: list[Sender] = []

    def sender(self) -> Sender:
        """The next process: another writer, with what was durable."""
        self.senders.append(Sender(self, b"writer%d" % len(self.senders)))
        return self.senders[-1]

    def mailed(self, index: int) -> int:
        """How often a recipient's mail was handed over."""
        return sum(message.message_id == send_id(RUN, 0, index) for message in self.engine.attempts)

    def results(self, index: int) -> list[Told]:
        """All that was ever said of a recipient."""
        return [result for sender in self.senders for result in sender.results if result.index == index]

    def has(self, mark: Mark, index: int) -> bool:
        """Whether a mark is durable."""
        return self.senders[-1].table.marks(0, f"m:{RUN}:0".encode()).has(mark, index)


@pytest.fixture
async def world() -> AsyncIterator[World]:
    world = World()
    yield world
    for sender in world.senders:
        await sender.crash()


@pytest.fixture
def put_off_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is tried again in place."""
    monkeypatch.setattr("outreach_stream.delivery.steps.IN_PLACE_TRIES", 1)
