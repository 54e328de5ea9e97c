"""One request's way through its lane: the order of things, and the ends that need no attempt."""

import asyncio

import pytest

from outreach_stream.domain.marks import Mark
from outreach_stream.domain.message import OutgoingMessage
from outreach_stream.domain.outcomes import Accepted, InDoubt, RecipientRejected, Throttled, Transient
from outreach_stream.domain.states import RecipientStatus

from .conftest import BULK, EXPRESS, NOW, World, request


async def test_everything_is_sent_once_and_said(world: World) -> None:
    """Each recipient is mailed once, has a result, a durable mark and a finished request."""
    sender = world.sender()
    sender.put(*(request(i) for i in range(50)))
    await sender.finish()

    assert [world.mailed(i) for i in range(50)] == [1] * 50
    assert {result.status for result in sender.results} == {RecipientStatus.SENT}
    assert sorted(sender.by_index()) == list(range(50))
    assert all(world.has(Mark.SENT, i) for i in range(50))
    assert not any(result.possible_duplicate for result in sender.results)
    assert [progress for _, progress in sender.floor.progress()] == [50]
    assert list(sender.floor.progress()) == []


async def test_watermark_then_hand_over_then_marks_and_result_then_ack(world: World) -> None:
    """The order of invariant 5, as it really becomes durable."""
    sender = world.sender()
    world.engine.script = lambda message: sender.journal.append(("hand_over", message.message_id)) or Accepted("1")
    sender.put(request(0))
    await sender.finish()

    kinds = [entry[0] if entry[0] != "table" else entry[1] for entry in sender.journal]
    assert kinds[:2] == ["w", "hand_over"]
    assert set(kinds[2:4]) == {"m", "results"}
    assert kinds[4:] == ["done"]


async def test_delivered_again_with_an_end_is_said_again_and_not_sent(world: World) -> None:
    """The crash may have come between the mark and the result: `recovered`, with the status of the record."""
    world.engine.script = lambda m: RecipientRejected("no") if m.recipient.startswith("p1@") else Accepted("1")
    first = world.sender()
    first.put(request(0), request(1))
    await first.finish()
    await first.crash()

    second = world.sender()
    second.put(request(0), request(1))
    await second.finish()

    assert len(world.engine.attempts) == 2
    again = second.by_index()
    assert all(result.recovered and not result.possible_duplicate for result in again.values())
    assert (again[0].status, again[1].status) == (RecipientStatus.SENT, RecipientStatus.FAILED)


async def test_the_skipped_and_the_expired_touch_no_engine(world: World) -> None:
    """They end in their lane, with their reason."""
    sender = world.sender()
    sender.put(request(0, skip="suppressed"), request(1, deadline=NOW), request(2))
    await sender.finish()

    ends = sender.by_index()
    assert (ends[0].status, ends[0].reason) == (RecipientStatus.SKIPPED, "suppressed")
    assert (ends[1].status, ends[1].reason) == (RecipientStatus.EXPIRED, "deadline")
    assert [message.recipient for message in world.engine.attempts] == ["p2@x.example"]


@pytest.mark.parametrize(("variables", "reason"), [
    ({"broken": True}, "template: subject: 'broken' is undefined"), ({"bug": True}, "template: KeyError")])
async def test_what_cannot_be_rendered_fails_alone(world: World, variables: dict[str, bool], reason: str) -> None:
    """One recipient's row is no reason to stop for the others."""
    sender = world.sender()
    sender.put(request(0), request(1, variables=variables), request(2))
    await sender.finish()

    ends = sender.by_index()
    assert (ends[1].status, ends[1].reason) == (RecipientStatus.FAILED, reason)
    assert [ends[0].status, ends[2].status] == [RecipientStatus.SENT] * 2


async def test_requested_twice_at_the_same_time_is_mailed_once(world: World) -> None:
    """The second copy waits for the first one's end and takes it over; both are finished."""
    sender = world.sender()
    sender.put(request(0), request(1), request(0), request(0))
    await sender.finish()

    assert (world.mailed(0), world.mailed(1)) == (1, 1)
    assert [result.recovered for result in sender.results if result.index == 0] == [False, True, True]


async def test_a_deferred_one_is_tried_again_and_gives_its_place_up_meanwhile(world: World) -> None:
    """Retried in place; with one place only, the others go on while it waits."""
    tried: list[str] = []

    def defer_once(message: OutgoingMessage) -> Accepted | Transient:
        tried.append(message.recipient[:2])
        return Transient("busy") if tried.count("p0") == 1 and message.recipient[:2] == "p0" else Accepted("1")

    world.engine.script = defer_once
    sender = world.sender()
    sender.places = 1
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("outreach_stream.delivery.deliver.random.random", lambda: 1.0)
        sender.put(*(request(i) for i in range(4)))
        await sender.finish()

    assert tried[:2] == ["p0", "p1"]     # on a slow machine the first is back before the last
    assert sorted(tried) == ["p0", "p0", "p1", "p2", "p3"]
    assert (sender.by_index()[0].status, sender.by_index()[0].attempts) == (RecipientStatus.SENT, 2)


async def test_time_spent_on_tokens_and_on_the_wire_costs_no_retry(world: World) -> None:
    """A slow engine's recipient is deferred after a long wait: it is tried again all the same."""
    sender = world.sender()

    def defer_late(message: OutgoingMessage) -> Accepted | Transient:
        sender.now += 20
        return Transient("busy") if len(world.engine.attempts) <= 2 else Accepted("1")

    world.engine.script = defer_late
    sender.put(request(0))
    await sender.finish()
    assert (sender.by_index()[0].status, sender.by_index()[0].attempts) == (RecipientStatus.SENT, 3)


