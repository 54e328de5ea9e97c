"""Readers of topics beside an app's agents: started with its first assignment, and caught up before every one."""

import asyncio
from typing import Protocol

from outreach_stream.streaming.app import StreamApp
from outreach_stream.streaming.views import View

READER_SECONDS = 0.2
"""That a reader may take to close its connections when the worker stops; a broker that is there needs milliseconds."""


class Reader(Protocol):
    """What reads topics beside the agents."""

    async def start(self) -> None:
        """Connect and begin."""

    async def stop(self) -> None:
        """End, and close the connections."""


def started[T: Reader](app: StreamApp, reader: T) -> T:
    """Has `app` start the reader once, and let it catch up before anything of an assignment is delivered.

    Hooks that are added to `on_assigned` after the app's first reader are called when all its readers have caught up.
    """
    beside = next((hook for hook in app.on_assigned if isinstance(hook, _Beside)), None)
    if beside is None:
        beside = _Beside()
        app.on_assigned.append(beside)
    beside.readers.append(reader)

    async def close(_app: StreamApp, **_: object) -> None:  # everything is drained and committed by now
        if reader in beside.running:  # in a task of its own: without a broker the client cancels whoever waits for it
            await asyncio.wait([app.spawn(reader.stop())], timeout=READER_SECONDS)

    app.on_before_shutdown.connect(close, sender=app)  # type: ignore[arg-type]
    return reader


class _Beside:
    """The hook of an app with its readers. They catch up at the same time, for each of them waits for the broker."""

    def __init__(self) -> None:
        self.readers: list[Reader] = []
        self.running: list[Reader] = []

    async def __call__(self, _assigned: object) -> None:
        await asyncio.gather(*map(self._ready, self.readers))

    async def _ready(self, reader: Reader) -> None:
        if reader not in self.running:
            await reader.start()
            self.running.append(reader)
        if isinstance(reader, View):
            await reader.catch_up()
