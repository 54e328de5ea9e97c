"""Work in a thread of its own."""

import asyncio
import threading
import time

import pytest

from outreach_stream.agents.side_loop import SideLoop


async def test_what_blocks_there_holds_up_nobody_here():
    """The main loop turns while the side's work blocks, and gets its result."""
    async def block():
        time.sleep(0.3)  # noqa: ASYNC251 - that is the point
        return threading.current_thread().name

    side, turns = SideLoop("side-test"), 0
    work = asyncio.create_task(side.run(block()))
    while not work.done():
        await asyncio.sleep(0.01)
        turns += 1
    side.stop()

    assert work.result() == "side-test"
    assert turns > 5


async def test_errors_come_back_and_a_cancellation_goes_there():
    """What the work raises is raised here; what is cancelled here is cancelled there, and cleans up."""
    async def fail():
        raise LookupError("gone")

    cleaned, started = threading.Event(), threading.Event()

    async def wait():
        started.set()
        try:
            await asyncio.sleep(60)
        finally:
            cleaned.set()

    side = SideLoop("side-test")
    with pytest.raises(LookupError, match="gone"):
        await side.run(fail())
    work = asyncio.create_task(side.run(wait()))
    await asyncio.to_thread(started.wait, 5)
    work.cancel()

    assert await asyncio.to_thread(cleaned.wait, 5)
    side.stop()


async def test_it_ends_when_stopped_and_starts_anew():
    """A stop cancels what runs and ends the thread; the next work gets another one."""
    async def here():
        return threading.current_thread()

    side = SideLoop("side-test")
    first = await side.run(here())
    side.stop()
    await asyncio.to_thread(first.join, 5)
    second = await side.run(here())
    side.stop()

    assert not first.is_alive()
    assert second is not first
