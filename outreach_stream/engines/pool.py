"""The connections of one engine: at most so many, each for so many messages, none idle for long."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Protocol

from outreach_stream.domain.outcomes import Failure, Refusal, Transient
from outreach_stream.domain.ports import Connection

GOODBYE_LIMIT = 2.0
"""Seconds that a goodbye may take before the other side is hung up on."""


class Pooled(Connection, Protocol):
    """A connection that may be kept for the next message."""

    messages: int
    """Messages it has been used for."""
    idle_since: float
    """Of the event loop's time; the pool's own."""

    def abort(self) -> None:
        """Close at once."""

    async def goodbye(self, limit: float) -> None:
        """Close politely, within so many seconds. Raises nothing."""


class Pool[C: Pooled]:
    """Lends connections out, the warmest first, so that those not needed grow idle and are closed."""

    def __init__(self, connect: Callable[[], Awaitable[C | Refusal]], *,
                 size: int, idle: float, max_messages: int) -> None:
        self._connect = connect
        self._idle_limit = idle
        self._max_messages = max_messages
        self._slots = asyncio.Semaphore(size)
        self._idle: deque[C] = deque()  # the longest idle at the left
        self._farewells: set[asyncio.Task[None]] = set()
        self._reaper: asyncio.TimerHandle | None = None
        self._closed = False

    async def acquire(self) -> C | Refusal:
        """See `outreach_stream.domain.ports.Engine`."""
        await self._slots.acquire()
        try:
            if self._closed:
                found: C | Refusal = Transient("engine_closed")
            else:
                found = self._warm() or await self._connect()
        except BaseException:
            self._slots.release()
            raise
        if isinstance(found, Failure):
            self._slots.release()
        return found

    def release(self, connection: C) -> None:
        """See `outreach_stream.domain.ports.Engine`."""
        if connection.reusable and not self._closed and connection.messages >= self._max_messages:
            # The slot is free only when the connection is gone: servers count those still saying goodbye.
            self._say_goodbye(connection).add_done_callback(lambda _: self._slots.release())
            return
        self._slots.release()
        if self._closed or not connection.reusable:
            connection.abort()
            return
        connection.idle_since = asyncio.get_running_loop().time()
        self._idle.append(connection)
        if self._reaper is None:
            self._reap()

    async def close(self) -> None:
        """Say goodbye to every idle connection; those still lent out are hung up when they come back."""
        self._closed = True
        if self._reaper:
            self._reaper.cancel()
        while self._idle:
            self._say_goodbye(self._idle.pop())
        if self._farewells:
            await asyncio.wait(self._farewells)

    def _warm(self) -> C | None:
        while self._idle:
            connection = self._idle.pop()
            if connection.reusable:
                return connection
            connection.abort()  # the other side closed it, or said something unasked, while it lay idle
        return None

    def _say_goodbye(self, connection: C) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(connection.goodbye(GOODBYE_LIMIT))
        self._farewells.add(task)
        task.add_done_callback(self._farewells.discard)
        return task

    def _reap(self) -> None:
        """Say goodbye to what has been idle for too long; runs again when the next one will have been."""
        loop = asyncio.get_running_loop()
        while self._idle and self._idle[0].idle_since + self._idle_limit <= loop.time():
            self._say_goodbye(self._idle.popleft())
        due = self._idle[0].idle_since + self._idle_limit if self._idle else None
        self._reaper = loop.call_at(due, self._reap) if due is not None else None
