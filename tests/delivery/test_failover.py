"""An engine that stops: who is told, what becomes of its recipients, and that no two engines mail one of them."""

import asyncio
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from outreach_stream.domain.control import EngineFuse, Subject
from outreach_stream.domain.marks import Mark
from outreach_stream.domain.outcomes import Accepted, EngineStopped, InDoubt, SenderBlocked, Transient
from outreach_stream.domain.policy import Policy, Route, WhenStopped
from outreach_stream.domain.states import RecipientStatus
from outreach_stream.engines.memory import Answer, MemoryEngine

from .conftest import BULK, NOW, RUN, Sender, World, request

ENGINE = Subject("engine", "e")
FUSE = EngineFuse(reason="key: revoked", at=NOW, by="sender")
STOPPED = EngineStopped("key", "revoked")


def policy(when: WhenStopped, *, lane: int = 0) -> Policy:
    return Policy(on_engine_stopped=when, routes=[Route("e", [0]), Route("b", [lane])])


def with_second_engine(world: World, when: WhenStopped = "failover") -> MemoryEngine:
    world.policy = policy(when)
    world.engines["b"] = MemoryEngine()
    return world.engines["b"]


def mailed_by(engine: MemoryEngine, index: int) -> int:
    return sum(message.message_id == f"{RUN}:0:{index}" for message in engine.attempts)


async def hand_over_what_was_handed_on(sender: Sender, requests: list[Any], start: int) -> None:
    """What Kafka does: the next engine's requests arrive in its lane."""
    sender.put(*requests, start=start)
    await sender.finish()


async def test_everybody_is_told_once_and_its_recipients_wait(world: World) -> None:
    """Several on the wire hear the same; a resume wakes those that wait, unlabelled."""
    world.engine.script = lambda message: Answer(STOPPED, after=0.01)
    sender = world.sender()
    sender.put(*(request(i) for i in range(10)))
    await sender.finish()
    assert [(engine, order.reason, order.by) for engine, order in sender.told] == [("e", "key: revoked", "sender")]
    assert (sender.results, len(sender.put_off())) == ([], 10)
    tried = len(world.engine.attempts)
    assert tried <= sender.places
    sender.order(ENGINE, "fuse", FUSE)
    await asyncio.sleep(0.02)
    assert len(world.engine.attempts) == tried

    world.engine.script = lambda message: Accepted("1")
    sender.order(ENGINE, "fuse", None)
    await sender.until(lambda: len(sender.results) == 10)
    assert {(end.status, end.possible_duplicate, end.attempts) for end in sender.results} == {
        (RecipientStatus.SENT, False, 1)}


async def test_stopped_elsewhere_it_fails_those_that_shall_not_wait(world: World) -> None:
    """Those put off too, and no engine is touched."""
    world.policy = Policy(on_engine_stopped="fail")
    sender = world.sender()
    sender.specs_away = True
    sender.put(request(0))
    await sender.finish()
    sender.specs_away = False
    sender.order(ENGINE, "fuse", FUSE)
    sender.put(request(1), start=1)
    await sender.until(lambda: not sender.put_off() and len(sender.results) == 2)
    assert {(end.status, end.reason) for end in sender.results} == {
        (RecipientStatus.FAILED, "its engine has stopped: key: revoked")}
    assert (world.engine.attempts, sender.told) == ([], [])


async def test_blocked_again_and_again_it_stops(world: World) -> None:
    """Ten in a row are no accident; those fail, the rest waits."""
    world.engine.script = lambda message: SenderBlocked("5.7.1")
    sender = world.sender()
    sender.put(*(request(i) for i in range(30)))
    await sender.finish()
    assert [order.reason for _, order in sender.told] == ["5.7.1"]
    assert 10 <= len(sender.results) < 10 + sender.places
    assert len(sender.results) + len(sender.put_off()) == 30


async def test_an_unknown_engine_is_told_to_nobody_and_goes_on_when_it_is_there(world: World) -> None:
    """The catalog's word is enough for it."""
    world.engine.unreachable = EngineStopped("engine_unknown", "the catalog has no engine e")
    sender = world.sender()
    sender.put(request(0))
    await sender.finish()
    assert (sender.told, len(sender.put_off())) == ([], 1)
    world.engine.unreachable = None
    sender.floor.limit({"e": sender.floor._desks["e"].limits})
    await sender.until(lambda: sender.results)
    assert sender.by_index()[0].status is RecipientStatus.SENT


async def test_what_was_put_off_and_found_the_engine_stopped_is_not_doubted(world: World) -> None:
    """Refused by all means: neither a clean release nor a crash may label it, nor hold it."""
    world.engine.script = lambda message: Transient("busy")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("outreach_stream.delivery.steps.IN_PLACE_TRIES", 1)
        first = world.sender()
        first.put(request(0))
        await first.finish()
    world.engine.script = lambda message: STOPPED
    first.passes(31)
    await first.until(lambda: first.told)
    await first.until(lambda: not first.put_off()[0].tried)
    await first.crash()
    world.engine.script = lambda message: Accepted("1")
    second = world.sender()
    await second.until(lambda: second.results)
    assert not second.by_index()[0].possible_duplicate


