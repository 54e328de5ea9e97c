"""What is put off: durable before it is acknowledged, due by time, ended once, and in nobody's way."""

import asyncio

import pytest

from outreach_stream.delivery.item import History
from outreach_stream.delivery.later import Entry
from outreach_stream.domain.outcomes import Accepted, Throttled, Transient
from outreach_stream.domain.policy import Policy, Retry
from outreach_stream.domain.states import RecipientStatus

from .conftest import NOW, World, busy_for, request

LONG = NOW + 10_000_000
pytestmark = pytest.mark.usefixtures("put_off_at_once")


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
    entry = Entry(request(3, name="Ann\n", variables={"a": 1}), 7.5, History(2, 3, 4.5), tried=True)
    assert Entry.decode(entry.encode()) == entry