async def test_an_engine_that_cannot_be_reached_fails_nobody(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A relay's restart: its mails wait in their places and cost no attempt; past their deadline they expire."""
    monkeypatch.setattr("outreach_stream.delivery.desk.UNREACHABLE_SECONDS", 0.01)
    world.engine.unreachable = Transient("connection_refused")
    sender = world.sender()
    sender.put(request(0, deadline=NOW + 1), *(request(i) for i in range(1, 10)))
    await asyncio.sleep(0.1)
    assert sender.results == []
    sender.now += 2
    await sender.until(lambda: sender.results)
    world.engine.unreachable = None
    await sender.finish()

    ends = sender.by_index()
    assert (ends[0].status, ends[0].reason) == (RecipientStatus.EXPIRED, "connection_refused")
    assert {(ends[i].status, ends[i].attempts) for i in range(1, 10)} == {(RecipientStatus.SENT, 1)}
    assert not world.has(Mark.DOUBTED, 0)


async def test_what_expires_while_the_engine_pauses_is_not_sent(world: World) -> None:
    """The deadline is looked at again after the token."""
    sender = world.sender()
    sender.places = 1
    world.engine.script = lambda message: Throttled("slow down", retry_after=0.1)
    sender.put(request(0), request(1))
    await sender.until(lambda: world.engine.attempts)
    sender.now += 61
    await sender.finish()
    assert {end.status for end in sender.by_index().values()} == {RecipientStatus.EXPIRED}
    assert len(world.engine.attempts) == 1


async def test_a_throttled_engine_pauses_for_everybody(world: World) -> None:
    """The provider's wait is obeyed by all of the engine's mails, and costs nobody an attempt."""
    tried: list[float] = []

    def throttle_once(message: OutgoingMessage) -> Accepted | Throttled:
        tried.append(asyncio.get_running_loop().time())
        return Throttled("slow down", retry_after=0.2) if len(tried) == 1 else Accepted("1")

    world.engine.script = throttle_once
    sender = world.sender()
    sender.places = 1
    sender.put(*(request(i) for i in range(5)))
    await sender.finish()
    assert tried[1] - tried[0] >= 0.2
    assert {(end.status, end.attempts) for end in sender.by_index().values()} == {(RecipientStatus.SENT, 1)}


async def test_a_bug_in_an_engine_neither_stops_the_lane_nor_hides_a_mail(world: World) -> None:
    """Before the hand-over it is as if refused; after it, in doubt. A bug in `acquire` is the former."""
    class Buggy:
        def __init__(self, handed_over: bool) -> None:
            self.handed_over, self.reusable = handed_over, True

        async def hand_over(self, message: OutgoingMessage) -> Accepted:
            raise ZeroDivisionError

    connections = iter([Buggy(False), Buggy(True)])
    healthy = world.engine.acquire

    async def acquire() -> object:
        connection = next(connections, None)
        if connection is None:
            return await healthy()
        await world.engine._slots.acquire()
        return connection

    world.engine.acquire = acquire  # type: ignore[method-assign]
    sender = world.sender()
    sender.put(request(0), topic=BULK)
    await sender.finish()
    assert sender.by_index()[0].status is RecipientStatus.SENT
    assert sender.by_index()[0].possible_duplicate
    assert sender.by_index()[0].attempts == 3


async def test_a_bug_in_acquire_stops_nothing(world: World) -> None:
    """The engine stops, everybody is told with the bug's name, its recipients wait, the worker lives."""
    async def acquire() -> None:
        raise ZeroDivisionError

    world.engine.acquire = acquire  # type: ignore[method-assign,assignment]
    sender = world.sender()
    sender.put(request(0))
    await sender.finish()
    assert [(engine, order.reason) for engine, order in sender.told] == [("e", "engine_error: ZeroDivisionError")]
    assert sender.results == []
    assert list(sender.put_off()) == [0]


@pytest.mark.parametrize(("topic", "status", "attempts"), [(BULK, RecipientStatus.SENT, 2),
                                                           (EXPRESS, RecipientStatus.IN_DOUBT, 1)])
async def test_an_answer_in_doubt_is_mailed_again_labelled_or_held(
        world: World, topic: str, status: RecipientStatus, attempts: int) -> None:
    """Never silently: resent once with `possible_duplicate`, durably doubted before, or held."""
    answers, doubted = iter([InDoubt("lost")]), []
    world.engine.script = lambda message: doubted.append(world.has(Mark.DOUBTED, 0)) or next(answers, Accepted("1"))
    sender = world.sender()
    sender.put(request(0), topic=topic)
    await sender.finish()

    end = sender.by_index()[0]
    assert (end.status, end.attempts, world.mailed(0)) == (status, attempts, attempts)
    assert end.possible_duplicate is (topic == BULK)
    assert doubted == [False, True][:attempts]
    assert world.has(Mark.DOUBTED, 0) is (topic == BULK)


async def test_a_stale_lease_costs_the_token_and_sends_nothing(world: World) -> None:
    """Cut off from the broker: what has its token waits, and takes another one when the lease is back."""
    sender = world.sender()
    sender.rate = 50
    batch = sender.put(*(request(i) for i in range(3)))
    batch.stale = True
    await asyncio.sleep(0.15)
    assert world.engine.attempts == []
    batch.stale = False
    await sender.finish()
    assert [world.mailed(i) for i in range(3)] == [1, 1, 1]
