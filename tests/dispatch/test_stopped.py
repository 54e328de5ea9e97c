"""Runs whose engine has stopped, as their expander treats them over time."""

import pytest

from outreach_stream.dispatch.expander import Expander
from outreach_stream.dispatch.pacing import PROBE_AFTER
from outreach_stream.dispatch.plans import PlanEntry
from tests.dispatch.conftest import FakeWorld

AT_ONCE = 1e9
"""Requests a second that a lane is done with when it puts them off, or hands them on."""


async def requested_in(world: FakeWorld, expander: Expander, seconds: float, *, rate: float = AT_ONCE) -> int:
    """How many are requested while the lanes get through so many."""
    before = world.per_run().total()
    await world.run(expander, seconds, engine_rate=rate)
    return world.per_run().total() - before


async def test_a_run_waits_for_its_engine_and_goes_on(world) -> None:
    """Stopped in mid-run nothing more is requested; resumed it goes on where it was, and everybody is requested."""
    expander = world.expander()
    expander.add(world.plan("r", 2_000), PlanEntry(0))
    await world.run(expander, 2)
    world.order("fuse", "relay")
    waiting = await requested_in(world, expander, 3 * PROBE_AFTER)
    world.order("fuse", "relay", back=True)
    await world.run(expander, 10)

    assert waiting == 0
    assert world.per_run() == {"r": 2_000}
    assert world.entries["r"].finished


async def test_a_waiting_run_ends_by_its_deadline_and_by_cancellation(world) -> None:
    """Whoever waits for a stopped engine is hurried to its end when there is nothing to wait for any more."""
    expander = world.expander()
    expander.add(world.plan("late", 5_000, deadline=world.now + 5), PlanEntry(0))
    expander.add(world.plan("off", 5_000), PlanEntry(1))
    expander.add(world.plan("patient", 5_000), PlanEntry(2))
    world.order("fuse", "relay")
    before = await requested_in(world, expander, 4)
    world.order("cancel", "off")
    await world.run(expander, 2, engine_rate=AT_ONCE)

    assert before == 0
    assert world.per_run() == {"late": 5_000, "off": 5_000}


async def test_fail_does_not_wait(world) -> None:
    """The lanes end its recipients as fast as they can; a run beside it that waits is not touched."""
    expander = world.expander()
    expander.add(world.plan("failing", 5_000, on_engine_stopped="fail"), PlanEntry(0))
    expander.add(world.plan("waiting", 5_000), PlanEntry(1))
    world.order("fuse", "relay")
    await world.run(expander, 1, engine_rate=AT_ONCE)

    assert world.per_run() == {"failing": 5_000}


async def test_failover_goes_at_the_rate_of_the_engine_that_takes_over(world) -> None:
    """All runs together 40/s and two seconds ahead, although the stopped engine's lanes are done with them at once."""
    world.others = {"backup": 40.0}
    expander = world.expander()
    for n, weight in enumerate((1.0, 3.0)):
        plan = world.plan(f"r{n}", 3_000, weight=weight, on_engine_stopped="failover", failover=["backup"])
        expander.add(plan, PlanEntry(n))
    world.order("fuse", "relay")
    requested = await requested_in(world, expander, 20)

    assert requested == pytest.approx(40 * 22, abs=20)
    assert world.per_run()["r1"] / requested == pytest.approx(0.75, abs=0.03)

    world.order("fuse", "backup")
    assert await requested_in(world, expander, 5) == 0
    world.order("fuse", "relay", back=True)
    assert await requested_in(world, expander, 5, rate=200) == pytest.approx(200 * 7, abs=100)


@pytest.mark.parametrize("lanes_rate", [AT_ONCE, 0.0])
async def test_an_engine_that_is_gone_trickles_until_it_is_back(world, lanes_rate) -> None:
    """A request per lane and minute, whether its lanes put them off or keep them; back in the catalog, all speed."""
    world.gone = {"relay"}
    expander = world.expander()
    expander.add(world.plan("r", 3_000), PlanEntry(0))
    trickled = await requested_in(world, expander, 60, rate=lanes_rate)
    world.gone = set()
    await world.run(expander, 20)

    assert 8 <= trickled <= 16
    assert world.per_run() == {"r": 3_000}


async def test_an_engine_that_is_gone_past_the_deadline(world) -> None:
    """The rest goes to its end."""
    world.gone = {"relay"}
    expander = world.expander()
    expander.add(world.plan("r", 1_000, deadline=world.now + 10), PlanEntry(0))
    before = await requested_in(world, expander, 9)
    after = await requested_in(world, expander, 2)

    assert before <= 3
    assert before + after == 1_000
