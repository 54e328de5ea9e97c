"""What is put off outlives processes: nobody is lost, and a retry and its original never both go out."""

import asyncio

import pytest

from outreach_stream.delivery.item import History
from outreach_stream.delivery.later import Entry, merged
from outreach_stream.domain.marks import Mark
from outreach_stream.domain.outcomes import Accepted
from outreach_stream.domain.states import RecipientStatus
from outreach_stream.engines.memory import Answer

from .conftest import EXPRESS, World, busy_for, request

pytestmark = pytest.mark.usefixtures("put_off_at_once")


@pytest.mark.parametrize("same", [True, False])
async def test_armed_again_wherever_the_lane_goes(world: World, same: bool) -> None:
    """The next assignment of this process and the next process find it; its original is not needed, nor is another."""
    world.engine.script = busy_for(0)
    sender = world.sender()
    sender.put(request(0))
    await sender.finish()
    await sender.drain()
    if same:
        sender.floor.assigned({0})
    else:
        await sender.crash()
        sender = world.sender()
    await asyncio.sleep(0.02)
    assert world.mailed(0) == 1  # its time has not come for having changed hands
    sender.passes(31)
    await sender.until(lambda: sender.results)
    assert sender.by_index()[0].attempts == 2
    assert not sender.by_index()[0].possible_duplicate


async def test_the_original_delivered_again_is_acknowledged_and_not_sent(world: World) -> None:
    """Its entry answers for it: killed between the entry and the commit."""
    world.engine.script = busy_for(0)
    first = world.sender()
    first.put(request(0))
    await first.finish()
    await first.crash()

    second = world.sender()
    second.put(request(0), request(0))
    await second.finish()
    assert (world.mailed(0), second.results) == (1, [])
    second.passes(31)
    await second.until(lambda: second.results)
    assert world.mailed(0) == 2
    assert [result.possible_duplicate for result in second.results] == [False]


async def test_an_entry_that_was_never_durable_acknowledges_nothing(world: World) -> None:
    """The store is ahead of the changelog where a write failed: the next assignment writes it before it says done."""
    world.engine.script = busy_for(0)
    sender = world.sender()
    batch = sender.put(request(0))
    await sender.until(lambda: world.engine.attempts)
    sender.table.failures = 1
    await sender.until(lambda: not sender.table.failures)
    batch.lost = True
    sender.release()
    assert sender.put_off() == {}

    sender.floor.assigned({0})
    sender.put(request(0))
    await sender.finish()
    assert list(sender.put_off()) == [0]


async def test_an_entry_beside_an_end_is_only_said_again(world: World) -> None:
    """The crash came between the mark and the removal; and a frozen process may write its copy later still."""
    world.engine.script = busy_for(0)
    zombie, owner = world.sender(), world.sender()
    owner.put(request(0))
    await owner.finish()
    late = owner.put_off()[0]
    owner.passes(31)
    await owner.until(lambda: owner.results and not owner.put_off())
    for key, entry in ((b"l:e:bulk:run:0:0", late), (b"l:e:bulk:run:0:0", late._replace(tried=True))):
        await zombie.table.write(0, key, entry.encode())
        third = world.sender()
        await third.until(lambda third=third: third.results and not third.put_off())
        assert (third.by_index()[0].status, third.by_index()[0].recovered) == (RecipientStatus.SENT, True)
        await third.crash()
    assert world.mailed(0) == 2


async def test_killed_on_the_wire_of_a_retry_is_labelled_or_held(world: World) -> None:
    """`tried` is durable before the second hand-over; express is held."""
    for topic, status in (("bulk", RecipientStatus.SENT), (EXPRESS, RecipientStatus.IN_DOUBT)):
        place = World()
        place.engine.script = busy_for(0)
        first = place.sender()
        first.put(request(0), topic=topic)
        await first.finish()
        place.engine.script = lambda message: Answer(Accepted("1"), after=60)
        first.passes(31)
        await first.until(lambda place=place: place.mailed(0) == 2)
        assert first.put_off()[0].tried
        await first.crash()

        place.engine.script = lambda message: Accepted("1")
        second = place.sender()
        await second.until(lambda second=second: second.results)
        assert (second.by_index()[0].status, second.by_index()[0].possible_duplicate) == (status, True)
        assert place.mailed(0) == (3 if topic == "bulk" else 2)
        assert place.has(Mark.DOUBTED, 0)
        await second.crash()


async def test_a_drain_does_not_wait_for_an_entry_that_nobody_writes_any_more(world: World) -> None:
    """The lane's own task is cancelled while it puts one off: that is given back at once."""
    sender = world.sender()
    sender.specs_away = True
    sender.table.stalled = True
    batch = sender.put(request(0))
    await sender.until(lambda: batch.states == ["claimed"])
    began = asyncio.get_running_loop().time()
    sender.begin_drain()
    await sender.until(lambda: batch.states == ["waiting"], seconds=1)
    assert asyncio.get_running_loop().time() - began < 0.5


async def test_a_doubt_outlives_a_clean_release_that_follows_it(world: World) -> None:
    """Cut off with several retries on the wire, assigned to the same process, and released before it came to all."""
    world.engine.script = busy_for(*range(4))
    sender = world.sender()
    sender.put(*(request(i) for i in range(4)))
    await sender.finish()
    world.engine.script = lambda message: Answer(Accepted("1"), after=60)
    sender.passes(31)
    await sender.until(lambda: len(world.engine.attempts) == 8)
    await sender.drain(limit=0.02)

    sender.journal.clear()
    sender.floor.assigned({0})
    await sender.until(lambda: ("table", "l") in sender.journal)  # the first one's block covers all four
    await sender.drain(limit=0.02)
    await sender.crash()
    world.engine.script = lambda message: Accepted("1")
    next_one = world.sender()
    await next_one.until(lambda: len(next_one.results) == 4)
    assert all(result.possible_duplicate for result in next_one.results)


def test_copies_of_an_entry_are_one() -> None:
    """Whoever came furthest is believed, and any doubt is one."""
    early, late = Entry(request(0), 10.0, History(1, 1, 5.0), tried=True), Entry(request(0), 7.0, History(2, 2, 5.0))
    assert merged([late, early]) == merged([early, late]) == late._replace(tried=True)
