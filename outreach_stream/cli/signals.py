"""Signals that ask a command to stop, once gently, twice firmly."""

import asyncio
import signal
from collections.abc import Callable, Coroutine
from typing import Any

STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


INTERRUPTED = 130
"""128 + SIGINT, as shells have it."""


async def until_stopped(work: Coroutine[Any, Any, object]) -> int:
    """Do `work` until it ends, or a signal ends it; returns the exit code. Raises what `work` raises."""
    stop = asyncio.Event()
    on_stop(stop.set)
    working, stopping = asyncio.ensure_future(work), asyncio.ensure_future(stop.wait())
    await asyncio.wait([working, stopping], return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    if not stop.is_set():
        await working
        return 0
    while not working.done():  # again and again: a Kafka client may swallow one cancellation
        working.cancel()
        await asyncio.wait([working], timeout=0.2)
    return INTERRUPTED


def on_stop(call: Callable[[], object]) -> None:
    """Have `call` called in the running loop at each Ctrl-C, SIGTERM and hang-up of the terminal."""
    for number in STOPPING:
        asyncio.get_running_loop().add_signal_handler(number, call)
