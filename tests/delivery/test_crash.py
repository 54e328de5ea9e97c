"""After kill -9: nobody is missing, and whoever may have been mailed before is labelled or held."""

import asyncio

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from outreach_stream.delivery.sent import marks_key
from outreach_stream.domain.marks import Mark, Marks
from outreach_stream.domain.outcomes import Accepted, InDoubt, RecipientRejected, Transient
from outreach_stream.domain.policy import Policy, Retry, WhenInDoubt
from outreach_stream.domain.states import RecipientStatus
from outreach_stream.engines.memory import Answer

from .conftest import BULK, EXPRESS, NOW, RUN, World, request

SLOW = Answer(Accepted("1"), before=0.0, after=0.05)


async def killed_on_the_wire(world: World, count: int = 1, topic: str = BULK) -> None:
    """A process that dies while the first `places` mails are with the provider."""
    world.engine.script = lambda message: SLOW
    sender = world.sender()
    sender.put(*(request(i) for i in range(count)), topic=topic)
    await sender.until(lambda: len(world.engine.attempts) >= min(count, sender.places))
    await sender.crash()


async def test_mailed_again_with_a_label_that_was_durable_first(world: World) -> None:
    """DOUBTED is in the table before the second hand-over, and the result says possible duplicate."""
    await killed_on_the_wire(world)
    second = world.sender()
    doubted_before: list[bool] = []
    world.engine.script = lambda message: doubted_before.append(world.has(Mark.DOUBTED, 0)) or Accepted("1")
    second.put(request(0))
    await second.finish()

    assert doubted_before == [True]
    assert second.by_index()[0].possible_duplicate
    assert second.by_index()[0].status is RecipientStatus.SENT


async def test_held_when_that_is_the_policy(world: World) -> None:
    """Express: never mailed again, the end is in doubt, and stays so."""
    await killed_on_the_wire(world, topic=EXPRESS)
    for _ in range(2):
        sender = world.sender()
        sender.put(request(0), topic=EXPRESS)
        await sender.finish()
        assert sender.by_index()[0].status is RecipientStatus.IN_DOUBT
        assert world.has(Mark.DOUBTED, 0)
        await sender.crash()
    assert world.mailed(0) == 1


@pytest.mark.parametrize(("topic", "in_doubt", "status"), [
    (BULK, "resend", RecipientStatus.SENT), (BULK, "hold", RecipientStatus.IN_DOUBT),
    (EXPRESS, "resend", RecipientStatus.SENT), (EXPRESS, "hold", RecipientStatus.IN_DOUBT)])
async def test_the_workflow_decides(world: World, topic: str, in_doubt: WhenInDoubt, status: RecipientStatus) -> None:
    """Killed on the wire or never answered: its policy, not the lane's, says whether it is mailed again."""
    world.policy = Policy(in_doubt=in_doubt)
    await killed_on_the_wire(world, topic=topic)
    answers = iter([Accepted("1"), InDoubt("lost")] if status is RecipientStatus.SENT else [InDoubt("lost")])
    world.engine.script = lambda message: next(answers, Accepted("1"))
    second = world.sender()
    second.places = 1
    second.put(request(0), request(1), topic=topic)
    await second.finish()
    assert [second.by_index()[i].status for i in range(2)] == [status] * 2
    assert [world.mailed(i) for i in range(2)] == [2 if status is RecipientStatus.SENT else 1] * 2


@pytest.mark.parametrize("killed", [False, True])
async def test_what_a_person_has_mailed_again_is_mailed_and_labelled(world: World, killed: bool) -> None:
    """A replay of what an earlier run left in doubt, whatever the policy; but not after a death in this run."""
    if killed:
        world.engine.script = lambda message: SLOW
        first = world.sender()
        first.put(request(0, doubted=True), topic=EXPRESS)
        await first.until(lambda: world.engine.attempts)
        await first.crash()
    world.engine.script = lambda message: Accepted("1")
    sender = world.sender()
    sender.put(request(0, doubted=True), topic=EXPRESS)
    await sender.finish()
    end = sender.by_index()[0]
    assert (end.status is RecipientStatus.IN_DOUBT, end.possible_duplicate, world.mailed(0)) == (killed, True, 1)


async def test_none_is_held_for_having_stood_behind_another(world: World) -> None:
    """Express blocks are of one: those that waited are certainly unsent, and are sent, unlabelled."""
    world.engine.script = lambda message: SLOW
    first = world.sender()
    first.places = 1
    first.put(request(0), request(1), request(2), topic=EXPRESS)
    await first.until(lambda: world.engine.attempts)
    await first.crash()

    second = world.sender()
    second.put(request(0), request(1), request(2), topic=EXPRESS)
    await second.finish()
    ends = second.by_index()
    assert [ends[i].status for i in range(3)] == [RecipientStatus.IN_DOUBT, *[RecipientStatus.SENT] * 2]
    assert [ends[i].possible_duplicate for i in range(3)] == [True, False, False]


