"""What is done for a run ends with its cancellation, and with nothing else."""

import asyncio

import pytest

from outreach_stream.dispatch.cancelling import Cancelling


async def test_a_cancellation_ends_the_work_and_lets_it_tidy_up(world) -> None:
    """Cut off at what it waits for; others' work, orders of other kinds and the same order again change nothing."""
    cancelling, tidied = Cancelling(world.orders), []

    async def work(name: str) -> str:
        try:
            await asyncio.sleep(0.1)
        finally:
            tidied.append(name)
        return name

    tasks = [asyncio.create_task(cancelling.unless_cancelled(run_id, lambda name=name: work(name)))
             for name, run_id in [("a", "run"), ("b", "run"), ("c", "other")]]
    await asyncio.sleep(0.01)
    world.order("pause", "run")
    world.order("fuse", "run")
    await asyncio.sleep(0.01)
    assert tidied == []
    world.order("cancel", "run")
    world.order("cancel", "run")

    assert await asyncio.gather(*tasks) == [None, None, "c"]
    assert tidied == ["a", "b", "c"]
    assert cancelling._work == {}


async def test_the_work_of_a_cancelled_run_is_not_begun(world) -> None:
    """The order came first."""
    world.order("cancel", "run")

    assert await Cancelling(world.orders).unless_cancelled("run", lambda: pytest.fail("it was begun")) is None


async def test_other_ends_are_left_alone(world) -> None:
    """A time-out of the work's own, and a cancellation of its caller, go through."""
    cancelling = Cancelling(world.orders)

    async def impatient() -> None:
        async with asyncio.timeout(0):
            await asyncio.sleep(1)

    with pytest.raises(TimeoutError):
        await cancelling.unless_cancelled("run", impatient)
    task = asyncio.create_task(cancelling.unless_cancelled("run", lambda: asyncio.sleep(1)))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
