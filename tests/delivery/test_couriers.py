"""Mails that follow one another over one connection: what comes up between the beginning of one and its message."""

import asyncio
import time
from collections import deque
from collections.abc import Sequence
from typing import Any

import pytest

from outreach_stream.delivery import couriers
from outreach_stream.delivery.couriers import COMPOSE_SECONDS, GROUP, Couriers
from outreach_stream.delivery.deliver import Came, Delivery
from outreach_stream.delivery.item import Item
from outreach_stream.domain.control import RunOrder, Subject
from outreach_stream.domain.events import SendRequested
from outreach_stream.domain.message import OutgoingMessage
from outreach_stream.domain.outcomes import Accepted, InDoubt, Outcome, RecipientRejected, Transient
from outreach_stream.domain.ports import Chain
from outreach_stream.domain.states import RecipientStatus
from outreach_stream.engines.memory import MemoryConnection, MemoryEngine

from .conftest import EXPRESS, RUN, Sender, World, request
from .fakes import PlainComposer

PAUSED = RunOrder(at=0, by="test")


class ChainingConnection(MemoryConnection):
    """Begins each mail before the one before it has ended, as SMTP does where both go in one packet."""

    def __init__(self, engine: "ChainingEngine") -> None:
        super().__init__(engine)
        self.engine = engine

    async def hand_over_all(self, chain: Chain) -> None:
        message = chain.next()
        while message is not None:
            self.engine.begun.append(message)
            await asyncio.sleep(0.001)      # its envelope is answered
            await self.engine.before.wait()
            if not chain.go():
                self.reusable = False
                chain.ended(Transient("kept"))
                return
            self.handed_over = True
            following = chain.next()
            self.engine.coupled += following is not None
            self.engine.attempts.append(message)
            await asyncio.sleep(0.001)
            if message in self.engine.breaks:
                self.engine.breaks.clear()
                self.reusable = False
                raise RuntimeError("a bug")
            outcome: Outcome = self.engine.script(message)  # type: ignore[assignment]
            self.handed_over = False
            chain.ended(outcome)
            message = following


class ChainingEngine(MemoryEngine):
    """With a gate before messages, and a bug on demand."""

    def __init__(self) -> None:
        super().__init__()
        self.begun: deque[OutgoingMessage] = deque()
        self.breaks: list[OutgoingMessage] = []
        self.coupled = 0
        self.before = asyncio.Event()
        self.before.set()

    async def acquire(self) -> ChainingConnection:
        await self._slots.acquire()
        return ChainingConnection(self)


@pytest.fixture
def engine(world: World) -> ChainingEngine:
    """The engine of the world, with connections that chain."""
    world.engine = engine = ChainingEngine()
    return engine


@pytest.fixture
def busy(engine: ChainingEngine, monkeypatch: pytest.MonkeyPatch) -> ChainingEngine:
    """The engine, in a loop that always has enough to do."""
    monkeypatch.setattr(Couriers, "busy", property(lambda _: True, lambda _self, _found: None))
    return engine


def recipients(engine: ChainingEngine) -> list[str]:
    return sorted(message.recipient for message in engine.attempts)


def everybody(count: int) -> list[str]:
    return sorted(f"p{i}@x.example" for i in range(count))


def begin(world: World, count: int) -> Sender:
    sender = world.sender()
    sender.put(*(request(i) for i in range(count)))
    return sender


async def test_all_are_mailed_once_over_few_connections(world: World, busy: ChainingEngine) -> None:
    """Each has its place, its mark and its result as ever; one is at hand when another is written."""
    engine, world.places = busy, 20
    sender = begin(world, 200)
    await sender.finish()

    assert recipients(engine) == everybody(200)
    assert {result.status for result in sender.results} == {RecipientStatus.SENT}
    assert {result.attempts for result in sender.results} == {1}
    assert engine.coupled