@pytest.mark.parametrize("outcome", [RecipientRejected("no"), Transient("busy")])
async def test_the_doubted_never_fail(world: World, outcome: RecipientRejected | Transient) -> None:
    """A later refusal proves nothing about the first attempt, nor do many: in doubt."""
    await killed_on_the_wire(world)
    world.engine.script = lambda message: outcome
    world.policy = Policy(Retry(attempts=2))
    second = world.sender()
    second.put(request(0))
    await second.finish()
    second.passes(40)  # what was put off is due
    await second.until(lambda: second.results)
    assert (second.by_index()[0].status, second.by_index()[0].possible_duplicate) == (RecipientStatus.IN_DOUBT, True)


@pytest.mark.parametrize("fields", [{"deadline": NOW}, {"variables": {"broken": True}}])
async def test_the_doubted_neither_expire_nor_fail_to_render(world: World, fields: dict[str, object]) -> None:
    """Whatever hinders the second attempt, the first may have arrived."""
    await killed_on_the_wire(world)
    second = world.sender()
    second.put(request(0, **fields))
    await second.finish()
    assert second.by_index()[0].status is RecipientStatus.IN_DOUBT
    assert world.mailed(0) == 1


async def test_doubt_is_sticky_over_processes(world: World) -> None:
    """Doubted by one, delivered by the third: the label does not wear off when the record knows it."""
    await killed_on_the_wire(world)
    await killed_on_the_wire(world)
    third = world.sender()
    world.engine.script = lambda message: Accepted("1")
    third.put(request(0))
    await third.finish()
    assert third.by_index()[0].possible_duplicate


async def test_the_skipped_are_never_in_doubt(world: World) -> None:
    """A request that says `skip` was handed over by nobody, whatever a watermark covers."""
    first = world.sender()
    first.places = 3
    world.engine.script = lambda message: SLOW
    first.table.journal.clear()
    first.put(request(0), request(1, skip="suppressed"), request(2))
    await first.until(lambda: world.engine.attempts)
    await first.crash()
    world.durable.pop((0, marks_key(RUN, 0)), None)  # the end of the skipped one was not durable yet

    second = world.sender()
    second.put(request(0), request(1, skip="suppressed"), request(2))
    await second.finish()
    assert second.by_index()[1].status is RecipientStatus.SKIPPED


async def test_a_zombies_late_marks_do_not_erase_ours(world: World) -> None:
    """Each writer has its own copy: what a thawed process still writes is merged, and overwrites nothing."""
    zombie, owner = world.sender(), world.sender()
    owner.put(request(0))
    await owner.finish()
    late = Marks()
    late.set(Mark.DOUBTED, 0)
    await zombie.table.write(0, marks_key(RUN, 0), late.encode())

    third = world.sender()
    third.put(request(0))
    await third.finish()
    assert world.mailed(0) == 1
    assert third.by_index()[0].status is RecipientStatus.SENT
    assert third.by_index()[0].possible_duplicate


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(kills=st.lists(st.floats(0.001, 0.04), max_size=4), places=st.integers(1, 6),
       topic=st.sampled_from([BULK, EXPRESS]))
def test_killed_at_any_moment(kills: list[float], places: int, topic: str) -> None:
    """Every recipient ends; mailed twice means labelled; held means mailed once; sent means mailed."""
    asyncio.run(live_and_die(kills, places, topic))


async def live_and_die(kills: list[float], places: int, topic: str) -> None:
    world, count = World(), 30
    world.engine.script = lambda message: Answer(Accepted("1"), after=0.003)
    for lifetime in [*kills, None]:
        sender = world.sender()
        sender.places = places
        sender.put(*(request(i) for i in range(count)), topic=topic)
        if lifetime is None:
            await sender.finish()
        else:
            await asyncio.sleep(lifetime)
        await sender.crash()
    results = [result for sender in world.senders for result in sender.results]
    for i in range(count):
        ends = [result for result in results if result.index == i]
        assert ends
        assert world.mailed(i) >= any(result.status is RecipientStatus.SENT for result in ends)
        if world.mailed(i) > 1:
            assert topic == BULK
            assert any(result.possible_duplicate for result in ends)
        assert {result.status for result in ends} <= {RecipientStatus.SENT, RecipientStatus.IN_DOUBT}


async def test_what_was_said_of_finished_requests_is_dropped(world: World) -> None:
    """Below the first request of an assignment all is finished; else every deploy would leave a watermark for weeks."""
    await killed_on_the_wire(world)
    watermarks = (0, f"w:e:{BULK}".encode())
    second = world.sender()
    second.put(request(0))
    await second.finish()
    assert set(world.durable[watermarks]) == {b"writer0", b"writer1"}
    await second.crash()

    third = world.sender()
    third.put(request(1), start=1)
    await third.finish()
    assert set(world.durable[watermarks]) == {b"writer2"}
