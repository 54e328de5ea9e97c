"""Nothing is acknowledged before its mark and its result are durable."""

import asyncio

from outreach_stream.domain.marks import Mark
from outreach_stream.domain.outcomes import Accepted
from outreach_stream.engines.memory import Answer

from .conftest import BULK, EXPRESS, World, request


async def test_neither_marks_nor_results_that_fail_are_acknowledged(world: World) -> None:
    """Each is tried again until both are durable; a recipient is not mailed again for that."""
    sender = world.sender()
    sender.places = 10  # one block, so that the table fails at the marks
    batch = sender.put(*(request(i) for i in range(5)))
    await sender.until(lambda: ("table", "w") in sender.journal)
    sender.table.failures, sender.publish_failures = 1, 1
    await sender.finish()

    assert set(batch.states) == {"done"}
    assert sorted(sender.by_index()) == list(range(5))
    assert all(world.has(Mark.SENT, i) for i in range(5))
    assert len(world.engine.attempts) == 5


async def test_no_ack_while_the_marks_are_under_way(world: World) -> None:
    """The table is not durable: nothing is done, and nothing said, yet."""
    world.engine.script = lambda message: Answer(Accepted("1"), before=0.01)
    sender = world.sender()
    sender.places = 2
    batch = sender.put(request(0), request(1))
    await sender.until(lambda: len(world.engine.attempts) == 2)
    sender.table.stalled = True
    await asyncio.sleep(0.05)
    assert ("done" in batch.states, sender.results) == (False, [])
    sender.table.stalled = False
    await sender.finish()


async def test_no_ack_while_the_results_are_under_way(world: World) -> None:
    """The marks are durable, the results are refused: nothing is done yet."""
    sender = world.sender()
    sender.publish_failures = 1
    batch = sender.put(request(0))
    await sender.until(lambda: world.has(Mark.SENT, 0))
    await asyncio.sleep(0.05)
    assert batch.states == ["claimed"]
    await sender.finish()


async def test_ends_are_written_in_groups(world: World) -> None:
    """One record of marks and one publication for many recipients."""
    sender = world.sender()
    sender.places = 100
    sender.put(*(request(i) for i in range(100)))
    await sender.finish()
    assert sender.journal.count(("table", "m")) < 20
    assert sum(entry[0] == "results" for entry in sender.journal) < 20


async def test_lanes_of_all_partitions_end_together(world: World) -> None:
    """The results of many lanes go out in one publication: one for each lane would cost more than the mails."""
    sender = world.sender()
    sender.places = 80
    for partition in range(8):
        sender.put(*(request(i, chunk=partition) for i in range(10)), partition=partition)
    await sender.finish()
    assert len(sender.results) == 80
    assert sum(entry[0] == "results" for entry in sender.journal) < 8
    assert all(sender.table.marks(chunk, f"m:run:{chunk}".encode()).has(Mark.SENT, 9) for chunk in range(8))


async def test_a_stale_lease_delays_and_a_lost_one_gives_back(world: World) -> None:
    """An end is not written while somebody else may own the partition; when out, it is theirs to find in doubt."""
    world.engine.script = lambda message: Answer(Accepted("1"), before=0.02)
    sender = world.sender()
    batch = sender.put(request(0))
    await sender.until(lambda: world.engine.attempts)
    batch.stale = True
    await asyncio.sleep(0.06)
    assert sender.results == []
    batch.lost = True
    await asyncio.sleep(0.02)
    assert sender.results == []
    assert batch.states == ["waiting"]
    await sender.crash()

    second = world.sender()
    second.put(request(0))
    await second.finish()
    assert second.by_index()[0].possible_duplicate


async def test_a_group_of_both_topics_ends_both(world: World) -> None:
    """Bulk and express of one partition share the recorder and the record."""
    sender = world.sender()
    bulk = sender.put(*(request(i) for i in range(5)), topic=BULK)
    express = sender.put(*(request(i, run_id="quick") for i in range(5)), topic=EXPRESS)
    await sender.finish()
    assert set(bulk.states + express.states) == {"done"}
    assert sorted(result.run_id for result in sender.results) == ["quick"] * 5 + ["run"] * 5


async def test_many_chunks_pass_through_the_cache(world: World) -> None:
    """Chunks that fell out of memory are read from the table again, with all marks."""
    sender = world.sender()
    sender.places = 50
    sender.put(*(request(7, chunk=chunk) for chunk in range(600)))
    await sender.finish()
    sender.put(*(request(index, chunk=0) for index in (7, 8)), start=600)
    await sender.finish()
    assert len(world.engine.attempts) == 601
    assert sender.results[-2].recovered or sender.results[-1].recovered
    assert len(sender.floor._records[0]._marks) <= 512
