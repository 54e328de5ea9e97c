"""An event loop in a thread of its own, for work that would hold up the one of the agents."""

import asyncio
import threading
from collections.abc import Coroutine
from typing import Any


class SideLoop:
    """Runs coroutines elsewhere; a coroutine may block its own kind, but nobody else. Starts with the first one."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._loop: asyncio.AbstractEventLoop | None = None

    async def run[T](self, work: Coroutine[Any, Any, T]) -> T:
        """What `work` returns or raises; cancelled there when it is cancelled here."""
        if self._loop is None:
            self._loop = asyncio.new_event_loop()
            # A daemon: the process may end at any moment, and what is written is written whole or not at all.
            threading.Thread(target=self._loop.run_forever, name=self._name, daemon=True).start()
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(work, self._loop))

    def stop(self) -> None:
        """End the thread; what it still runs is abandoned."""
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._loop = None
