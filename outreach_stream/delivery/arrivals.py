"""What a lane is to begin next: what was put off and is to be looked at, then requests in offset order."""

import asyncio
from collections import OrderedDict, deque
from collections.abc import Callable, Iterable, Iterator
from itertools import islice, takewhile

from outreach_stream.delivery.item import Item
from outreach_stream.delivery.later import PutOff
from outreach_stream.domain.clock import Clock
from outreach_stream.domain.ports import Ledgered

MOST_PUT_OFF = 10_000
"""Requests of a lane that are put off at a time; beyond, it takes no more until some are due."""


class Arrivals:
    """The queue of one lane, with what it has put off."""

    def __init__(self, put_off: PutOff, own_work: Callable[[], Ledgered], places: int, clock: Clock) -> None:
        """`places`: how many may be in work, so that no more is taken from the table than can be begun."""
        self._put_off, self._own_work, self._places, self._clock = put_off, own_work, places, clock
        self._queue: deque[Item] = deque()
        self._due: deque[Item] = deque()
        self._stirred = put_off.stirred
        self._unfinished: OrderedDict[int, None] = OrderedDict()
        self._seen = 0

    def put(self, item: Item) -> None:
        """The next request of the partition; in offset order."""
        assert item.offset is not None
        self._unfinished[item.offset] = None
        self._seen = item.offset + 1
        self._queue.append(item)
        self._stirred.set()

    def again(self, items: Iterable[Item]) -> None:
        """Requests that were set aside behind another copy of theirs; those come first."""
        for item in reversed(list(items)):
            self._queue.appendleft(item)
        self._stirred.set()

    def wake(self, run_id: str | None) -> None:
        """Look now at what was put off: of a run, or all."""
        self._put_off.wake(self._clock(), lambda key: run_id is None or key[0] == run_id)

    def taken_out(self, wanted: Callable[[Item], bool]) -> list[Item]:
        """Those of the queue that are `wanted` now, in their order, whatever stands before them."""
        taken: list[Item] = []
        for queue in (self._due, self._queue):
            for item in [queue.popleft() for _ in range(len(queue))]:
                (taken if wanted(item) else queue).append(item)
        return taken

    def finish(self, item: Item) -> None:
        """What is to be said of it is durable."""
        if item.offset is not None:
            self._unfinished.pop(item.offset, None)

    @property
    def finished(self) -> int:
        """Every request below this offset is finished, or put off."""
        return next(iter(self._unfinished), self._seen)

    def load(self) -> tuple[int, int]:
        """Requests that came as records and wait or are at work; those that are put off, at work or not."""
        return len(self._unfinished), len(self._put_off)

    async def next(self) -> Item:
        """The next one, when there is one."""
        while True:
            self._stirred.clear()
            self._due.extend(self._raised())
            if self._due:
                return self._due.popleft()
            if (item := self.next_if(lambda _: True)) is not None:
                return item
            await self._stir()

    def next_if(self, wanted: Callable[[Item], bool]) -> Item | None:
        """The next one of those that came as records, if there is one and it is `wanted`."""
        if self._queue and len(self._put_off) < MOST_PUT_OFF and wanted(self._queue[0]):
            return self._queue.popleft()
        return None

    def following(self, item: Item) -> Iterator[Item]:
        """Those of the same workflow right behind it that may be in work together with it."""
        queue, now = self._due if item.offset is None else self._queue, self._clock()
        same = takewhile(lambda other: other.request.spec == item.request.spec and other.due <= now, queue)
        return islice(same, self._places - 1)

    async def _stir(self) -> None:
        """Until a request comes, an order, or the time at which something is due."""
        due = self._put_off.next_due()
        try:
            async with asyncio.timeout(None if due is None else max(0.0, due - self._clock())):
                await self._stirred.wait()
        except TimeoutError:
            pass

    def _raised(self) -> Iterator[Item]:
        """What was put off and is to be looked at."""
        for key in self._put_off.take_due(self._clock(), self._places - len(self._due)):
            entry = self._put_off.read(key)
            if entry is not None:
                yield Item(self._own_work(), 0, None, entry.request, entry.history, entry.due, entry.tried)