async def test_handed_on_with_a_mark_that_was_durable_first(world: World) -> None:
    """To the next engine's lane of the same topic; its own engine is done with it."""
    second_engine = with_second_engine(world)
    world.policy = policy("failover", lane=3)
    world.engine.script = lambda message: STOPPED
    sender = world.sender()
    sender.put(*(request(i) for i in range(6)))
    await sender.finish()
    assert sorted(each.index for _, _, each in sender.handed_on) == list(range(6))
    assert {(topic, lane, each.engine) for topic, lane, each in sender.handed_on} == {(BULK, 3, "b")}
    kinds = [entry[0] if entry[0] != "table" else entry[1] for entry in sender.journal]
    assert kinds.index("v") < kinds.index("handed on") < kinds.index("done")
    assert (sender.results, second_engine.attempts) == ([], [])


@pytest.mark.parametrize("lane", [0, 3])
async def test_end_to_end(world: World, lane: int) -> None:
    """Whether or not the lanes of both share a partition, and its marks: each is mailed once, by the second engine."""
    second_engine = with_second_engine(world)
    world.policy = policy("failover", lane=lane)
    world.engine.script = lambda message: STOPPED
    sender = world.sender()
    sender.put(*(request(i) for i in range(12)))
    await sender.finish()
    other = world.sender() if lane else sender
    other.floor.assigned({lane})
    other.put(*(each for *_, each in sender.handed_on), start=12, partition=lane)
    await other.finish()
    assert [mailed_by(second_engine, i) for i in range(12)] == [1] * 12
    assert {(end.status, end.engine) for end in other.results} == {(RecipientStatus.SENT, "b")}
    assert dict(other.floor.progress())[BULK, lane, "b"] == 24


async def test_a_crash_between_mark_and_hand_on_hands_on_again_though_the_engine_works(world: World) -> None:
    """Nobody can know whether the next engine has it: only that one may send it."""
    second_engine = with_second_engine(world)
    world.engine.script = lambda message: STOPPED
    first = world.sender()
    first.put(request(0))
    await first.until(lambda: first.journal.count(("table", "v")))
    await first.crash()
    assert first.handed_on == []

    world.engine.script = lambda message: Accepted("1")
    second = world.sender()
    second.put(request(0), request(0))
    await second.finish()
    assert {each.engine for *_, each in second.handed_on} == {"b"}
    await hand_over_what_was_handed_on(second, [each for *_, each in second.handed_on], 2)
    assert mailed_by(second_engine, 0) == 1
    assert not any(message.message_id == f"{RUN}:0:0" for message in world.engine.sent)


async def test_the_doubted_never_go_to_another_engine(world: World) -> None:
    """They wait for their own; what the run before left in doubt likewise."""
    with_second_engine(world)
    world.engine.script = lambda message: Answer(Accepted("1"), after=60)
    first = world.sender()
    first.put(request(0))
    await first.until(lambda: world.engine.attempts)
    await first.crash()
    second = world.sender()
    second.order(ENGINE, "fuse", FUSE)
    second.put(request(0), request(1, doubted=True), request(2))
    await second.finish()
    assert [each.index for *_, each in second.handed_on] == [2]
    assert sorted(second.put_off()) == [0, 1]
    assert world.mailed(0) == 1


async def test_in_doubt_and_then_stopped_is_not_handed_on(world: World) -> None:
    """Never answered at first, and the engine stopped at the second attempt."""
    with_second_engine(world)
    answers = iter([InDoubt("lost")])
    world.engine.script = lambda message: next(answers, STOPPED)
    sender = world.sender()
    sender.put(request(0))
    await sender.finish()
    assert (sender.handed_on, list(sender.put_off())) == ([], [0])
    assert world.has(Mark.DOUBTED, 0)


async def test_the_last_engine_of_all_keeps_them(world: World) -> None:
    """Nobody is left: they wait."""
    with_second_engine(world)
    world.engines["b"].script = lambda message: STOPPED
    sender = world.sender()
    sender.put(request(0, engine="b"))
    await sender.finish()
    assert (sender.handed_on, list(sender.put_off())) == ([], [0])


@settings(max_examples=20, deadline=None)
@given(kills=st.lists(st.tuples(st.floats(0.001, 0.03), st.integers(0, 8)), max_size=4))
def test_killed_at_any_moment_of_a_failover(kills: list[tuple[float, int]]) -> None:
    """The first engine works again in each life, and stops again: nobody is lost, nor mailed by both."""
    asyncio.run(move_and_die(kills))


async def move_and_die(kills: list[tuple[float, int]]) -> None:
    world, count = World(), 12
    second_engine = with_second_engine(world)
    for lifetime, works_for in [*kills, (5.0, 1_000_000)]:
        until_it_stops = len(world.engine.attempts) + works_for
        world.engine.script = lambda message, last=until_it_stops: (
            STOPPED if len(world.engine.attempts) > last else Answer(Accepted("1"), after=0.002))
        sender = world.sender()
        sender.put(*(request(i) for i in range(count)))
        taken, end = 0, asyncio.get_running_loop().time() + lifetime
        while asyncio.get_running_loop().time() < end and not all(world.results(i) for i in range(count)):
            for *_, each in world.handed_on[taken:]:  # what Kafka does: they arrive in the next engine's lane
                sender.put(each, start=count + taken)
                taken += 1
            await asyncio.sleep(0.001)
        sender.check()
        await sender.crash()
    for i in range(count):
        sent = sum(message.message_id == f"{RUN}:0:{i}" for message in world.engine.sent)
        assert world.results(i)
        assert not (sent and mailed_by(second_engine, i))
        if sent + mailed_by(second_engine, i) > 1:
            assert any(result.possible_duplicate for result in world.results(i))
