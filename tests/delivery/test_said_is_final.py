"""What was published of a recipient stays: the run may be over by it, its log written, its orders taken back."""

import asyncio

import pytest

from outreach_stream.delivery.sent import moves_key
from outreach_stream.domain.control import EngineFuse, RunOrder, Subject
from outreach_stream.domain.marks import Mark, Marks
from outreach_stream.domain.outcomes import Accepted, RecipientRejected
from outreach_stream.domain.policy import Policy, Route
from outreach_stream.engines.memory import Answer

from .conftest import NOW, RUN, Sender, World, request


def cancelled(world: World, sender: Sender) -> None:
    sender.order(Subject("run", RUN), "cancel", RunOrder(at=NOW))


def stopped(world: World, sender: Sender) -> None:
    sender.policy = world.policy = Policy(on_engine_stopped="fail")
    sender.order(Subject("engine", "e"), "fuse", EngineFuse(reason="key", at=NOW))


def rejected(world: World, sender: Sender) -> None:
    world.engine.script = lambda message: RecipientRejected("no")


def accepted(world: World, sender: Sender) -> None:
    world.engine.script = lambda message: Accepted("1")


@pytest.mark.parametrize("ended_by", [cancelled, stopped, rejected, accepted])
async def test_none_is_mailed_whose_end_was_published(world: World, ended_by: object) -> None:
    """Killed between the two: the next process does not find the order, the stop or the refusal again."""
    first = world.sender()
    ended_by(world, first)  # type: ignore[operator]
    first.put(request(0))
    await first.until(lambda: world.engine.attempts or ended_by in (cancelled, stopped))
    first.table.stalled = True
    await asyncio.sleep(0.05)
    await first.crash()
    said, mailed = len(first.results), world.mailed(0)

    world.orders.clear()
    world.engine.script = lambda message: Accepted("1")
    second = world.sender()
    second.put(request(0))
    await second.finish()
    assert world.mailed(0) == mailed if said else second.results


@pytest.mark.parametrize("said", [False, True])
async def test_who_may_have_another_owner_publishes_no_end(world: World, said: bool) -> None:
    """Frozen while its marks were under way: the next owner may have read the table before they came."""
    sender = world.sender()
    cancelled(world, sender)
    sender.table.stalled = True
    batch = sender.put(request(0))
    await sender.until(lambda: batch.states == ["claimed"])
    await asyncio.sleep(0.01)
    batch.lost = not said
    sender.table.stalled = False
    await asyncio.sleep(0.05)
    assert (bool(sender.results), batch.states == ["done"]) == (said, said)


async def test_a_doubt_goes_along_with_who_is_handed_on_again(world: World) -> None:
    """A frozen process's mark came late: its successor had mailed already, and died."""
    world.policy = Policy(on_engine_stopped="failover", routes=[Route("e", [0]), Route("b", [0])])
    world.engine.script = lambda message: Answer(Accepted("1"), after=60)
    first = world.sender()
    first.put(request(0))
    await first.until(lambda: world.engine.attempts)
    await first.crash()
    moved = Marks()
    moved.set(Mark.MOVED, 0)
    world.durable[0, moves_key("e", RUN, 0)] = {b"frozen": moved.encode()}

    second = world.sender()
    second.put(request(0))
    await second.finish()
    assert [(asked.engine, asked.doubted) for *_, asked in world.handed_on] == [("b", True)]
