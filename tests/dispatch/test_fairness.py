"""How the runs of an engine share it."""

import pytest

from outreach_stream.dispatch.plans import PlanEntry


async def test_a_small_run_does_not_wait_behind_a_big_one(world) -> None:
    """Two runs of one engine at 200/s, 20,000 and then 200 recipients: the small one is sent within ten seconds."""
    expander = world.expander()
    expander.add(world.plan("big", 20_000), PlanEntry(0))
    await world.run(expander, 5)
    began = world.now

    expander.add(world.plan("small", 200), PlanEntry(1))
    await world.run(expander, 10)

    assert world.counts["small"] == 200
    assert world.completed["small"] - began < 6


async def test_shares_follow_the_weights(world) -> None:
    """A run of weight 3 gets three quarters beside one of weight 1."""
    expander = world.expander()
    expander.add(world.plan("light", 5_000), PlanEntry(0))
    expander.add(world.plan("heavy", 5_000, weight=3.0), PlanEntry(1))

    await world.run(expander, 12)

    requested = world.per_run()
    assert 0.7 < requested["heavy"] / (requested["heavy"] + requested["light"]) < 0.8


async def test_no_run_starves_while_others_keep_coming(world) -> None:
    """A run goes on at its share although a new small one comes every second."""
    expander = world.expander()
    expander.add(world.plan("steady", 2_000), PlanEntry(0))
    for second in range(20):
        expander.add(world.plan(f"new-{second}", 300), PlanEntry(second + 1))
        await world.run(expander, 1)

    assert world.per_run()["steady"] > 20 * 200 / 20 / 2


async def test_weights_hold_while_a_third_run_is_paused_and_resumed(world) -> None:
    """1 to 3, whatever a run of weight 4 does: paused it takes nothing, resumed half of everything and no more."""
    expander = world.expander()
    for n, (name, weight) in enumerate({"light": 1.0, "heavy": 3.0, "third": 4.0}.items()):
        expander.add(world.plan(name, 6_000, weight=weight), PlanEntry(n))
    shares = []
    for pause in (False, True, False):
        world.order("pause", "third", back=not pause)
        before = world.per_run()
        await world.run(expander, 8)
        requested = world.per_run() - before
        shares.append({name: requested[name] / requested.total() for name in ("light", "heavy", "third")})

    expected = [(1 / 8, 3 / 8, 1 / 2), (1 / 4, 3 / 4, 0.0), (1 / 8, 3 / 8, 1 / 2)]
    for measured, (light, heavy, third) in zip(shares, expected, strict=True):
        assert measured == pytest.approx({"light": light, "heavy": heavy, "third": third}, abs=0.04)


async def test_a_paused_run_gives_its_share_away_and_gets_no_credit(world) -> None:
    """Nothing of a paused run is requested; resumed, it shares evenly instead of catching up."""
    world.order("pause", "b")
    expander = world.expander()
    expander.add(world.plan("a", 9_000), PlanEntry(0))
    expander.add(world.plan("b", 9_000), PlanEntry(1))
    await world.run(expander, 10)
    before = world.per_run()

    world.order("pause", "b", back=True)
    await world.run(expander, 10)

    after = world.per_run()
    assert before["b"] == 0
    assert abs((after["a"] - before["a"]) - after["b"]) <= 100


async def test_a_run_entered_again_stays_as_it_is(world) -> None:
    """Entering a run twice (a plan delivered again) does not expand it twice."""
    expander, plan = world.expander(), world.plan("a", 1_000)
    expander.add(plan, PlanEntry(0))
    await world.run(expander, 0.2)
    expander.add(plan, PlanEntry(0))

    await world.run(expander, 6)

    assert len({(r.chunk, r.index) for r in world.requested()}) == len(world.requested()) == 1_000
