"""What connections write in one turn of the event loop leaves at its end, one right behind the other.

Whoever reads at the other end is then woken once, and still awake for the rest. To wake somebody for each mail costs
him a third of all he does for it, and us a few per cent.
"""

import asyncio
from collections.abc import Callable
from weakref import WeakKeyDictionary


class Cork:
    """Of one event loop."""

    def __init__(self) -> None:
        self._waiting: list[Callable[[], None]] = []

    def hold(self, send: Callable[[], None]) -> None:
        """Have `send` called when this turn is over, before anything that has come meanwhile; it must not raise."""
        if not self._waiting:
            asyncio.get_running_loop().call_soon(self._pull)
        self._waiting.append(send)

    def _pull(self) -> None:
        waiting, self._waiting = self._waiting, []
        for send in waiting:
            send()


_corks: WeakKeyDictionary[asyncio.AbstractEventLoop, Cork] = WeakKeyDictionary()


def cork_of(loop: asyncio.AbstractEventLoop) -> Cork:
    """The loop's own."""
    if (cork := _corks.get(loop)) is None:
        cork = _corks[loop] = Cork()
    return cork
