"""What is put off: durable before it is acknowledged, due by time, ended once, and in nobody's way."""

import asyncio

import pytest

from outreach_stream.delivery.later import Entry
from outreach_stream.domain.marks import Mark
from outreach_stream.domain.outcomes import Accepted, Throttled, Transient
from outreach_stream.domain.policy import Policy, Retry
from outreach_stream.domain.ports import OutgoingMessage
from outreach_stream.domain.states import RecipientStatus
from outreach_stream.engines.memory import Answer

from .conftest import EXPRESS, NOW, World, request

LONG = NOW + 10_000_000


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is tried again in place."""
    monkeypatch.setattr("outreach_stream.delivery.steps.IN_PLACE_TRIES", 1)


def busy_for(*indexes: int) -> object:
    """A provider that defers these at their first attempt."""
    seen: set[str] = set()

    def script(message: OutgoingMessage) -> Accepted | Transient:
        index = int(message.message_id.rsplit(":", 1)[1])
        first = message.message_id not in seen
        seen.add(message.message_id)
        return Transient("busy") if first and index in indexes else Accepted("1")
    return script


async def test_durable_first_then_acknowledged_then_due(world: World) -> None:
    """The entry is in the table before the request is done; at its time it is tried again, and then forgotten."""
    world.engine.script = busy_for(0)
    sender = world.sender()
    sender.put(request(0))
    await sender.finish()
    assert sender.journal[:3] == [("table", "w"), ("table", "l"), ("done", 0)]
    assert (sender.results, len(sender.put_off())) == ([], 1)
    await asyncio.sleep(0.02)
    assert world.mailed(0) == 1

    sender.passes(31)
    await sender.until(lambda: sender.results and not sender.put_off())
    end = sender.by_index()[0]
    assert (end.status, end.attempts, end.possible_duplicate) == (RecipientStatus.SENT, 2, False)
    assert world.mailed(0) == 2


async def test_some_that_are_deferred_do_not_hold_the_others_up(world: World) -> None:
    """One place only: all others are sent, and the lane is finished but for what its table keeps."""
    world.engine.script = busy_for(0, 20, 40)
    world.places = 1
    sender = world.sender()
    sender.put(*(request(i) for i in range(60)))
    await sender.finish()
    assert len(sender.results) == 57
    assert [progress for _, progress in sender.floor.progress()] == [60]
    assert set(sender.put_off()) == {0, 20, 40}


async def test_an_idle_lane_wakes_for_what_is_due(world: World) -> None:
    """Nothing else arrives, nothing is ordered: time alone has it tried again."""
    world.engine.script = busy_for(0)
    world.policy = Policy(Retry(first=0.05))
    sender = world.sender()
    sender.put(request(0))
    await sender.finish()
    sender.now += 1
    await sender.until(lambda: sender.results)


@pytest.mark.parametrize(("retry", "fields", "end"), [
    (Retry(attempts=3, first=10), {}, (RecipientStatus.FAILED, "busy", 3)),
    (Retry(within=65, first=60), {}, (RecipientStatus.FAILED, "busy", None)),
    (Retry(first=40), {"deadline": NOW + 1}, (RecipientStatus.EXPIRED, "deadline", 1)),
])
async def test_attempts_age_and_deadline_end_it(world: World, retry: Retry, fields: dict[str, float],
                                                end: tuple[RecipientStatus, str, int | None]) -> None:
    """With the last refusal as the reason; at the deadline, at once."""
    world.engine.script = lambda message: Transient("busy")
    world.policy = Policy(retry)
    sender = world.sender()
    sender.put(request(0, **{"deadline": LONG} | fields))
    await sender.finish()
    for _ in range(40):
        sender.passes(2.0)
        await asyncio.sleep(0.005)
    result = sender.by_index()[0]
    assert (result.status, result.reason, end[2] and result.attempts) == end
    assert len(world.engine.attempts) == result.attempts
    assert sender.put_off() == {}


async def test_throttled_is_put_off_and_costs_no_attempt(world: World) -> None:
    """After so many in a row it gives up its place, and none of its attempts."""
    world.engine.script = lambda message: Throttled("slow", retry_after=0.0)
    world.policy = Policy(Retry(attempts=1))
    sender = world.sender()
    sender.put(request(0, deadline=LONG))
    await sender.finish()
    assert sender.put_off()[0].history[:2] == (1, 0)
    world.engine.script = lambda message: Accepted("1")
    sender.passes(400)
    await sender.until(lambda: sender.results)
    assert (sender.by_index()[0].status, sender.by_index()[0].attempts) == (RecipientStatus.SENT, 1)


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


async def test_a_copy_that_waited_behind_the_first_is_acknowledged_too(world: World) -> None:
    """Requested twice, put off once, sent once."""
    world.engine.script = busy_for(0)
    sender = world.sender()
    sender.put(request(0), request(0), request(1))
    await sender.finish()
    assert [result.index for result in sender.results] == [1]
    sender.passes(31)
    await sender.until(lambda: len(sender.results) == 2)
    assert world.mailed(0) == 2


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


async def test_no_more_are_put_off_than_a_lane_keeps(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A provider that defers everybody fills no disk: the lane takes no more, and goes on when some have ended."""
    monkeypatch.setattr("outreach_stream.delivery.arrivals.MOST_PUT_OFF", 5)
    answers: list[Accepted | Transient] = [Transient("busy")]
    world.engine.script = lambda message: answers[0]
    sender = world.sender()
    batch = sender.put(*(request(i, deadline=LONG) for i in range(30)))
    await asyncio.sleep(0.1)
    assert 5 <= len(sender.put_off()) <= 5 + sender.places
    assert batch.states.count("waiting") >= 30 - 5 - sender.places
    answers[0] = Accepted("1")
    sender.passes(31)
    await sender.until(lambda: len(sender.results) == 30)
    assert sender.put_off() == {}


async def test_a_drain_does_not_wait_for_an_entry_that_nobody_writes_any_more(world: World) -> None:
    """The lane's own task is cancelled while it puts one off: that is given back at once."""
    world.policy = Policy()
    sender = world.sender()
    sender.specs_away = True
    sender.table.stalled = True
    batch = sender.put(request(0))
    await sender.until(lambda: batch.states == ["claimed"])
    began = asyncio.get_running_loop().time()
    sender.begin_drain()
    await sender.until(lambda: batch.states == ["waiting"], seconds=1)
    assert asyncio.get_running_loop().time() - began < 0.5


async def test_a_spec_out_of_view_puts_its_requests_off(world: World) -> None:
    """They hold nobody up, are sent when it comes, and expire when it does not."""
    sender = world.sender()
    sender.specs_away = True
    sender.put(request(0), request(1, deadline=NOW + 1))
    await sender.finish()
    sender.specs_away = False
    sender.passes(1)
    await sender.until(lambda: 1 in sender.by_index())
    sender.passes(30)
    await sender.until(lambda: len(sender.results) == 2)
    assert {i: end.status for i, end in sender.by_index().items()} == {0: RecipientStatus.SENT,
                                                                      1: RecipientStatus.EXPIRED}


def test_an_entry_is_read_as_it_was_written() -> None:
    """With the whole request."""
    entry = Entry(request(3, name="Ann\n", variables={"a": 1}), 7.5, (2, 3, 4.5), tried=True)  # type: ignore[arg-type]
    assert Entry.decode(entry.encode()) == entry
