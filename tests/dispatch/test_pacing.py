"""How far ahead the lanes are kept."""

from itertools import count, cycle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outreach_stream.dispatch.expander import Expander
from outreach_stream.dispatch.pacing import OPEN_WINDOW, PROBE_AFTER, Backlog, Pace
from outreach_stream.dispatch.plans import PlanEntry
from outreach_stream.dispatch.ports import Span


async def fill(expander: Expander) -> list[int]:
    """Expand whatever may go without time passing; the slices' sizes."""
    return [taken async for taken in _slices(expander)]


async def _slices(expander):
    while taken := await expander.step():
        yield taken


async def test_two_seconds_ahead_and_no_further(world) -> None:
    """At 200/s slices have at most 50, and 400 lie ready, however big the run."""
    expander = world.expander()
    expander.add(world.plan("big", 20_000), PlanEntry(0))

    slices = await fill(expander)

    assert max(slices) <= 50
    assert world.ahead() == 400


async def test_the_engine_never_waits(world) -> None:
    """With lanes kept ahead an engine sends at its full rate."""
    expander = world.expander()
    expander.add(world.plan("big", 20_000), PlanEntry(0))

    await world.run(expander, 20)

    assert sum(world.counts.values()) >= 0.99 * 20 * 200


@pytest.mark.parametrize(("rate", "lanes", "expected"), [
    (200, 8, Pace(50, 50)), (0.5, 8, Pace(1, 2)), (1, 1, Pace(1, 2)), (10_000, 4, Pace(1_024, 5_000)),
    (None, 8, Pace(1_024, OPEN_WINDOW)),
])
def test_pace(rate, lanes, expected) -> None:
    """Slices last a quarter of a second and at most a chunk; slow engines have something ready all the same."""
    assert Pace.of(rate, lanes, 2.0) == expected


@given(st.lists(st.integers(0, 9), min_size=1, max_size=5), st.integers(1, 40), st.integers(1, 7))
def test_there_is_room_until_the_first_full_lane_is_met(unfinished, most, window) -> None:
    """As when each request is put into its lane by itself, lane after lane."""
    backlog, lanes = Backlog(lambda _: None), [lane + 3 for lane in range(len(unfinished))]
    for lane, requests in zip(lanes, unfinished, strict=True):
        backlog.put(lane, Span(0, requests), requests, inherited=0, inherited_until=0, now=0)
    left = {lane: window - requests for lane, requests in zip(lanes, unfinished, strict=True)}

    room = backlog.room(lanes, most, window, now=0)

    for placed, lane in zip(count(), cycle(lanes)):
        if placed == most or left[lane] <= 0:
            break
        left[lane] -= 1
    assert room == placed


async def test_an_engine_without_a_limit_is_bounded_by_its_lanes(new_world) -> None:
    """Without a rate, 2,000 requests lie ready per lane."""
    world = new_world(rate=None)
    expander = world.expander()
    expander.add(world.plan("big", 30_000), PlanEntry(0))

    await fill(expander)

    assert world.ahead() == 8 * OPEN_WINDOW


async def test_what_expired_goes_unpaced(world) -> None:
    """A run past its deadline does not wait for the engine's rate: it is to end in the lanes."""
    expander = world.expander()
    expander.add(world.plan("late", 6_000, deadline=world.now - 1), PlanEntry(0))

    slices = await fill(expander)

    assert sum(slices) == 6_000
    assert max(slices) <= 1_024


async def test_what_is_cancelled_goes_unpaced_even_when_paused(world) -> None:
    """A cancelled run ends at once, whether it was paused or not."""
    world.order("pause", "off")
    world.order("cancel", "off")
    expander = world.expander()
    expander.add(world.plan("off", 3_000), PlanEntry(0))

    assert sum(await fill(expander)) == 3_000


async def test_a_new_owner_does_not_fill_full_lanes(world) -> None:
    """Who takes over and finds unfinished requests of its predecessor adds one slice, not two more seconds."""
    plan = world.plan("big", 20_000)
    first = world.expander()
    first.add(plan, PlanEntry(0))
    await fill(first)

    second = world.expander()
    second.add(plan, world.entries["big"])
    await fill(second)

    assert world.ahead() <= 400 + 50
    await world.run(second, 10)
    assert world.counts["big"] >= 0.95 * 10 * 200


async def test_inherited_requests_are_believed_finished_in_time(world) -> None:
    """If nobody ever reports the predecessor's requests as finished, the new owner goes on after two seconds."""
    expander = world.expander()
    for lane in world.lanes:
        world.lanes[lane] = [b"{}"] * 100
    expander.add(world.plan("a", 1_000), PlanEntry(0))
    before = sum(await fill(expander))

    world.now += 2.1

    assert before == 50
    assert sum(await fill(expander)) == 350


async def test_a_lost_report_is_asked_for(world) -> None:
    """Where nothing is reported for long, one request per lane goes, so that the lanes' owners tell."""
    expander = world.expander()
    expander.add(world.plan("a", 2_000), PlanEntry(0))
    await fill(expander)

    world.now += PROBE_AFTER - 1
    early = await fill(expander)
    world.now += 1.1

    assert early == []
    assert await fill(expander) == [8]


async def test_unknown_progress_is_no_backlog(new_world) -> None:
    """An engine of which no lane ever reported begins at once."""
    world = new_world(reports=False)
    expander = world.expander()
    expander.add(world.plan("a", 2_000), PlanEntry(0))

    assert sum(await fill(expander)) == 400

