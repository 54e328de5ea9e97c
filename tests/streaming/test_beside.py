"""Readers beside the agents: when they start, when they are waited for, when they are closed."""

import asyncio
from collections.abc import Callable
from typing import override

from outreach_stream.streaming.app import StreamApp
from outreach_stream.streaming.beside import started
from outreach_stream.streaming.views import View


class Slow(View[bytes]):
    """A view that is behind until all `together` are asked to catch up; it notes in `told` what is done with it."""

    def __init__(self, told: list[str], together: asyncio.Barrier) -> None:
        super().__init__("127.0.0.1:1", "topic")
        self._told, self._together = told, together

    @override
    async def start(self) -> None:
        self._told.append("start")

    @override
    async def stop(self) -> None:
        self._told.append("stop")

    @override
    async def catch_up(self) -> None:
        await self._together.wait()
        self._told.append("caught up")


async def test_all_catch_up_at_the_same_time_before_what_follows(new_app: Callable[..., StreamApp]) -> None:
    """Each is started once and waited for at every assignment; nobody waits for one after the other."""
    app, told, together = new_app(), [], asyncio.Barrier(2)
    for _ in range(2):
        started(app, Slow(told, together))
    app.on_assigned.append(lambda _: told.append("delivered"))
    for _ in range(2):
        await asyncio.wait_for(app.call_assigned(set()), 1.0)

    assert told == [*["start"] * 2, *["caught up"] * 2, "delivered", *["caught up"] * 2, "delivered"]


async def test_only_what_was_started_is_closed(new_app: Callable[..., StreamApp]) -> None:
    """A worker that ends before its first assignment has no readers to close."""
    told, together = list[str](), asyncio.Barrier(1)
    for assigned in (False, True):
        app = new_app()
        started(app, Slow(told, together))
        if assigned:
            await app.call_assigned(set())
        await app.on_before_shutdown.send()

    assert told == ["start", "caught up", "stop"]
