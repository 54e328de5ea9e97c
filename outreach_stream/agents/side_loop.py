"""An event loop in a thread of its own, for work that would hold up the one of the agents."""

import asyncio
import threading
from collections.abc import Coroutine
from typing import Any


class SideLoop:
    """Runs coroutines elsewhere: they may block one another, but nobody here. The thread starts with the first one."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._running: tuple[asyncio.AbstractEventLoop, asyncio.Event] | None = None

    async def run[T](self, work: Coroutine[Any, Any, T]) -> T:
        """What `work` returns or raises; when this is cancelled, so is that, which then takes its own time to end."""
        if self._running is None:
            runner, stop = asyncio.Runner(loop_factory=asyncio.new_event_loop), asyncio.Event()
            self._running = runner.get_loop(), stop
            # A daemon: what it writes is written whole or not at all, so the process may end at any moment.
            threading.Thread(target=_serve, args=(runner, stop), name=self._name, daemon=True).start()
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(work, self._running[0]))

    def stop(self) -> None:
        """Have the thread cancel what it runs and end, without waiting for it; the next `run` starts another."""
        if self._running is not None:
            loop, stop = self._running
            loop.call_soon_threadsafe(stop.set)
            self._running = None


def _serve(runner: asyncio.Runner, stop: asyncio.Event) -> None:
    with runner:
        runner.run(_until(stop))


async def _until(stop: asyncio.Event) -> None:
    await stop.wait()
