"""An event loop whose time only waiting moves on: hours pass in a moment, and exactly as late as a test says."""

import asyncio
import selectors
from collections.abc import Callable, Iterable
from itertools import cycle
from typing import Any


class SimulatedLoop(asyncio.SelectorEventLoop):
    """Never waits for real. Each wait takes as long as it was asked for, and longer as the machine is `late`."""

    def __init__(self, late: Iterable[float] = (0.0,)) -> None:
        self.now, self.late = 0.0, cycle(late)
        super().__init__(_Selector(self))

    def time(self) -> float:
        return self.now

    def advance(self, seconds: float) -> None:
        """Let everything happen that happens in so many seconds."""
        self.run_until_complete(asyncio.sleep(seconds))

    def do(self, what: Callable[..., object], *args: object) -> None:
        """Call it in the loop, and let everything happen that follows at once."""
        self.call_soon(what, *args)
        self.run_until_complete(_a_moment(self))

    def end(self) -> None:
        """Cancel what still runs, and close."""
        for task in asyncio.all_tasks(self):
            task.cancel()
        self.run_until_complete(_a_moment(self))
        self.close()


async def _a_moment(loop: SimulatedLoop) -> None:
    idle = 0
    while idle < 3:  # what is due now by a timer is ready one round later
        idle = 0 if loop._ready else idle + 1
        await asyncio.sleep(0)


class _Selector(selectors.DefaultSelector):
    def __init__(self, loop: SimulatedLoop) -> None:
        super().__init__()
        self._loop = loop

    def select(self, timeout: float | None = None) -> Any:
        if timeout is None:
            raise RuntimeError("everybody waits for something that never happens")
        if timeout > 0:
            self._loop.now += timeout + next(self._loop.late) + 1e-9
        else:   # a real clock goes on meanwhile, or a timer of less than it can tell would ring for ever
            self._loop.now += 1e-9
        return super().select(0)
