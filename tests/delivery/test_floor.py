"""The floor: lanes open with their first request, and close with their partitions."""

import asyncio

from structlog.testing import capture_logs

from outreach_stream.delivery.deliver import Item
from outreach_stream.domain.outcomes import Accepted
from outreach_stream.engines.memory import Answer

from .conftest import BULK, EXPRESS, RUN, FakeBatch, World, request


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
    assert (sender.floor._lanes, sender.floor._partitions, sender.floor._told) == ({}, {}, {})


async def test_a_request_outside_of_the_engines_lanes_is_reported(world: World) -> None:
    """The engine's lanes were changed under way: it may stand still, and that must not go unsaid."""
    sender = world.sender()
    sender.rate = 1000
    sender.floor.assigned({0, 3})
    with capture_logs() as logs:
        sender.put(request(0))
        sender.put(request(1), partition=3)
        await sender.finish()
    assert [entry["lane"] for entry in logs if entry["event"] == "request_outside_of_engines_lanes"] == [3]


async def test_shut_closes_the_engines(world: World) -> None:
    """Every engine that was used."""
    sender = world.sender()
    sender.put(request(0))
    await sender.finish()
    await sender.floor.shut()
    assert world.engine._closed
