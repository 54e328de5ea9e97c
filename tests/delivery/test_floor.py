"""The floor: lanes open with their first request, and close with their partitions."""

import asyncio

import pytest
from structlog.testing import capture_logs

from outreach_stream.delivery.desk import Allowance, Desk
from outreach_stream.delivery.item import Item
from outreach_stream.domain.outcomes import Accepted
from outreach_stream.engines.memory import Answer, MemoryEngine

from .conftest import BULK, EXPRESS, NOW, RUN, FakeBatch, World, request


async def test_lanes_report_how_far_they_are_once(world: World) -> None:
    """By topic, partition and engine; again only when they have come further."""
    sender = world.sender()
    sender.put(request(0), request(1), topic=BULK, start=5)
    sender.put(request(2, run_id="quick", engine="other"), topic=EXPRESS, start=9)
    await sender.finish()
    assert dict(sender.floor.progress()) == {(BULK, 0, "e"): 7, (EXPRESS, 0, "other"): 10}
    assert dict(sender.floor.progress()) == {}


async def test_progress_stops_at_the_first_unfinished(world: World) -> None:
    """Later ones that ended do not count: everything below is finished."""
    world.engine.script = lambda message: Answer(Accepted("1"), before=0.1 if message.message_id == f"{RUN}:0:1" else 0)
    sender = world.sender()
    batch = sender.put(*(request(i) for i in range(4)))
    await sender.until(lambda: batch.states.count("done") == 3)
    assert dict(sender.floor.progress()) == {(BULK, 0, "e"): 1}
    await sender.finish()
    assert dict(sender.floor.progress()) == {(BULK, 0, "e"): 4}


async def test_one_engine_that_stands_still_holds_no_other_up(world: World) -> None:
    """Same partition, other engine: its own places, its own pace."""
    world.engine.script = lambda mail: Answer(Accepted("1"), before=30 if mail.message_id.startswith("slow") else 0)
    sender = world.sender()
    sender.put(*(request(i, engine="slow", run_id="slow") for i in range(20)))
    other = sender.put(*(request(i) for i in range(20)), start=20)
    await sender.until(lambda: set(other.states) == {"done"})


async def test_what_a_dead_or_leaving_partition_still_delivers_is_left_alone(world: World) -> None:
    """A lane opened then would read the table before its recovery, and mail what another process has mailed."""
    sender = world.sender()
    sender.begin_drain()
    sender.put(request(0))
    sender.release()
    sender.put(request(0))
    assert sender.floor._lanes == {}

    sender.floor.assigned({0})
    dead = FakeBatch(1, sender.journal)
    dead.live = False
    sender.floor.put(BULK, 0, Item(dead, 0, 0, request(0)))
    assert sender.floor._lanes == {}


async def test_closing_leaves_nothing_behind(world: World) -> None:
    """No task of an old assignment is left, and no lane, record or progress."""
    world.engine.script = lambda message: Answer(Accepted("1"), before=30)
    sender = world.sender()
    sender.put(*(request(i) for i in range(20)))
    await sender.until(lambda: len(world.engine.attempts) == 4)
    sender.release()
    await asyncio.sleep(0.01)
    assert all(task.done() for task in sender.tasks)
    assert (sender.floor._lanes, sender.floor._records, sender.floor._told) == ({}, {}, {})


@pytest.mark.parametrize("owned", [{0, 3}, {3}])
async def test_a_request_outside_of_the_engines_lanes_is_reported_and_ended(world: World, owned: set[int]) -> None:
    """The engine's lanes were changed under way: it must not stand still, whether or not one of today's is ours."""
    sender = world.sender()
    sender.rate = 1000
    sender.floor.assigned(owned)
    with capture_logs() as logs:
        sender.put(request(1), partition=3)
        await sender.finish()
    assert [entry["lane"] for entry in logs if entry["event"] == "request_outside_of_engines_lanes"] == [3]
    assert world.mailed(1) == 1


def test_what_is_left_in_former_lanes_goes_at_less_than_the_rate_once_more() -> None:
    """However those lanes are spread over processes; and who has no request in them has no share."""
    def share(owned: set[int], busy: set[int]) -> float:
        desk = Desk.of("e", MemoryEngine(), Allowance(100, 10, [5]), concurrency=1, partitions=8)
        desk.own(owned, busy)
        return desk.bucket._rate

    assert share({5}, {5}) == 100
    assert sum(share({lane}, {lane}) for lane in range(8)) < 200
    assert share({1, 2, 3}, set()) == 0


async def test_changed_limits_hold_from_then_on(world: World) -> None:
    """A rate that was raised in the catalog needs no restart; engines that are not named keep theirs."""
    sender = world.sender()
    sender.rate = 0.001
    sender.put(request(0), request(1))
    await asyncio.sleep(0.05)
    assert world.engine.attempts == []
    sender.floor.limit({"other": Allowance(5, 1, [0])})
    assert sender.floor._desks["e"].limits.rate == 0.001
    sender.floor.limit({"e": Allowance(1000, 100, [0])})
    await sender.finish()


async def test_limits_that_take_our_lanes_away_leave_nobody_behind(world: World) -> None:
    """A rate so low that the engine has one lane, another process's: what was in ours still ends."""
    sender = world.sender()
    sender.rate = 0.001
    sender.put(request(0))
    sender.floor.limit({"e": Allowance(500, 2, [3])})
    await sender.finish()
    assert world.mailed(0) == 1


async def test_shut_closes_the_engines(world: World) -> None:
    """Every engine that was used."""
    sender = world.sender()
    sender.put(request(0))
    await sender.finish()
    await sender.floor.shut()
    assert world.engine._closed


async def test_a_cap_that_is_used_up_puts_off_until_there_may_be_more(world: World) -> None:
    """Never one more than the cap in an hour, and a crash between gives nothing back; then the others follow."""
    world.hourly, long = 3, NOW + 100_000
    sender = world.sender()
    sender.put(*(request(i, deadline=long) for i in range(6)))
    await sender.finish()
    assert (len(world.engine.attempts), len(sender.put_off())) == (3, 3)
    await sender.crash()

    second = world.sender()
    second.put(*(request(i, deadline=long) for i in range(6)))
    await second.finish()
    await asyncio.sleep(0.02)
    assert len(world.engine.attempts) == 3
    second.passes(4_000)
    await second.until(lambda: len(world.engine.attempts) == 6)
    assert [world.mailed(i) for i in range(6)] == [1] * 6


async def test_a_raised_cap_is_used_at_once(world: World) -> None:
    """Who waits for the lower one is looked at again, and does not sleep until that one would have let him go."""
    world.hourly = 3
    sender = world.sender()
    sender.put(*(request(i, deadline=NOW + 100_000) for i in range(6)))
    await sender.finish()
    assert len(world.engine.sent) == 3

    sender.floor.limit({"e": Allowance(None, None, [0], hourly=5)})
    await sender.until(lambda: len(world.engine.sent) == 5)


async def test_a_mail_counts_when_it_goes_out(world: World) -> None:
    """Not when it began to wait: an engine that stood still for an hour does not send the caps of two hours."""
    world.places = world.hourly = 3
    sender = world.sender()
    sender.rate, long = 0.001, NOW + 100_000
    sender.put(*(request(i, deadline=long) for i in range(9)))
    await asyncio.sleep(0.02)
    sender.passes(4_000)
    sender.floor.limit({"e": Allowance(1_000, 100, [0], 3)})
    await sender.finish()
    await asyncio.sleep(0.05)
    assert (len(world.engine.attempts), len(sender.put_off())) == (3, 6)
