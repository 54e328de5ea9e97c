"""A run that mails people in their own time zones: nobody early, nobody twice, nobody lost, whatever happens."""

from collections import Counter

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from outreach_stream.dispatch.forecast import too_late, too_slow
from outreach_stream.dispatch.pacing import LARGEST_SLICE
from outreach_stream.dispatch.plans import PlanEntry
from outreach_stream.dispatch.schedule import ScheduledRun
from outreach_stream.domain.chunks import DueChunks
from outreach_stream.domain.identity import lane_of
from tests.dispatch.conftest import LANES, FakeWorld

SIZE = 1_024


def due(*groups: tuple[float, list[int]]) -> list[DueChunks]:
    """Full chunks by when they are due."""
    return [DueChunks(at=at, recipients=SIZE * len(chunks), chunks=chunks) for at, chunks in groups]


def chunks(world: FakeWorld) -> dict[int, int]:
    """How many different recipients of each chunk were requested."""
    places = {(request.chunk, request.index) for request in world.requested()}
    return {number: sum(place[0] == number for place in places) for number in {place[0] for place in places}}


async def test_chunks_go_when_they_are_due(world) -> None:
    """In the order in which they are due, whatever their numbers; a recipient's lane follows from the number."""
    now, expander, found = world.now, world.expander(), []
    world.rate = None
    expander.add(world.plan("r", 4 * SIZE, due=due((0.0, [2]), (now + 10, [0, 3]), (now + 20, [1]))), PlanEntry(7))
    for _ in range(3):
        await world.run(expander, 9.5, engine_rate=1e6)
        found.append(sorted(chunks(world)))

    assert found == [[2], [0, 2, 3], [0, 1, 2, 3]]
    assert set(chunks(world).values()) == {SIZE}
    assert world.entries["r"] == PlanEntry(7, 4, 0, finished=True)
    for lane, values in world.lanes.items():
        assert {lane_of("r", found["chunk"], found["index"], LANES) for found in map(orjson.loads, values)} == {lane}


async def test_others_go_on_meanwhile(world) -> None:
    """A run that waits for nine o'clock takes nothing from those beside it, and has saved nothing up when it comes."""
    now, expander = world.now, world.expander()
    expander.add(world.plan("later", 2 * SIZE, due=due((now + 20, [0, 1]))), PlanEntry(0))
    expander.add(world.plan("beside", 8 * SIZE), PlanEntry(1))
    await world.run(expander, 20)
    alone = world.per_run()
    await world.run(expander, 10)
    shares = world.per_run() - alone

    assert set(alone) == {"beside"}
    assert alone["beside"] >= 190 * 20
    assert abs(shares["later"] - shares["beside"]) <= 100


@pytest.mark.parametrize("what", ["cancelled", "deadline"])
async def test_whoever_waits_is_not_forgotten_by_the_end(world, what: str) -> None:
    """A cancelled run, or one past its deadline, waits for nobody who would become due: they end in the lanes."""
    now, expander = world.now, world.expander()
    deadline = now + 5 if what == "deadline" else now + 86_400
    plan = world.plan("r", 3 * SIZE, deadline=deadline, due=due((0.0, [0]), (now + 3_600, [1, 2])))
    expander.add(plan, PlanEntry(0))
    await world.run(expander, 4, engine_rate=1e6)
    assert chunks(world).keys() == {0}
    if what == "cancelled":
        world.order("cancel", "r")
    await world.run(expander, 3, engine_rate=1e6)

    assert chunks(world) == dict.fromkeys(range(3), SIZE)
    assert world.entries["r"].finished


async def test_whoever_is_requested_early_may_not_be_mailed_early(world) -> None:
    """What ends before its time says so to senders: one may not have heard yet, or its clock may be behind."""
    now, expander = world.now, world.expander()
    plan = world.plan("r", 3 * SIZE, due=due((0.0, [1]), (now + 3_600, [0]), (now + 200_000, [2])))
    expander.add(plan, PlanEntry(0))
    await world.run(expander, 5, engine_rate=1e6)
    world.order("cancel", "r")
    await world.run(expander, 5, engine_rate=1e6)

    assert {(request.chunk, request.due) for request in world.requested()} == {
        (1, 0.0), (0, now + 3_600), (2, plan.deadline)}


