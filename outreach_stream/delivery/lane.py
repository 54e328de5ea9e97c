"""One engine's requests in one lane, during one assignment: begun in offset order, ended in any, never twice."""

import asyncio
from collections import OrderedDict, deque
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from itertools import islice
from typing import Any, NamedTuple

from outreach_stream.delivery.deliver import Delivered, Delivery, Item
from outreach_stream.delivery.desk import Slot
from outreach_stream.delivery.recorder import Ended, Recorder
from outreach_stream.delivery.sent import SentRecord
from outreach_stream.delivery.steps import End, unsent
from outreach_stream.delivery.watermark import Watermark, maybe_sent
from outreach_stream.domain.marks import Mark, Marks
from outreach_stream.domain.ports import Composer, Copies
from outreach_stream.domain.states import RecipientStatus

type Spawn = Callable[[Coroutine[Any, Any, None]], asyncio.Task[None]]
"""Runs a coroutine as a task whose failure stops the worker: a lane that stands still would say nothing."""
type Composers = Callable[[str], Coroutine[Any, Any, Composer]]
"""The composer of a spec, by digest; waits for a spec that has not been seen yet."""


class LaneKey(NamedTuple):
    """Which lane: an engine's requests in one partition of one topic."""

    topic: str
    partition: int
    engine: str

    @property
    def watermark_key(self) -> bytes:
        """The table's key for its watermark."""
        return f"w:{self.engine}:{self.topic}".encode()


@dataclass(frozen=True, slots=True)
class LaneParts:
    """What a lane works with."""

    delivery: Delivery
    table: Copies
    record: SentRecord
    recorder: Recorder
    composers: Composers
    spawn: Spawn


@dataclass(frozen=True, slots=True)
class _Witness:
    """Keeps the lane's covered requests and the record true to how far a delivery has come."""

    item: Item
    covered: set[int]
    record: SentRecord

    def on_wire(self) -> None:
        self.covered.discard(self.item.offset)

    def off_wire(self) -> None:
        self.covered.add(self.item.offset)

    async def in_doubt(self) -> None:
        await self.record.write([(*self.item.key, Mark.DOUBTED)])


