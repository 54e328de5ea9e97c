"""Views of topics in processes that must not wait for the broker."""

import asyncio
from typing import Any

import structlog

from outreach_stream.broker.errors import KAFKA_TROUBLE
from outreach_stream.streaming.views import View

RETRY = 1.0
"""Seconds before the broker is asked again."""

_log = structlog.get_logger()


class Follower:
    """Keeps a view going from `start` to `stop`, through the broker's absences, from the very first on."""

    def __init__(self, view: View[Any], topic: str) -> None:
        self._view, self._topic = view, topic
        self._starting: asyncio.Task[None] | None = None
        self._complete = asyncio.Event()

    async def start(self) -> None:
        """Begins to follow; does not wait for the broker."""
        self._starting = asyncio.create_task(self._start())

    async def _start(self) -> None:
        while True:
            try:
                await self._view.start()
                break
            except KAFKA_TROUBLE as error:
                _log.warning("topic_not_followed", topic=self._topic, error=type(error).__name__)
                await self._view.stop()
                await asyncio.sleep(RETRY)
        await self._view.catch_up()
        self._complete.set()

    async def stop(self) -> None:
        """Ends the following."""
        if self._starting is not None:
            self._starting.cancel()
            await asyncio.wait([self._starting])
        await self._view.stop()

    @property
    def complete(self) -> bool:
        """Whether all has been read that was there at the start."""
        return self._complete.is_set()

    async def caught_up(self) -> None:
        """Returns when all is read that was there at the time of the call. Waits for a broker that is away."""
        await self._complete.wait()
        await self._view.catch_up()
