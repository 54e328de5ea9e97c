"""Cancel, pause and resume: what is ordered holds for those on their way, those put off, and every process to come."""

import asyncio

import pytest

from outreach_stream.domain.control import EngineThrottle, RunOrder, Subject
from outreach_stream.domain.outcomes import Accepted, InDoubt, Transient
from outreach_stream.domain.policy import Policy, Retry, WhenInDoubt
from outreach_stream.domain.states import RecipientStatus
from outreach_stream.engines.memory import Answer

from .conftest import EXPRESS, NOW, RUN, Sender, World, request

THE_RUN = Subject("run", RUN)
LONG = NOW + 10_000_000
ORDER = RunOrder(at=NOW, by="ann")


def statuses(sender: Sender) -> set[RecipientStatus]:
    return {result.status for result in sender.results}


@pytest.fixture
def briskly(monkeypatch: pytest.MonkeyPatch) -> None:
    """Those who wait for a token notice orders sooner, and nothing is tried again in place."""
    monkeypatch.setattr("outreach_stream.delivery.attempt.HALT_SECONDS", 0.02)
    monkeypatch.setattr("outreach_stream.delivery.steps.IN_PLACE_TRIES", 1)


async def test_a_paused_run_is_put_off_and_goes_on_at_once_when_resumed(world: World) -> None:
    """Nothing goes out, nothing of it holds another run up, and nothing is lost."""
    sender = world.sender()
    sender.order(THE_RUN, "pause", ORDER)
    sender.put(*(request(i) for i in range(20)), *(request(i, run_id="other") for i in range(5)))
    await sender.finish()
    assert {result.run_id for result in sender.results} == {"other"}
    assert len(sender.put_off()) == 20
    sender.order(THE_RUN, "pause", None)
    await sender.until(lambda: len(sender.results) == 25 and not sender.put_off())
    assert [world.mailed(i) for i in range(20)] == [1] * 20
    assert not any(result.possible_duplicate for result in sender.results)


@pytest.mark.usefixtures("briskly")
@pytest.mark.parametrize("matter", ["pause", "cancel"])
async def test_those_that_wait_for_a_token_do_not_go_out(world: World, matter: str) -> None:
    """They held their places when the order came."""
    sender = world.sender()
    sender.rate = 10
    sender.put(*(request(i) for i in range(8)))
    await sender.until(lambda: world.engine.attempts)
    sender.order(THE_RUN, matter, ORDER)
    sent = len(world.engine.attempts)
    await sender.finish()
    await asyncio.sleep(0.25)
    assert len(world.engine.attempts) == sent
    if matter == "cancel":
        assert statuses(sender) == {RecipientStatus.SENT, RecipientStatus.CANCELLED}
        assert len(sender.results) == 8
    else:
        assert len(sender.put_off()) == 8 - sent
        assert statuses(sender) == {RecipientStatus.SENT}


@pytest.mark.usefixtures("briskly")
async def test_cancelled_at_a_paused_engine(world: World) -> None:
    """Its pause of an hour holds nobody of a cancelled run."""
    sender = world.sender()
    sender.order(Subject("engine", "e"), "throttle", EngineThrottle(until=NOW + 3_600, factor=1, at=NOW))
    sender.put(*(request(i, deadline=LONG) for i in range(8)))
    await asyncio.sleep(0.05)
    sender.order(THE_RUN, "cancel", ORDER)
    await sender.finish()
    assert statuses(sender) == {RecipientStatus.CANCELLED}
    assert world.engine.attempts == []


async def test_a_resume_while_entries_are_written_is_not_missed(world: World) -> None:
    """Paused and resumed before anything was durable."""
    sender = world.sender()
    sender.order(THE_RUN, "pause", ORDER)
    sender.table.stalled = True
    batch = sender.put(request(0))
    await sender.until(lambda: batch.states == ["claimed"])
    sender.order(THE_RUN, "pause", None)
    sender.table.stalled = False
    await sender.until(lambda: sender.results)
    assert statuses(sender) == {RecipientStatus.SENT}