async def test_where_the_relay_takes_its_time_none_is_begun_behind_another(
        world: World, engine: ChainingEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    """It would wait there for an answer that is not its own, while there are places for more connections."""
    monkeypatch.setattr(couriers, "LATE_SECONDS", 60.0)
    monkeypatch.setattr(couriers, "AT_WORK", 2.0)
    world.places = 20
    sender = begin(world, 100)
    await sender.finish()

    assert recipients(engine) == everybody(100)
    assert not engine.coupled


async def test_no_more_connections_are_opened_at_a_time_than_a_server_keeps_waiting(
        world: World, engine: ChainingEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond that one by one: there may be a connection at hand, however many wait in vain for one of their own."""
    came, opened = [0], asyncio.Event()
    acquire = engine.acquire

    async def slowly() -> ChainingConnection:
        came[-1] += 1
        if sum(came) <= 100:
            await opened.wait()
        return await acquire()

    monkeypatch.setattr(engine, "acquire", slowly)
    look = Couriers._look

    def looked(self: Couriers, since: float, worked: float) -> None:
        came.append(0)
        look(self, since, worked)

    monkeypatch.setattr(Couriers, "_look", looked)
    world.places = 200
    sender = begin(world, 200)
    await sender.until(lambda: sum(came) > 100)
    assert max(came) <= couriers.HANDSHAKES
    await sender.until(lambda: len(engine.attempts) > 50)
    opened.set()
    await sender.finish()
    assert recipients(engine) == everybody(200)


async def test_an_order_that_comes_after_the_beginning_still_counts(world: World, engine: ChainingEngine) -> None:
    """Its message does not go, and goes when the run is resumed, once."""
    engine.before.clear()
    sender = begin(world, 3)
    await sender.until(lambda: engine.begun)
    sender.order(Subject("run", RUN), "pause", PAUSED)
    engine.before.set()
    await sender.until(lambda: len(sender.put_off()) == 3)
    assert not engine.attempts

    sender.order(Subject("run", RUN), "pause", None)
    await sender.until(lambda: len(sender.results) == 3)
    assert recipients(engine) == everybody(3)
    assert not any(result.possible_duplicate for result in sender.results)


async def test_a_drain_does_not_wait_for_one_that_is_only_begun(world: World, engine: ChainingEngine) -> None:
    """It is given back unsent and without doubt; the next process mails it."""
    engine.before.clear()
    sender = begin(world, 3)
    await sender.until(lambda: engine.begun)
    sender.begin_drain()
    engine.before.set()
    await sender.drain()
    assert not engine.attempts

    second = begin(world, 3)
    await second.finish()
    assert recipients(engine) == everybody(3)
    assert not any(result.possible_duplicate for result in second.results)


async def test_of_a_chain_that_breaks_only_the_one_under_way_is_in_doubt(world: World, busy: ChainingEngine) -> None:
    """The one begun behind it was not handed over: it is mailed, and has no label."""
    engine, world.places = busy, 20
    engine.before.clear()
    sender = begin(world, 10)
    await sender.until(lambda: engine.begun)
    engine.breaks.append(engine.begun[0])
    broken = engine.begun[0].recipient
    engine.before.set()
    await sender.finish()

    assert [result.email for result in sender.results if result.possible_duplicate] == [broken]
    assert recipients(engine) == sorted([*everybody(10), broken])
    assert {result.status for result in sender.results} == {RecipientStatus.SENT}


async def test_a_refusal_in_a_chain_is_its_recipients_alone(world: World, engine: ChainingEngine) -> None:
    """The others go on; who is refused for a moment is tried again, who is in doubt is labelled."""
    seen: set[str] = set()

    def script(message: OutgoingMessage) -> Outcome:
        first = message.recipient not in seen
        seen.add(message.recipient)
        kinds = {"p1": RecipientRejected("no"), "p2": Transient("busy"), "p3": InDoubt("lost")}
        return kinds.get(message.recipient[:2], Accepted("1")) if first else Accepted("1")

    engine.script = script
    sender = begin(world, 6)
    await sender.finish()

    ends = sender.by_index()
    assert [ends[i].status for i in range(6)] == [RecipientStatus.SENT, RecipientStatus.FAILED] + 4 * [
        RecipientStatus.SENT]
    assert [ends[i].attempts for i in range(6)] == [1, 1, 2, 2, 1, 1]
    assert [i for i in range(6) if ends[i].possible_duplicate] == [3]


async def test_under_a_rate_none_is_begun_behind_another(world: World, busy: ChainingEngine) -> None:
    """Its token would be older than the answer that it waits for."""
    engine = busy
    sender = world.sender()
    sender.rate, sender.places = 10_000.0, 20
    sender.put(*(request(i) for i in range(50)))
    await sender.finish()

    assert recipients(engine) == everybody(50)
    assert not engine.coupled


async def test_one_that_waits_a_moment_for_its_token_stays_with_the_couriers(
        world: World, engine: ChainingEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where all places have their token within a second, none of them goes by itself for want of one."""
    sender = world.sender()
    sender.rate, sender.places = 200.0, 20
    by_itself: list[int] = []

    async def deliver(_self: Delivery, item: Item, *_: object, **__: object) -> None:
        by_itself.append(item.request.index)

    monkeypatch.setattr(Delivery, "deliver", deliver)
    sender.put(*(request(i) for i in range(60)))
    await sender.finish()

    assert recipients(engine) == everybody(60)
    assert not by_itself


async def test_express_waits_with_the_others_where_others_wait(world: World, engine: ChainingEngine) -> None:
    """Bulk that waits for its tokens by itself, as what is tried again does, has not all of them."""
    sender = world.sender()
    sender.rate, sender.places = 50.0, 10
    sender.put(request(0))
    await sender.finish()
    bucket = sender.floor.desks["e"].bucket

    async def bulk() -> None:
        while True:
            await bucket.take()

    others = [asyncio.create_task(bulk()) for _ in range(9)]
    await asyncio.sleep(0.05)
    sender.put(request(500, email="express@x.example"), topic=EXPRESS, start=1)
    await sender.until(lambda: len(sender.results) == 2)
    for each in others:
        each.cancel()
    assert engine.attempts[-1].recipient == "express@x.example"


async def test_with_a_slower_engine_each_waits_for_its_token_by_itself(
        world: World, engine: ChainingEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Or an order would be noticed late by those that wait for seconds."""
    sender = world.sender()
    sender.rate, sender.places = 15.0, 20
    by_itself: list[int] = []
    deliver = Delivery.deliver

    async def delivered(self: Delivery, item: Item, *args: object, **named: object) -> Came:
        by_itself.append(item.request.index)
        return await deliver(self, item, *args, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(Delivery, "deliver", delivered)
    sender.put(*(request(i) for i in range(5)))
    await sender.finish()

    assert recipients(engine) == everybody(5)
    assert by_itself


async def test_those_of_a_workflow_are_composed_together(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each mail is composed once, most of them with others."""
    groups: list[int] = []
    compose_all = PlainComposer.compose_all

    def composed(self: PlainComposer, requests: Sequence[SendRequested], now: float) -> list[Any]:
        groups.append(len(requests))
        return compose_all(self, requests, now)

    monkeypatch.setattr(PlainComposer, "compose_all", composed)
    world.places = 20
    await begin(world, 100).finish()

    assert sum(groups) == len(world.engine.attempts) == 100
    assert len(groups) < 50
    assert max(groups) <= GROUP


async def test_mails_that_take_long_are_composed_by_themselves(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing else is done while a group is composed, so it is the smaller the longer each of it takes."""
    groups: list[int] = []
    compose_all = PlainComposer.compose_all

    def composed(self: PlainComposer, requests: Sequence[SendRequested], now: float) -> list[Any]:
        groups.append(len(requests))
        time.sleep(COMPOSE_SECONDS / 2 * len(requests))
        return compose_all(self, requests, now)

    monkeypatch.setattr(PlainComposer, "compose_all", composed)
    world.places = 8
    await begin(world, 8).finish()

    assert sum(groups) == 8
    assert max(groups) <= 2


@pytest.mark.parametrize(("fault", "reason"), [("broken", "template: subject: 'broken' is undefined"),
                                               ("bug", "template: KeyError")])
async def test_one_that_cannot_be_composed_fails_by_itself(world: World, fault: str, reason: str) -> None:
    """The others of its group go, whether it is the template that does not fit it or a mistake of ours."""
    world.places = 20
    sender = world.sender()
    sender.put(*(request(i, variables={fault: i == 7}) for i in range(20)))
    await sender.finish()

    assert sorted(message.recipient for message in world.engine.attempts) == [
        address for address in everybody(20) if address != "p7@x.example"]
    assert {i: result.reason for i, result in sender.by_index().items() if result.reason} == {7: reason}


async def test_express_is_next_wherever_a_courier_comes_free(world: World, engine: ChainingEngine) -> None:
    """What waits in bulk's queue does not hold it up."""
    engine.before.clear()
    sender = begin(world, 20)
    await sender.until(lambda: engine.begun)
    sender.put(request(500, email="express@x.example"), topic=EXPRESS)
    engine.before.set()
    await sender.finish()

    order = [message.recipient for message in engine.attempts]
    assert order.index("express@x.example") < 2 * world.places