class Lane:
    """Order for one request: seen before? → skipped, expired? → watermark durable → deliver → end durable → ack."""

    def __init__(self, key: LaneKey, parts: LaneParts, first: int) -> None:
        """`first`: the lowest offset that will be put; all below it is finished, so what was said of it is obsolete."""
        self.key, self._parts = key, parts
        self._queue: deque[Item] = deque()
        self._arrived = asyncio.Event()
        self._unfinished: OrderedDict[int, None] = OrderedDict()
        self._open: dict[tuple[str, int, int], list[Item]] = {}
        self._covered: set[int] = set()  # by the watermark, and not on the wire
        said = {writer: Watermark.decode(value)
                for writer, value in parts.table.copies(key.partition, key.watermark_key)}
        self._own = said.pop(parts.table.writer, Watermark())
        self._earlier = [mark for mark in (self._own, *said.values()) if mark.upto > first]
        self._obsolete = [writer for writer, mark in said.items() if mark.upto <= first]
        self._seen = 0
        self._slots: dict[int, Slot] = {}
        self._deliveries: set[asyncio.Task[None]] = set()
        self._beginner = parts.spawn(self._run())

    # --- what its owner calls ---
    def put(self, item: Item) -> None:
        """Take the next request of the partition; in offset order."""
        self._unfinished[item.offset] = None
        self._seen = item.offset + 1
        self._queue.append(item)
        self._arrived.set()

    @property
    def finished(self) -> int:
        """Every request of this lane below this offset is finished."""
        return next(iter(self._unfinished), self._seen)

    def rest(self) -> None:
        """The partition is about to leave: begin nothing more, so that `last_word` is the last."""
        self._beginner.cancel()

    async def last_word(self) -> None:
        """Before the partition leaves: say durably which of the covered requests were not handed over."""
        # What an earlier cut-off left in doubt stays covered: the doubt may stand nowhere else yet.
        certain = [offset for offset in self._covered if not maybe_sent(offset, self._earlier)]
        if certain:
            self._own = self._own.released(certain, self.finished)
            await self._parts.table.write(self.key.partition, self.key.watermark_key, self._own.encode())

    def close(self) -> None:
        """The partition has left: stop everything. What is cut off on the wire stays covered, thus in doubt."""
        for task in (self._beginner, *self._deliveries):
            task.cancel()
        for offset in list(self._slots):
            self._leave(offset)

    # --- the work ---
    async def _run(self) -> None:
        await asyncio.gather(*(self._parts.table.delete(self.key.partition, self.key.watermark_key, writer)
                               for writer in self._obsolete))
        while True:
            while not self._queue:
                self._arrived.clear()
                await self._arrived.wait()
            item = self._queue.popleft()
            if item.batch.live:
                await self._begin(item)

    async def _begin(self, item: Item) -> None:
        if item.key in self._open:  # requested twice, and the first copy is in work: its end will do for both
            self._open[item.key].append(item)
            return
        marks = self._parts.record.marks(item.request.run_id, item.request.chunk)
        doubted = marks.has(Mark.DOUBTED, item.request.index) or (
            item.request.skip is None and maybe_sent(item.offset, self._earlier))
        known = self._known_end(item, marks, doubted=doubted)
        self._open[item.key] = []
        if known is not None:
            if await item.batch.claim(item.i):
                self._conclude(item, known)
            else:
                self._open.pop(item.key, None)
            return
        witness = _Witness(item, self._covered, self._parts.record)
        if doubted and not marks.has(Mark.DOUBTED, item.request.index):
            await witness.in_doubt()
        await self._cover(item)
        composer = await self._parts.composers(item.request.spec)
        slot = self._slots[item.offset] = Slot(self._parts.delivery.desk)
        await slot.take()
        task = self._parts.spawn(self._deliver(item, composer, slot, witness, doubted=doubted))
        self._deliveries.add(task)
        task.add_done_callback(self._deliveries.discard)

    def _known_end(self, item: Item, marks: Marks, *, doubted: bool) -> Delivered | None:
        """The end of a request that is not to be attempted (again), from what is known; None: deliver it."""
        delivery, request = self._parts.delivery, item.request
        if (status := marks.end(request.index)) is not None:
            return Delivered(End(status, request.skip), doubted=marks.has(Mark.DOUBTED, request.index), recovered=True)
        if request.skip is not None:
            return Delivered(unsent(RecipientStatus.SKIPPED, request.skip, doubted=doubted), doubted=doubted)
        if request.deadline <= delivery.clock():
            return Delivered(unsent(RecipientStatus.EXPIRED, "deadline", doubted=doubted), doubted=doubted)
        if doubted and not delivery.resend:
            reason = "a worker died while this mail was on its way"
            return Delivered(End(RecipientStatus.IN_DOUBT, reason), doubted=True)
        return None

    async def _deliver(self, item: Item, composer: Composer, slot: Slot, witness: _Witness, *, doubted: bool) -> None:
        delivered = await self._parts.delivery.deliver(item, composer, slot, witness, doubted=doubted)
        if delivered is None:
            item.batch.release(item.i)
            self._open.pop(item.key, None)
            self._leave(item.offset)
        else:
            self._conclude(item, delivered)

    def _leave(self, offset: int) -> None:
        """Give up the place of a request: when its end is durable, so that a crash repeats no more than the places."""
        if slot := self._slots.pop(offset, None):
            slot.give()

    async def _cover(self, item: Item) -> None:
        """Have the watermark cover this request, and with it as many of the next as may soon be in work.

        Where what is in doubt is held, each is covered by itself: none is held for having stood behind another.
        """
        if item.offset in self._covered:
            return
        ahead = self._parts.delivery.desk.places - 1 if self._parts.delivery.resend else 0
        block = [item.offset, *(following.offset for following in islice(self._queue, ahead))]
        self._own = self._own.advanced(block)
        self._covered.update(block)  # before the write: a last word may come while it is under way
        await self._parts.table.write(self.key.partition, self.key.watermark_key, self._own.encode())

    def _conclude(self, item: Item, delivered: Delivered) -> None:
        self._parts.recorder.put(Ended(item, delivered, self._parts.record, self._recorded))

    def _recorded(self, item: Item) -> None:
        self._unfinished.pop(item.offset, None)
        self._covered.discard(item.offset)
        self._leave(item.offset)
        again = self._open.pop(item.key, [])
        self._queue.extendleft(reversed(again))
        if again:
            self._arrived.set()