async def test_those_that_wait_cost_the_others_nothing(world, monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs whose time is to come are looked at once a second, however many turns the others take meanwhile."""
    now, expander, looks = world.now, world.expander(), Counter[str]()
    cancelled = world.orders.cancelled
    monkeypatch.setattr(world.orders, "cancelled", lambda run: (looks.update([run]), cancelled(run))[1])
    for n in range(50):
        expander.add(world.plan(f"w{n}", 1, due=due((now + 3_600, [0]))), PlanEntry(n))
    expander.add(world.plan("beside", 4 * SIZE), PlanEntry(100))
    await world.run(expander, 10)

    assert looks["beside"] > 100
    assert max(looks[f"w{n}"] for n in range(50)) <= 13
    assert expander.runs == 51


async def test_it_is_its_time_also_on_a_clock_that_was_set_back(world) -> None:
    """And to the tick, whatever the pause between two looks is."""
    expander = world.expander()
    expander.add(world.plan("r", 2 * SIZE, due=due((world.now + 10.25, [1]), (world.now + 3_600, [0]))), PlanEntry(0))
    await world.run(expander, 5)
    world.now -= 4_000
    await world.run(expander, 1)
    world.now += 4_000
    await world.run(expander, 4.2)
    assert world.per_run().total() == 0
    await world.run(expander, 0.15)

    assert chunks(world).keys() == {1}


async def test_a_paused_run_stays_so_when_its_time_comes(world) -> None:
    """Paused over nine o'clock nobody is mailed; resumed, all who are due by then."""
    now, expander = world.now, world.expander()
    expander.add(world.plan("r", 2 * SIZE, due=due((now + 2, [0]), (now + 60, [1]))), PlanEntry(0))
    world.order("pause", "r")
    await world.run(expander, 5)
    assert world.per_run().total() == 0
    world.order("pause", "r", back=True)
    await world.run(expander, 10, engine_rate=1e6)

    assert chunks(world) == {0: SIZE}


async def test_an_engine_that_stops_before_they_are_due_fails_nobody(world) -> None:
    """`on_engine_stopped: fail` ends those who are due; the engine may be back when it is nine for the others."""
    now, expander = world.now, world.expander()
    expander.add(world.plan("r", 2 * SIZE, on_engine_stopped="fail", due=due((0.0, [1]), (now + 10, [0]))),
                 PlanEntry(0))
    world.order("fuse", "relay")
    await world.run(expander, 5, engine_rate=1e9)
    assert chunks(world) == {1: SIZE}
    world.order("fuse", "relay", back=True)
    await world.run(expander, 15)

    assert chunks(world) == {0: SIZE, 1: SIZE}


@settings(max_examples=15)
@given(st.permutations(range(4)), st.lists(st.integers(0, 12), min_size=4, max_size=4),
       st.lists(st.integers(1, 40), max_size=4))
async def test_killed_at_any_moment(order: list[int], times: list[int], kills: list[int]) -> None:
    """Whoever goes on from what is noted repeats a slice at most, leaves nobody out, and mails nobody early."""
    world = FakeWorld(rate=None)
    began, early = world.now, []
    at = dict(zip(order, sorted(times), strict=True))
    groups = {moment: [number for number in order if at[number] == moment] for moment in sorted(times)}
    plan = world.plan("r", 4 * SIZE, due=due(*((began + moment, numbers) for moment, numbers in groups.items())))
    append = world.append

    async def watched(requests):
        numbers = {orjson.loads(value)["chunk"] for values in requests.values() for value in values}
        early.extend(number for number in numbers if world.now < began + at[number])
        return await append(requests)

    world.append = watched
    for steps in [*kills, 2_000]:
        expander = world.expander()     # The one before was killed: nothing but what was noted is left of it.
        expander.add(plan, world.entries.get("r", PlanEntry(0)))
        for _ in range(steps):
            taken = await expander.step()
            world.sent = {lane: float(len(values)) for lane, values in world.lanes.items()}
            world.now += 0.0 if taken else 0.5
            if world.now > began + 30:
                break

    assert early == []
    assert chunks(world) == dict.fromkeys(range(4), SIZE)
    assert len(world.requested()) - 4 * SIZE <= len(kills) * LARGEST_SLICE
    assert world.entries["r"].finished


def test_an_entry_of_an_older_plan_means_what_it_meant(world) -> None:
    """A plan that says nothing of moments is expanded in the order of its chunks, at once."""
    run = ScheduledRun(world.plan("r", 3 * SIZE), PlanEntry(0, 2, 5))

    assert (run.chunk, run.due) == (2, 0.0)


def test_who_is_due_too_late_is_said() -> None:
    """Counted, before the first mail; nothing is said when all are in time."""
    groups = due((100.0, [0]), (200.0, [1, 2]))

    assert too_late(groups, 200.0) == "2,048 recipients become due after the deadline, and will expire"
    assert too_late(groups, 201.0) is None
    assert too_late([], 0.0) is None


@pytest.mark.parametrize(("rate", "deadline", "said"), [
    (None, 1_000.0, None), (1_024.0, 1_002.1, None), (1_024.0, 1_000.9, "take until 0 s after the deadline"),
    (10.0, 1_050.0, "2,048 recipients, each from their own time on, take until"), (10.0, 150.0, None),
])
def test_a_rate_that_is_too_low_is_said(rate: float | None, deadline: float, said: str | None) -> None:
    """The engine begins when the first are due, stands still between, and is behind when the next come too soon."""
    groups = due((10.0, [0]), (1_000.0, [1]))
    found = too_slow(2 * SIZE, groups, rate, 0.0, deadline)

    assert (said in found) if said and found else found == said
