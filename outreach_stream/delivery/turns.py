"""Who is next of those that wait for something scarce, a token or a place: express before bulk, within limits."""

import asyncio
from collections import OrderedDict
from collections.abc import Callable
from itertools import count

PRICE = 4
"""What an express grant costs, in bulk grants: one in five is reserved."""
SAVED = 10 * PRICE
"""The most that is saved up: so many express mails in a row overtake bulk that came first."""

type _Queue = OrderedDict[asyncio.Future[None], int]
"""Those who wait, in the order in which they came, with their number."""


class Turns:
    """A fifth of the grants is reserved for express while it has work; the rest is first come, first served.

    Each bulk grant saves up 1, each express grant costs `PRICE`, whoever else was waiting. While both wait, express is
    next if the price is there, else whoever came first. So express that is sparse overtakes at once, express that
    floods gets at least one grant in five and leaves bulk its turn, and nothing is kept back while none waits.
    """

    def __init__(self, given_up: Callable[[], None]) -> None:
        """`given_up`: called when a waiter is cancelled after its turn was called; somebody else is to be called."""
        self._given_up = given_up
        self._express: _Queue = OrderedDict()
        self._bulk: _Queue = OrderedDict()
        self._numbers = count(1)
        self._credit = SAVED

    @property
    def waiting(self) -> bool:
        """Whether anybody waits; may also be true for a moment after the last was cancelled."""
        return bool(self._bulk or self._express)

    @property
    def express_waiting(self) -> bool:
        """Whether anybody of express does, likewise."""
        return bool(self._express)

    def count(self, express: bool) -> None:
        """Something was granted without waiting."""
        self._credit = max(0, self._credit - PRICE) if express else min(SAVED, self._credit + 1)

    async def wait(self, express: bool, *, first: bool = False) -> None:
        """Wait until it is our turn. `first`: it was before, and came to nothing."""
        queue = self._express if express else self._bulk
        called = asyncio.get_running_loop().create_future()
        queue[called] = 0 if first else next(self._numbers)
        if first:
            queue.move_to_end(called, last=False)
        try:
            await called
        except asyncio.CancelledError:
            if called.cancelled():
                queue.pop(called, None)
            else:
                self._given_up()
            raise

    def call(self) -> bool:
        """Call who is next; it runs a moment later. False: nobody waits."""
        while queue := self._next():
            called, _ = queue.popitem(last=False)
            if not called.done():  # else it was cancelled, and has not noticed yet
                self.count(queue is self._express)
                called.set_result(None)
                return True
        return False

    def _next(self) -> _Queue:
        if not (self._express and self._bulk):
            return self._express or self._bulk
        if self._credit >= PRICE:
            return self._express
        return min(self._express, self._bulk, key=lambda queue: next(iter(queue.values())))


class Places:
    """So many may hold a place at a time; a place that is given back goes to who is next by `Turns`.

    Some are kept for express: bulk gives places back by the group, and an express mail would wait for the next group.
    """

    def __init__(self, places: int, *, kept: int = 0) -> None:
        """`kept`: how many of them are for express alone."""
        self.free, self._kept = places, kept
        self._turns = Turns(self.give)

    def at_hand(self, *, express: bool) -> bool:
        """Whether there is a place that need not be waited for."""
        return self.free > (0 if express else self._kept)

    async def take(self, express: bool = False) -> None:
        """Wait for a place; one `give` for each."""
        if not self.take_nowait(express=express):
            await self._turns.wait(express)

    def take_nowait(self, *, express: bool = False) -> bool:
        """Take a place, if there is one: then nobody waits for it."""
        if not self.at_hand(express=express):
            return False
        self.free -= 1
        self._turns.count(express)
        return True

    def give(self) -> None:
        """Leave a place to who is next."""
        # Where express waits, too, nothing is kept: a flood of it would get one place after the other, and bulk none.
        kept_back = self.free < self._kept and not self._turns.express_waiting
        if kept_back or not self._turns.call():
            self.free += 1
