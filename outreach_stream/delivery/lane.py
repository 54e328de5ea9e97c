"""One engine's requests in one lane, during one assignment: begun in offset order, ended in any, never twice."""

from collections.abc import Awaitable, Callable, Coroutine, Iterator
from dataclasses import replace
from functools import partial
from typing import Any

from outreach_stream.delivery.arrivals import Arrivals
from outreach_stream.delivery.covering import Covering
from outreach_stream.delivery.deliver import First, Halted, TryLater
from outreach_stream.delivery.groups import Entered, acknowledged
from outreach_stream.delivery.item import NEW, Item, ItemKey, LaneKey
from outreach_stream.delivery.knowledge import Knowledge, LaneWitness
from outreach_stream.delivery.lane_parts import SPEC_SECONDS, LaneParts, Running
from outreach_stream.delivery.later import Entry, PutOff
from outreach_stream.delivery.mover import Moved
from outreach_stream.delivery.parcel import Parcel
from outreach_stream.delivery.recorder import Delivered
from outreach_stream.delivery.slots import Slot, Slots
from outreach_stream.delivery.standing import Facts, Go, Known, Move, Park, Standing
from outreach_stream.delivery.steps import End
from outreach_stream.domain.ports import Brief


class Lane:
    """Order for one request: where does it stand? → watermark durable → deliver → end durable → ack.

    What cannot go now is put off: durable in the lane's table, then acknowledged, and looked at again at once, since an
    order may have come meanwhile, and then when it is due or woken.
    """

    def __init__(self, key: LaneKey, parts: LaneParts) -> None:
        self.key, self._parts, self._now = key, parts, parts.delivery.clock
        self._put_off = PutOff(parts.table, key)
        self._arrivals = Arrivals(self._put_off, parts.own_work, parts.delivery.desk.size, parts.delivery.clock)
        self._covering = Covering(parts.table, key, self._put_off)
        self._knowledge = Knowledge(parts, self._covering)
        self._open: dict[ItemKey, list[Item]] = {}
        self._slots = Slots(parts.delivery.desk, express=parts.delivery.express)
        self._at_work: set[Running] = set()
        self.load = self._arrivals.load
        """How many requests it has."""
        self._begun, self._beginner = False, parts.spawn(self._run())

    # --- what its owner calls ---
    def put(self, item: Item) -> None:
        """Take the next request of the partition; in offset order."""
        self._arrivals.put(item)

    def wake(self, run_id: str | None = None) -> None:
        """An order has come, about this run or (None) about the engine."""
        self._arrivals.wake(run_id)
        if run_id is not None and self._begun:
            self._spawn(self._overtake(run_id))

    @property
    def finished(self) -> int:
        """Every request of this lane below this offset is finished, or put off."""
        return self._arrivals.finished

    def rest(self) -> None:
        """The partition is about to leave: begin nothing more, so that `last_word` is the last."""
        self._beginner.cancel()

    async def last_word(self) -> None:
        """Before the partition leaves: say durably which of the covered requests were not handed over."""
        await self._covering.last_word(self.finished)

    def close(self) -> None:
        """The partition has left: stop everything. What is cut off on the wire stays covered, thus in doubt."""
        for task in (self._beginner, *self._at_work):
            task.cancel()
        self._slots.leave_all()

    # --- one request ---
    async def _run(self) -> None:
        while True:
            item = await self._arrivals.next()
            if not self._begun and item.offset is not None:
                await self._covering.begin(item.offset)
                self._begun = True
            if item.batch.live:
                await self._begin(item)

    async def _overtake(self, run_id: str) -> None:
        """Who is not to go needs no place, and does not wait behind those that do: their engine may be away."""
        for item in self._arrivals.taken_out(
                lambda item: item.request.run_id == run_id and self._knowledge.halting(item)):
            if item.batch.live:
                await self._begin(item)

    async def _begin(self, item: Item) -> None:
        if item.key in self._open:  # requested twice, and the first copy is in work: its end will do for both
            self._open[item.key].append(item)
            return
        self._open[item.key] = []
        if item.offset is not None and item.key in self._put_off:  # its entry answers for it
            await self._acknowledge(item)
            return
        brief = await self._parts.brief(item.request.spec)
        if brief is not None and self._knowledge.usual(item, brief):
            await self._start(item, brief)
            return
        facts = self._knowledge.facts(item, brief)
        step = self._knowledge.standing(item, facts, brief)
        if not isinstance(step, Go):
            await self._settle(item, facts, step)
        elif item.due > self._now():
            await self._defer(item, item.due)
        elif brief is None:
            await self._defer(item, self._now() + SPEC_SECONDS)
        elif wait := await self._knowledge.units():
            await self._defer(item, self._now() + wait)
        else:
            await self._start(item, brief, doubted=facts.doubted)

    async def _start(self, item: Item, brief: Brief, *, doubted: bool = False) -> None:
        slot = await self._slots.take(item.key)
        if doubted:
            await self._knowledge.doubt(item)
        # Where what is in doubt is held, each is covered by itself, and not before its turn: none is held for having
        # stood behind another.
        resend = brief.policy.resends(express=self._parts.delivery.express)
        await self._covering.cover(item, self._arrivals.following(item) if resend else ())
        if doubted or item.history != NEW:
            self._spawn(self._deliver(item, brief, slot, doubted=doubted))
        else:
            self._parts.couriers.put([self._parcel(item, brief), *self._more(item, brief)],
                                     express=self._parts.delivery.express)

    def _more(self, item: Item, brief: Brief) -> Iterator[Parcel]:
        """Those behind it that can start at once: covered by now, of the same workflow, and there is a place."""
        def starts(other: Item) -> bool:
            return (other.request.spec == item.request.spec and other.batch.live and other.key not in self._open
                    and other.key not in self._put_off and self._covering.covers(other)
                    and self._knowledge.usual(other, brief) and self._slots.take_nowait(other.key))

        while (other := self._arrivals.next_if(starts)) is not None:
            self._open[other.key] = []
            yield self._parcel(other, brief)

    def _parcel(self, item: Item, brief: Brief) -> Parcel:
        return Parcel(item, brief, self._knowledge, self._parts.delivery, self._conclude, self._given_back)

    def _given_back(self, parcel: Parcel, first: First | None) -> None:
        """It goes by itself. Its lane may have been closed meanwhile."""
        if slot := self._slots.of(parcel.item.key):
            self._spawn(self._deliver(parcel.item, parcel.brief, slot, doubted=False, first=first))

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = self._parts.spawn(work)
        self._at_work.add(task)
        task.add_done_callback(self._at_work.discard)

    async def _deliver(self, item: Item, brief: Brief, slot: Slot, *, doubted: bool,
                       first: First | None = None) -> None:
        while True:
            witness = LaneWitness(self._knowledge, item, brief.policy)
            came = await self._parts.delivery.deliver(item, brief, slot, witness, doubted=doubted, first=first)
            first = None
            if isinstance(came, Halted):
                item = replace(item, history=came.history)
                doubted = doubted or self._knowledge.facts(item, brief).doubted
                if await self._goes_on(item, brief, came.wait):
                    continue
            elif isinstance(came, TryLater):
                await self._put_off_claimed(replace(item, history=came.history, due=self._now() + came.delay))
            elif came is None:
                self._drop(item)
            else:
                self._conclude(item, came)
            return

    async def _goes_on(self, item: Item, brief: Brief, wait: float) -> bool:
        """Settle what an order, its engine or (for `wait` seconds) its caps keep back; True: it may go after all."""
        facts = self._knowledge.facts(item, brief)
        step = self._knowledge.standing(item, facts, brief)
        if not isinstance(step, Go):
            await self._settle(item, facts, step)
        elif wait:
            await self._defer(item, self._now() + wait)
        return isinstance(step, Go) and not wait

    # --- what becomes of it ---
    async def _settle(self, item: Item, facts: Facts, step: Standing) -> None:
        match step:
            case Park():
                await self._defer(item, item.request.deadline)
            case _ if not await item.batch.claim(item.i):
                self._drop(item)
            case Move(route):
                moved = Moved(self.key.topic, route, facts.doubted)
                self._parts.mover.put(Entered(item, moved, self._parts.record, self._written))
            case Known(status, reason):
                end = End(status, reason)
                self._conclude(item, Delivered(end, doubted=facts.doubted, recovered=True))
            case End():
                self._conclude(item, Delivered(step, item.history.attempts, facts.doubted))

    def _conclude(self, item: Item, delivered: Delivered) -> None:
        self._parts.recorder.put(Entered(item, delivered, self._parts.record, self._written, self._slots.leave))

    async def _defer(self, item: Item, until: float) -> None:
        """Wait until then, or until it is woken. What is put off already, and not covered, need not be written."""
        if item.offset is None and not self._covering.covers(item):
            self._put_off.park(item.key, min(until, item.request.deadline))
            item.batch.done(item.i)
            self._closed(item)
        elif await item.batch.claim(item.i):
            await self._put_off_claimed(item)
        else:
            self._drop(item)

    async def _put_off_claimed(self, item: Item) -> None:
        """Put a claimed request off. The doubt that an earlier process left goes with it."""
        entry = Entry(item.request, item.due, item.history, tried=self._covering.maybe_sent(item))
        await self._finish(item, partial(self._put_off.put, entry))

    async def _acknowledge(self, item: Item) -> None:
        """It was put off by a process that did not come to say so."""
        if await item.batch.claim(item.i):
            await self._finish(item, partial(self._put_off.write_again, item.key))
        else:
            self._drop(item)

    async def _finish(self, item: Item, write: Callable[[], Awaitable[None]]) -> None:
        """Acknowledge a claimed request when its entry is durable."""
        if await acknowledged(item, write):
            self._closed(item)
        else:
            self._drop(item)

    def _written(self, item: Item) -> None:
        if item.key in self._put_off:
            self._parts.spawn(self._put_off.remove(item.key))
        self._closed(item)

    def _closed(self, item: Item) -> None:
        """What was to be said of it is durable."""
        self._arrivals.finish(item)
        self._covering.forget(item)
        self._slots.leave(item.key)
        self._arrivals.again(self._open.pop(item.key, []))

    def _drop(self, item: Item) -> None:
        """The partition leaves: it is delivered again, or its entry is due again."""
        item.batch.release(item.i)
        self._open.pop(item.key, None)
        self._slots.leave(item.key)