async def test_a_resume_that_nobody_heard_is_not_missed(world: World) -> None:
    """It came while no process had the lane: what is put off is looked at when one has."""
    first = world.sender()
    first.order(THE_RUN, "pause", ORDER)
    first.put(request(0, deadline=LONG))
    await first.finish()
    await first.crash()
    first.order(THE_RUN, "pause", None)
    second = world.sender()
    await second.until(lambda: second.results)
    assert statuses(second) == {RecipientStatus.SENT}


async def test_a_paused_run_ends_at_its_deadline(world: World) -> None:
    """As expired; its pause does not stop that clock."""
    sender = world.sender()
    sender.order(THE_RUN, "pause", ORDER)
    sender.put(request(0), request(1))
    await sender.finish()
    sender.passes(61)
    await sender.until(lambda: len(sender.results) == 2)
    assert statuses(sender) == {RecipientStatus.EXPIRED}
    assert world.engine.attempts == []


@pytest.mark.usefixtures("briskly")
@pytest.mark.parametrize("heard", ["here", "by the next process"])
async def test_what_was_put_off_is_cancelled_at_once(world: World, heard: str) -> None:
    """However far its next attempt is off."""
    world.engine.script = lambda message: Transient("busy")
    world.policy = Policy(Retry(first=3_000))
    sender = world.sender()
    sender.put(*(request(i, deadline=LONG) for i in range(5)))
    await sender.finish()
    if heard != "here":
        await sender.crash()
    sender.order(THE_RUN, "cancel", ORDER)
    if heard != "here":
        sender = world.sender()
    await sender.until(lambda: len(sender.results) == 5 and not sender.put_off())
    assert statuses(sender) == {RecipientStatus.CANCELLED}
    assert len(world.engine.attempts) == 5


@pytest.mark.usefixtures("briskly")
@pytest.mark.parametrize("moment", ["on the wire", "while its entry is written"])
async def test_cancelled_before_it_was_put_off(world: World, moment: str) -> None:
    """The order came too early to find it among those put off, and its next attempt is an hour off."""
    world.engine.script = lambda message: Answer(Transient("busy"), after=0.03)
    world.policy = Policy(Retry(first=3_000))
    sender = world.sender()
    sender.put(request(0, deadline=LONG))
    await sender.until(lambda: world.engine.attempts)
    if moment != "on the wire":
        sender.table.stalled = True
        await asyncio.sleep(0.05)
    sender.order(THE_RUN, "cancel", ORDER)
    sender.table.stalled = False
    await sender.until(lambda: sender.results)
    assert statuses(sender) == {RecipientStatus.CANCELLED}


@pytest.mark.usefixtures("briskly")
async def test_neither_a_resume_nor_an_engines_pace_cuts_a_backoff_short(world: World) -> None:
    """Those are looked at, and wait on: each attempt before its time would use up what the workflow allows."""
    world.engine.script = lambda message: Transient("busy")
    world.policy = Policy(Retry(first=3_000))
    sender = world.sender()
    sender.put(*(request(i, deadline=LONG) for i in range(10)))
    await sender.finish()
    await sender.crash()
    sender = world.sender()
    sender.order(THE_RUN, "pause", ORDER)
    sender.order(THE_RUN, "pause", None)
    sender.order(Subject("engine", "e"), "throttle", EngineThrottle(until=NOW, factor=0.5, at=NOW))
    await asyncio.sleep(0.05)
    assert len(world.engine.attempts) == 10
    world.engine.script = lambda message: Accepted("1")
    sender.passes(3_001)
    await sender.until(lambda: len(sender.results) == 10)


async def test_a_doubt_outlives_the_time_it_was_put_off(world: World) -> None:
    """Killed on the wire, then paused: the entry must not make it look as if it had never been tried."""
    world.engine.script = lambda message: Answer(Accepted("1"), after=60)
    first = world.sender()
    first.put(request(0), request(1, spec="not in view"))
    await first.until(lambda: len(world.engine.attempts) == 2)
    await first.crash()

    world.engine.script = lambda message: Accepted("1")
    second = world.sender()
    second.order(THE_RUN, "pause", ORDER)
    second.put(request(0), request(1, spec="not in view"))
    await second.finish()
    assert [entry.tried for entry in second.put_off().values()] == [True, True]
    await second.drain()
    await second.crash()
    third = world.sender()
    third.order(THE_RUN, "pause", None)
    await third.until(lambda: len(third.results) == 2)
    assert all(result.possible_duplicate for result in third.results)


