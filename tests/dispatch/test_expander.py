"""Expanding: every recipient once, in its lane, from where it was left."""

import asyncio

from outreach_stream.dispatch import expander as module
from outreach_stream.dispatch.plans import PlanEntry
from outreach_stream.domain.identity import lane_of


async def test_every_recipient_is_requested_once_in_its_lane(world) -> None:
    """All of a run of three chunks, each in the lane that `lane_of` says, with the parameters beneath its own data."""
    expander = world.expander()
    expander.add(world.plan("r", 2_500, parameters={"n": "hidden", "season": "spring"}), PlanEntry(0))
    await world.run(expander, 15)

    requested = world.requested()

    assert sorted((r.chunk, r.index) for r in requested) == [(n // 1024, n % 1024) for n in range(2_500)]
    assert all(r.variables == {"n": r.chunk * 1024 + r.index, "season": "spring"} for r in requested)
    assert all(r.email == f"p{r.variables['n']}@example.org" for r in requested)
    for lane, values in world.lanes.items():
        of_lane = [type(requested[0]).model_validate_json(value) for value in values]
        assert {lane_of(r.run_id, r.chunk, r.index, world.plan("r", 0).lanes) for r in of_lane} == {lane}
        assert of_lane == sorted(of_lane, key=lambda r: (r.chunk, r.index))
    assert world.entries["r"] == PlanEntry(0, 3, 0, finished=True)


async def test_a_crash_repeats_at_most_a_slice(world) -> None:
    """Whoever goes on from the noted cursor requests the rest, and nothing is missing."""
    plan = world.plan("r", 1_500)
    first = world.expander()
    first.add(plan, PlanEntry(0))
    await world.run(first, 3)

    second = world.expander()
    second.add(plan, world.entries["r"])
    await world.run(second, 10)

    places = [(r.chunk, r.index) for r in world.requested()]
    assert set(places) == {(n // 1024, n % 1024) for n in range(1_500)}
    assert len(places) - 1_500 <= 50


async def test_a_failing_broker_delays_and_loses_nothing(world, monkeypatch) -> None:
    """A slice that could not be written is written later; the expander goes on by itself."""
    monkeypatch.setattr(module, "RETRY_PAUSE", 0.001)
    world.failures = 2
    expander = world.expander()
    task = asyncio.create_task(expander.run())
    expander.add(world.plan("r", 300), PlanEntry(0))

    async with asyncio.timeout(5):
        while not world.entries.get("r", PlanEntry(0)).finished:
            world.now += 0.1
            await asyncio.sleep(0.01)
    task.cancel()

    assert sorted(r.index for r in world.requested()) == list(range(300))


async def test_a_run_that_cannot_note_its_end_does_so_later(world, monkeypatch) -> None:
    """If only the note that a run is finished fails, it is noted later and nothing is requested again."""
    expander, written = world.expander(), world.write

    async def fail_once(run_id: str, entry: PlanEntry) -> None:
        monkeypatch.setattr(type(world), "write", lambda _, run_id, entry: written(run_id, entry))
        raise ConnectionError

    monkeypatch.setattr(type(world), "write", lambda _, run_id, entry: fail_once(run_id, entry))
    expander.add(world.plan("r", 30), PlanEntry(0))
    await expander.step()
    assert "r" not in world.entries
    world.now += module.RETRY_PAUSE
    await expander.step()

    assert world.entries["r"].finished
    assert len(world.requested()) == 30


async def test_chunks_are_read_once_and_few_are_kept(world) -> None:
    """A big run reads each of its chunks once, and memory holds a handful of chunks whatever the run's size."""
    world.rate = 5_000.0
    expander, plan = world.expander(), world.plan("r", 30_000)
    expander.add(plan, PlanEntry(0))

    await world.run(expander, 8)

    assert world.reads == len(plan.chunks) == 30
    assert len(expander._cache) <= module.CACHED_CHUNKS


async def test_nothing_is_done_while_the_partition_may_be_lost(world) -> None:
    """Without a valid lease nothing is requested."""
    expander = world.expander()
    object.__setattr__(expander._world, "may_act", lambda: False)
    expander.add(world.plan("r", 30), PlanEntry(0))

    assert await expander.step() == 0
    assert world.requested() == []


async def test_a_run_whose_chunks_are_gone_has_an_end(world) -> None:
    """Past its deadline they are not asked for again: the run is noted as finished. Before, they may come back."""
    expander = world.expander()
    expander.add(world.plan("old", 300, deadline=world.now + 3), PlanEntry(0))
    expander.add(world.plan("r", 300), PlanEntry(1))
    world.expired.add("old")
    await world.run(expander, 2)
    assert "old" not in world.entries
    await world.run(expander, 3)
    reads = world.reads
    await world.run(expander, 3)

    assert world.entries["old"] == PlanEntry(0, 0, 0, finished=True)
    assert world.reads == reads
    assert world.per_run() == {"r": 300}


async def test_a_run_that_cannot_be_expanded_holds_no_other_up(world) -> None:
    """Its chunks are gone, or lie in a partition that is away: it is tried again, and the others go on."""
    expander = world.expander()
    expander.add(world.plan("broken", 300), PlanEntry(0))
    chunks = {place: world.chunks.pop(place) for place in list(world.chunks)}
    expander.add(world.plan("r", 300), PlanEntry(1))
    await world.run(expander, 5)

    assert world.entries["r"].finished
    assert "broken" not in world.entries

    world.chunks |= chunks
    await world.run(expander, 5)
    assert world.entries["broken"].finished
    assert world.per_run() == {"r": 300, "broken": 300}
