"""A clean release leaves no doubt; one that was cut off says what it does not know."""

import asyncio

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from outreach_stream.domain.marks import Mark
from outreach_stream.domain.outcomes import Accepted, InDoubt, Transient
from outreach_stream.domain.states import RecipientStatus
from outreach_stream.engines.memory import Answer

from .conftest import BULK, EXPRESS, World, request

COUNT = 40


async def finish_with_another(world: World, count: int, topic: str = BULK) -> dict[int, bool]:
    """The next process ends everything; returns who is labelled."""
    world.engine.script = lambda message: Accepted("1")
    sender = world.sender()
    sender.put(*(request(i) for i in range(count)), topic=topic)
    await sender.finish()
    return {index: result.possible_duplicate for index, result in sender.by_index().items()}


@settings(max_examples=25, deadline=None)
@given(moments=st.lists(st.floats(0.0, 0.05), min_size=1, max_size=4), places=st.integers(1, 6),
       topic=st.sampled_from([BULK, EXPRESS]), same=st.booleans())
def test_released_at_any_moment(moments: list[float], places: int, topic: str, same: bool) -> None:
    """Nobody is mailed twice, labelled or held, however often partitions leave and whoever gets them."""
    asyncio.run(come_and_go(moments, places, topic, same))


async def come_and_go(moments: list[float], places: int, topic: str, same: bool) -> None:
    world = World()
    world.engine.script = lambda message: Answer(Accepted("1"), after=0.004)
    sender = world.sender()
    for moment in [*moments, None]:
        sender.places = places
        sender.floor.assigned({0})
        sender.put(*(request(i) for i in range(COUNT)), topic=topic)
        if moment is None:
            await sender.finish()
            break
        await asyncio.sleep(moment)
        await sender.drain()
        if not same:
            await sender.crash()
            sender = world.sender()
    assert [world.mailed(i) for i in range(COUNT)] == [1] * COUNT
    results = [result for each in world.senders for result in each.results]
    assert {result.status for result in results} == {RecipientStatus.SENT}
    assert not any(result.possible_duplicate for result in results)
    await sender.crash()


async def test_after_the_drain_began_nothing_is_begun(world: World) -> None:
    """No hand-over and no wider watermark: the last word is the last."""
    world.engine.script = lambda message: Answer(Accepted("1"), after=0.02)
    sender = world.sender()
    sender.put(*(request(i) for i in range(COUNT)))
    await sender.until(lambda: world.engine.attempts)
    sender.begin_drain()
    attempts, written = len(world.engine.attempts), sender.journal.count(("table", "w"))
    sender.put(request(COUNT, engine="another"), start=COUNT)  # still delivered: no lane is opened for it
    await sender.drain()
    assert len(world.engine.attempts) == attempts
    assert sender.journal.count(("table", "w")) <= written + 2  # one that was under way, and the last word


async def test_cut_off_on_the_wire_is_in_doubt(world: World) -> None:
    """The drain's limit is over while the provider is silent: those, and only those, are labelled."""
    world.engine.script = lambda message: Answer(Accepted("1"), after=60)
    sender = world.sender()
    sender.places = 3
    sender.put(*(request(i) for i in range(10)))
    await sender.until(lambda: len(world.engine.attempts) == 3)
    await sender.drain(limit=0.02)
    await sender.crash()

    labelled = await finish_with_another(world, 10)
    assert [index for index, label in sorted(labelled.items()) if label] == [0, 1, 2]


async def test_a_doubt_outlives_a_clean_release_that_follows_it(world: World) -> None:
    """Cut off with several on the wire, assigned to the same process again and released before it came to all."""
    world.engine.script = lambda message: Answer(Accepted("1"), after=60)
    sender = world.sender()
    sender.put(*(request(i) for i in range(4)))
    await sender.until(lambda: len(world.engine.attempts) == 4)
    await sender.drain(limit=0.02)

    sender.floor.assigned({0})
    sender.journal.clear()
    batch = sender.put(*(request(i) for i in range(4)))
    await sender.until(lambda: ("table", "w") in sender.journal)  # the first one's block covers all four
    batch.draining = True
    await sender.drain(limit=0.02)
    await sender.crash()

    assert all((await finish_with_another(world, 4)).values())


async def test_a_retry_does_not_hold_a_drain_up_and_leaves_no_doubt(world: World) -> None:
    """Refused once and waiting to be tried again: given back at once, certainly not sent."""
    world.engine.script = lambda message: Transient("busy")
    sender = world.sender()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("outreach_stream.delivery.steps.FIRST_BACKOFF", 0.9)
        patch.setattr("outreach_stream.delivery.deliver.random.random", lambda: 1.0)
        sender.put(request(0))
        await sender.until(lambda: world.engine.attempts)
        began = asyncio.get_running_loop().time()
        await sender.drain(limit=5)
    assert asyncio.get_running_loop().time() - began < 0.6
    await sender.crash()
    assert await finish_with_another(world, 1) == {0: False}


async def test_a_resend_of_a_doubt_given_back_keeps_its_label(world: World) -> None:
    """In doubt, waiting for its second attempt, released: the mark is durable, the next owner labels it."""
    world.engine.script = lambda message: InDoubt("lost")
    sender = world.sender()
    sender.put(request(0))
    await sender.until(lambda: world.has(Mark.DOUBTED, 0))
    await sender.drain()
    await sender.crash()
    assert await finish_with_another(world, 1) == {0: True}


async def test_no_place_is_lost_over_many_assignments(world: World) -> None:
    """Whatever was cancelled, and wherever: after it, all places are free."""
    world.engine.script = lambda message: Answer(Accepted("1"), after=0.01)
    sender = world.sender()
    for round_ in range(30):
        sender.floor.assigned({0})
        sender.put(*(request(i, run_id=f"run{round_}") for i in range(20)))
        for _ in range(round_ % 7):
            await asyncio.sleep(0)
        sender.release()  # without a drain, between any two steps
    await asyncio.sleep(0.05)
    desk = sender.floor._desks["e"]
    assert desk.places.free == desk.size
    assert world.engine._slots._value == 10


async def test_express_released_is_not_held(world: World) -> None:
    """A deploy holds nobody's password mail."""
    world.engine.script = lambda message: Answer(Accepted("1"), after=0.01)
    sender = world.sender()
    sender.put(*(request(i) for i in range(10)), topic=EXPRESS)
    await sender.until(lambda: world.engine.attempts)
    await sender.drain()
    await sender.crash()
    await finish_with_another(world, 10, EXPRESS)
    assert [world.mailed(i) for i in range(10)] == [1] * 10


async def test_a_drain_does_not_wait_for_tokens(world: World) -> None:
    """Neither for the first one, nor for the one that follows a stale lease."""
    sender = world.sender()
    sender.rate = 4.0
    batch = sender.put(request(0))
    batch.stale = True
    await asyncio.sleep(0.4)  # its token is taken, and lost
    batch.stale = False
    await asyncio.sleep(0.05)
    assert (batch.states, world.engine.attempts) == (["waiting"], [])