@pytest.mark.parametrize(("in_doubt", "status"), [("hold", RecipientStatus.IN_DOUBT), ("resend", RecipientStatus.SENT)])
async def test_a_spec_out_of_view_decides_nothing(world: World, in_doubt: WhenInDoubt, status: RecipientStatus) -> None:
    """Express is held by default, but this workflow may have another word, and will be heard."""
    world.policy = Policy(in_doubt=in_doubt)
    world.engine.script = lambda message: Answer(Accepted("1"), after=60)
    first = world.sender()
    first.put(request(0), topic=EXPRESS)
    await first.until(lambda: world.engine.attempts)
    await first.crash()
    world.engine.script = lambda message: Accepted("1")
    second = world.sender()
    second.specs_away = True
    second.put(request(0), topic=EXPRESS)
    await second.finish()
    second.specs_away = False
    second.passes(31)
    await second.until(lambda: second.results)
    assert (second.by_index()[0].status, second.by_index()[0].possible_duplicate) == (status, True)


@pytest.mark.parametrize(("topic", "away"), [("bulk", False), (EXPRESS, False), (EXPRESS, True)])
async def test_the_doubted_are_not_cancelled(world: World, topic: str, away: bool) -> None:
    """Whatever is ordered, and whether or not their spec is in view, they may have arrived."""
    world.engine.script = lambda message: Answer(Accepted("1"), after=60)
    first = world.sender()
    first.put(request(0), topic=topic)
    await first.until(lambda: world.engine.attempts)
    await first.crash()
    second = world.sender()
    second.specs_away = away
    second.order(THE_RUN, "cancel", ORDER)
    second.put(request(0), topic=topic)
    await second.finish()
    assert (second.by_index()[0].status, second.by_index()[0].possible_duplicate) == (RecipientStatus.IN_DOUBT, True)
    assert world.mailed(0) == 1


async def test_cancelled_before_the_resend_of_a_doubt(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Never answered, about to be mailed again, cancelled: in doubt, with one attempt."""
    monkeypatch.setattr("outreach_stream.delivery.steps.FIRST_BACKOFF", 0.2)
    monkeypatch.setattr("outreach_stream.delivery.deliver.random.random", lambda: 1.0)
    world.engine.script = lambda message: InDoubt("lost")
    sender = world.sender()
    sender.put(request(0))
    await sender.until(lambda: sender.journal.count(("table", "m")))
    sender.order(THE_RUN, "cancel", ORDER)
    await sender.finish()
    assert (sender.by_index()[0].status, sender.by_index()[0].possible_duplicate) == (RecipientStatus.IN_DOUBT, True)
    assert sender.by_index()[0].attempts == world.mailed(0) == 1


@pytest.mark.parametrize("how", ["cancel", "deadline"])
async def test_whoever_is_requested_before_their_time_waits_for_the_word_of_it(world: World, how: str) -> None:
    """The dispatcher had them end early: a sender that has not heard it yet, or whose clock is behind, mails nobody."""
    sender = world.sender()
    asked = request(0, deadline=NOW + 60 if how == "deadline" else LONG)
    sender.put(asked.model_copy(update={"due": min(NOW + 3_600, asked.deadline)}))
    await sender.finish()
    assert (sender.results, len(sender.put_off())) == ([], 1)
    if how == "cancel":
        sender.order(THE_RUN, "cancel", ORDER)
    else:
        sender.passes(61)
    await sender.until(lambda: sender.results)

    assert statuses(sender) == {RecipientStatus.CANCELLED if how == "cancel" else RecipientStatus.EXPIRED}
    assert world.mailed(0) == 0
