"""What a sender counts: each hand-over once, each recipient once, and what it says of them."""

from collections.abc import Iterator

import pytest

from outreach_stream.agents.readings import of_floor
from outreach_stream.delivery.bucket import Bucket
from outreach_stream.delivery.work import KINDS
from outreach_stream.domain.outcomes import Accepted, EngineStopped, Outcome, RecipientRejected, Throttled, Transient
from outreach_stream.domain.policy import Policy, Route
from outreach_stream.engines.memory import MemoryEngine

from .conftest import Sender, World, request

OUTCOMES = Outcome.__value__.__args__[0], *Outcome.__value__.__args__[1].__value__.__args__
"""All that may come of an attempt."""


def said(sender: Sender) -> dict[tuple[str, ...], float]:
    """What it says, by metric and labels; zeros left out."""
    return {(reading.metric.name.removeprefix("outreach_"), *reading.labels): getattr(reading.value, "count",
                                                                                     reading.value)
            for reading in of_floor(sender.floor) if getattr(reading.value, "count", reading.value)}


def counted(sender: Sender, *names: str) -> dict[tuple[str, ...], float]:
    return {key: value for key, value in said(sender).items() if key[0] in names}


async def test_hand_overs_and_ends(world: World) -> None:
    """One is taken, one is refused, one is taken at the second attempt: four hand-overs, three ends, one retry."""
    answers = {0: iter([Accepted("1")]), 1: iter([RecipientRejected("550")]),
               2: iter([Transient("421"), Accepted("2")])}
    world.engine.script = lambda message: next(answers[int(message.message_id.rpartition(":")[2])])
    sender = world.sender()
    sender.put(*(request(i) for i in range(3)))
    await sender.finish()

    assert counted(sender, "attempts", "recipients_ended", "retries", "hand_over_seconds", "rendering_seconds") == {
        ("recipients_ended", "e", "sent"): 2, ("recipients_ended", "e", "failed"): 1,
        ("attempts", "e", "accepted"): 2, ("attempts", "e", "recipient_rejected"): 1, ("attempts", "e", "transient"): 1,
        ("retries", "e", "in_place"): 1, ("hand_over_seconds", "e"): 4, ("rendering_seconds", "e"): 3}


@pytest.mark.usefixtures("put_off_at_once")
async def test_what_is_put_off_is_in_the_lane_and_not_ended(world: World) -> None:
    """It waits in the lane, told as such; the retry is counted as one that is made later."""
    world.engine.script = lambda _: Transient("451")
    sender = world.sender()
    sender.put(request(0))
    await sender.finish()

    assert counted(sender, "lane_requests", "retries", "recipients_ended") == {
        ("lane_requests", "e", "put_off"): 1, ("retries", "e", "later"): 1}


async def test_an_end_that_is_not_durable_is_not_counted_yet(world: World) -> None:
    """A result that the broker refused at first is counted once, when it is there."""
    sender = world.sender()
    sender.publish_failures = 1
    sender.put(request(0))
    await sender.finish()

    assert counted(sender, "recipients_ended") == {("recipients_ended", "e", "sent"): 1}


async def test_an_end_said_again_is_recovered(world: World) -> None:
    """The next process is delivered what was done: it says so again, and sends nothing."""
    first = world.sender()
    first.put(request(0))
    await first.finish()
    await first.crash()
    second = world.sender()
    second.put(request(0))
    await second.finish()

    assert counted(second, "recipients_ended", "attempts") == {("recipients_ended", "e", "recovered"): 1}


async def test_the_engines_state_is_told(world: World) -> None:
    """Stopped, its recipients handed on; throttled, with its pause and its factor."""
    world.policy = Policy(on_engine_stopped="failover", routes=[Route("e", [0]), Route("b", [0])])
    world.engines["b"] = MemoryEngine()
    world.engine.script = lambda _: EngineStopped("key")
    world.engines["b"].script = lambda _: Throttled("429", retry_after=60.0)
    sender = world.sender()
    sender.rate = 100.0
    sender.put(request(0))
    await sender.until(lambda: sender.handed_on)
    await sender.finish()
    sender.put(sender.handed_on[0][2], start=1)
    await sender.until(lambda: any(engine == "b" for engine, _ in sender.told))
    told = said(sender)

    assert told["engine_stopped", "e"] == told["recipients_moved", "e"] == told["attempts", "e", "engine_stopped"] == 1
    assert told["attempts", "b", "throttled"] == 1
    assert (told["engine_rate", "b"], told["engine_rate_factor", "b"]) == (50.0, 0.5)
    assert 0 < told["engine_pause_seconds", "b"] <= 60
    assert told["engine_rate", "e"] == 100.0


def test_every_outcome_has_a_word() -> None:
    """Whoever adds one is told here that it would not be counted."""
    assert set(KINDS) == set(OUTCOMES)


def test_a_gauge_takes_nothing() -> None:
    """Looking changes no token: what may go is what could have gone unlooked at."""
    now = iter_clock()
    bucket = Bucket(10.0, 4.0, lambda: next(now))
    bucket.share(1.0)
    first = [bucket.gauge().tokens for _ in range(3)]

    assert first == pytest.approx([0.1, 0.2, 0.3])
    assert bucket.gauge()[1:] == (10.0, 1.0, 0.0)


def iter_clock() -> Iterator[float]:
    """Ten milliseconds later at each look, and still while it is set up."""
    yield 0.0
    yield 0.0
    tick = 0
    while True:
        tick += 1
        yield tick / 100
