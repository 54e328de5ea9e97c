"""Signals that ask a command to stop, once gently, twice firmly."""

import asyncio
import signal
from collections.abc import Callable

STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def on_stop(call: Callable[[], object]) -> None:
    """Have `call` called in the running loop at each Ctrl-C, SIGTERM and hang-up of the terminal."""
    for number in STOPPING:
        asyncio.get_running_loop().add_signal_handler(number, call)
