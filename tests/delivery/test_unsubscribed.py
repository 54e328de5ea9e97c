"""Who unsubscribes while a run goes on: not mailed any more, wherever the mail waits, and said to be skipped."""

from dataclasses import replace

import pytest

from outreach_stream.domain.control import RunOrder, Subject
from outreach_stream.domain.marks import Mark
from outreach_stream.domain.outcomes import Accepted, InDoubt, Transient
from outreach_stream.domain.policy import Policy, Retry
from outreach_stream.domain.states import RecipientStatus
from outreach_stream.engines.memory import Answer

from .conftest import EXPRESS, NOW, RUN, Sender, World, request

LONG = NOW + 10_000_000


@pytest.fixture
def left() -> set[tuple[str, str]]:
    """Lists and addresses, as they are known to the process."""
    return set()


@pytest.fixture
def sender(world: World, left: set[tuple[str, str]], monkeypatch: pytest.MonkeyPatch) -> Sender:
    """Of a workflow with a list."""
    monkeypatch.setattr("outreach_stream.delivery.attempt.HALT_SECONDS", 0.02)
    monkeypatch.setattr("outreach_stream.delivery.steps.IN_PLACE_TRIES", 1)
    world.policy = Policy(unsubscribe="news", retry=Retry(first=10.0))
    return listed(world, left)


def listed(world: World, left: set[tuple[str, str]]) -> Sender:
    """The next process, which looks people up in `left`."""
    sender = world.sender()
    sender.floor._around = replace(sender.floor._around, unsubscribed=lambda name, email: (name, email) in left)
    return sender


def email(index: int) -> str:
    return request(index).email


def ends(sender: Sender) -> dict[int, tuple[RecipientStatus, str | None]]:
    return {index: (result.status, result.reason) for index, result in sender.by_index().items()}


SKIPPED = (RecipientStatus.SKIPPED, "unsubscribed")


@pytest.mark.parametrize("topic", ["bulk", EXPRESS])
async def test_who_has_left_is_skipped_and_the_others_are_mailed(
    world: World, sender: Sender, left: set[tuple[str, str]], topic: str,
) -> None:
    """By the workflow's own list only; the end is durable, and told again, why too, when requested again."""
    left |= {("news", email(1)), ("offers", email(2))}
    sender.put(*(request(i) for i in range(4)), topic=topic)
    await sender.finish()

    assert [world.mailed(i) for i in range(4)] == [1, 0, 1, 1]
    assert ends(sender)[1] == SKIPPED
    assert world.has(Mark.SKIPPED, 1)
    left.clear()
    sender.put(request(1), start=10, topic=topic)
    await sender.finish()
    assert world.mailed(1) == 0
    assert ends(sender)[1] == SKIPPED


async def test_who_leaves_while_waiting_for_a_token_is_not_mailed(
    world: World, sender: Sender, left: set[tuple[str, str]],
) -> None:
    """The list is looked at last, right before the hand-over."""
    sender.rate = 5
    sender.put(*(request(i, deadline=LONG) for i in range(5)))
    await sender.until(lambda: world.engine.attempts)
    gone = [i for i in range(5) if not world.mailed(i)]
    left |= {("news", email(i)) for i in gone}
    await sender.finish()

    assert gone
    assert {i for i, end in ends(sender).items() if end == SKIPPED} == set(gone)
    assert not any(world.mailed(i) for i in gone)


async def test_who_leaves_while_put_off_is_not_tried_again(
    world: World, sender: Sender, left: set[tuple[str, str]],
) -> None:
    """A retry and a paused run look at the list when they go on."""
    world.engine.script = lambda message: Transient("busy")
    sender.put(request(0, deadline=LONG))
    await sender.finish()
    sender.order(Subject("run", RUN), "pause", RunOrder(at=NOW))
    sender.put(request(1, deadline=LONG), start=1)
    await sender.until(lambda: len(sender.put_off()) == 2)
    left |= {("news", email(0)), ("news", email(1))}
    sender.order(Subject("run", RUN), "pause", None)
    sender.passes(60)
    await sender.until(lambda: len(sender.results) == 2)

    assert ends(sender) == {0: SKIPPED, 1: SKIPPED}
    assert [world.mailed(i) for i in range(2)] == [1, 0]


async def test_who_may_have_been_mailed_is_in_doubt_and_not_mailed_again(
    world: World, sender: Sender, left: set[tuple[str, str]],
) -> None:
    """The truth about the first attempt outlives the wish: in doubt, and no second mail."""
    def lost(_: object) -> InDoubt:
        left.add(("news", email(0)))
        return InDoubt("lost")

    world.engine.script = lost
    sender.put(request(0, deadline=LONG))
    await sender.finish()

    assert world.mailed(0) == 1
    assert ends(sender)[0] == (RecipientStatus.IN_DOUBT, "unsubscribed")


async def test_after_a_crash_it_is_looked_up_again(world: World, sender: Sender, left: set[tuple[str, str]]) -> None:
    """The next process knows the list, too: whoever may have been mailed ends in doubt, the others are skipped."""
    world.engine.script = lambda message: Answer(Accepted("1"), after=60)
    sender.places = 1
    sender.put(request(0), request(1))
    await sender.until(lambda: world.engine.attempts)
    await sender.crash()
    left |= {("news", email(0)), ("news", email(1))}
    second = listed(world, left)
    second.put(request(0), request(1))
    await second.finish()

    assert ends(second)[0] == (RecipientStatus.IN_DOUBT, "unsubscribed")
    assert ends(second)[1][0] in {RecipientStatus.IN_DOUBT, RecipientStatus.SKIPPED}
    assert [world.mailed(i) for i in range(2)] == [1, 0]
