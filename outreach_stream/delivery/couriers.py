"""Couriers: each carries mail after mail over one connection, for as long as nothing keeps a mail from going at once.

The usual mail, taken at the first attempt, so needs no task, no connection and no turn of its own. Whatever else comes
to a mail is its lane's business: it is given back, and goes by itself (`Delivery`).
"""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import islice, takewhile
from time import perf_counter, thread_time

import structlog

from outreach_stream.delivery.attempt import engine_error
from outreach_stream.delivery.chains import hand_over_all
from outreach_stream.delivery.deliver import First
from outreach_stream.delivery.desk import Desk
from outreach_stream.delivery.parcel import Parcel
from outreach_stream.delivery.recorder import Delivered
from outreach_stream.delivery.steps import End
from outreach_stream.domain.message import OutgoingMessage
from outreach_stream.domain.outcomes import Accepted, Failure, Outcome
from outreach_stream.domain.ports import Connection
from outreach_stream.domain.states import RecipientStatus

log = structlog.get_logger()

LOOK_SECONDS = 0.002
"""How long a mail waits for a courier that is under way, before another one is sent out."""
LATE_SECONDS = 0.001
"""A loop that comes to its timers later than this has enough to do, …"""
AT_WORK = 0.7
"""… and so has one that works for so much of its time."""
BUSY = 24
"""Couriers that keep such a loop in work. With more of them each finds nothing when it comes back, and has to begin
anew, alone; fewer have the next mail at hand when one is written, and both go in one packet."""

HANDSHAKES = 32
"""Couriers that wait for a connection, until more are sent out one at a time only: of hundreds that knock at once a
server lets some knock in vain, and it is a second until they knock again."""

GROUP = 32
"""Mails that are composed together at most. One that is composed alone, between two looks at the network, takes twice
as long: by then the processor has forgotten how."""
COMPOSE_SECONDS = 0.02
"""How long a group may take, by what the last one took: nothing else is done meanwhile. A template may take long."""
AHEAD_SECONDS = 0.05
"""Under a rate no mail is composed so long before its turn, by which it is dated."""

SENT = End(RecipientStatus.SENT)


@dataclass(slots=True)
class Couriers:
    """Those of one engine, during one assignment."""

    desk: Desk
    spawn: Callable[..., asyncio.Task[None]]
    came_back: bool = False
    """One of them has had an answer since the last look: they do not all hang."""
    busy: bool = False
    """The loop had enough to do when it was looked at last."""
    _connecting: int = 0
    _express: deque[Parcel] = field(default_factory=deque)
    _bulk: deque[Parcel] = field(default_factory=deque)
    _under_way: set[asyncio.Task[None]] = field(default_factory=set)
    _timer: asyncio.TimerHandle | None = None
    _compose_seconds: float = COMPOSE_SECONDS
    """What each mail of the last group took; the first one is composed alone."""

    def put(self, parcels: Sequence[Parcel], *, express: bool) -> None:
        """Have them carried, or given back, soon."""
        (self._express if express else self._bulk).extend(parcels)
        at_once = 0 if self.soon() else min(len(parcels), self._hands) if express else int(not self._under_way)
        for _ in range(at_once):
            self._send_out()
        if at_once < len(parcels) and self._timer is None:
            self._look_later()

    def stop(self) -> None:
        """The partitions have left. What is cut off on the wire stays covered; the lanes give up the places."""
        if self._timer is not None:
            self._timer.cancel()
        self._express.clear()
        self._bulk.clear()
        for task in self._under_way:
            task.cancel()

    def pop(self) -> Parcel | None:
        """Who is next. Express goes first: it has no more places than are its due."""
        queue = self._express or self._bulk
        return queue.popleft() if queue else None

    def soon(self) -> bool:
        """Whether the next one lacks only a token that comes in a moment: it stays, and is seen to then.

        Where all places have their token within a second none waits for long, and no order is noticed late. With a
        slower engine each waits for its token by itself; and so does express where others wait, or it would get none.
        """
        bucket = self.desk.bucket
        if bucket.free or bucket.paused or bucket.within(1.0) < self.desk.size or (self._express and bucket.contended):
            return False
        if self._timer is None:
            self._look_later()
        return True

    def compose(self, parcel: Parcel) -> bool:
        """Have its message, and those of its like that come soon; False: it has none, and its lane says why."""
        if parcel.message is None:
            queue = self._express if parcel.delivery.express else self._bulk
            alike = takewhile(lambda other: other.message is None and other.brief is parcel.brief, queue)
            most = min(GROUP, int(COMPOSE_SECONDS / self._compose_seconds), 1 + self.desk.bucket.within(AHEAD_SECONDS))
            group, now, began = [parcel, *islice(alike, max(0, most - 1))], self.desk.clock(), perf_counter()
            made = parcel.delivery.compose_all([each.item for each in group], parcel.brief, now)
            self._compose_seconds = max(1e-6, (perf_counter() - began) / len(group))
            for each, message in zip(group, made, strict=True):
                each.message, each.started = None if isinstance(message, str) else message, now
        return parcel.message is not None

    @property
    def _hands(self) -> int:
        """How many couriers may be sent out at once: one at least, for whom there may be a connection at hand."""
        return max(1, HANDSHAKES - self._connecting)

    def _send_out(self) -> None:
        task = self.spawn(self._carry())
        self._under_way.add(task)
        task.add_done_callback(self._back)

    def _back(self, task: asyncio.Task[None]) -> None:
        self._under_way.discard(task)
        if (self._express or self._bulk) and not self._under_way and not task.cancelled() and not self.soon():
            self._send_out()    # it came after the last one had looked

    def _look_later(self) -> None:
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(LOOK_SECONDS, self._look, loop.time(), thread_time())

    def _look(self, since: float, worked: float) -> None:
        """As many again, if mails wait though there is time for them."""
        self._timer = None
        waiting = len(self._express) + len(self._bulk)
        under_way, size = len(self._under_way), self.desk.size
        seconds = asyncio.get_running_loop().time() - since
        self.busy = self.came_back and (seconds >= LOOK_SECONDS + LATE_SECONDS
                                        or thread_time() - worked > AT_WORK * seconds)
        self.came_back = False
        most = min(BUSY, (size + 1) // 2) if self.busy else size
        if not waiting or self.soon():
            return
        for _ in range(min(waiting, max(1, under_way), most - under_way, self._hands)):
            self._send_out()
        self._look_later()

    async def _carry(self) -> None:
        desk = self.desk
        self._connecting += 1
        try:
            connection = await desk.acquire()
        finally:
            self._connecting -= 1
        if isinstance(connection, Failure):     # each finds out by itself, and waits as long as it may
            while parcel := self.pop():
                parcel.give_back()
            return
        tour = Tour(self, connection)
        try:
            await hand_over_all(connection, tour)
        except Exception as error:
            log.exception("hand_over_failed", engine=desk.id)
            tour.broken(error)
        finally:
            desk.engine.release(connection)


class Tour:
    """What one courier carries: see `outreach_stream.domain.ports.Chain`."""

    def __init__(self, couriers: Couriers, connection: Connection) -> None:
        self._couriers, self._connection = couriers, connection
        self._desk, self._clock = couriers.desk, couriers.desk.clock
        self._begun: deque[Parcel] = deque()

    def next(self) -> OutgoingMessage | None:
        """The next one that may go now, its token taken.

        None is begun behind another where it would only wait: under a rate it would arrive when that one is answered,
        long after its token, and with an idle loop it is the relay that takes its time, and another connection is free.
        """
        if self._begun and not (self._couriers.busy and self._desk.bucket.unlimited):
            return None
        while not self._couriers.soon() and (parcel := self._couriers.pop()):
            if self._begin(parcel):
                self._begun.append(parcel)
                return parcel.message
            parcel.give_back()
        return None

    def go(self) -> bool:
        """Whether the one that was begun last still may: from here on it may have been sent."""
        parcel = self._begun[-1]
        item, now = parcel.item, self._clock()
        if (item.expired(now) or parcel.lookout.halting(item, parcel.brief.policy) or self._desk.bucket.paused
                or not item.batch.claim_nowait(item.i)):
            parcel.kept = True
            return False
        parcel.began = now
        parcel.lookout.on_wire(item)
        return True

    def ended(self, outcome: Outcome) -> None:
        """What came of the oldest."""
        parcel, desk, now = self._begun.popleft(), self._desk, self._clock()
        self._couriers.came_back = True
        if parcel.kept:
            desk.bucket.put_back()
            parcel.give_back()
            return
        desk.work.handed_over(outcome, now - parcel.began)
        desk.heed(outcome, parcel.began)
        assert parcel.message is not None
        if isinstance(outcome, Accepted):
            parcel.delivered(parcel.item, Delivered(
                SENT, 1, started=parcel.started, message_id=parcel.message.message_id,
                provider_message_id=outcome.provider_message_id))
        else:
            parcel.give_back(First(parcel.message, outcome, parcel.started))

    def broken(self, error: Exception) -> None:
        """The connection failed in a way that it should not: only the oldest may have been handed over."""
        doubted = self._connection.handed_over
        while self._begun:
            self.ended(engine_error(error, handed_over=doubted))
            doubted = False

    def _begin(self, parcel: Parcel) -> bool:
        """Take all that it needs, if nothing of it must be waited for. The token comes last."""
        item, bucket, lookout = parcel.item, self._desk.bucket, parcel.lookout
        parcel.began = now = self._clock()
        return (not (item.expired(now) or lookout.halting(item, parcel.brief.policy)) and bucket.free
                and self._couriers.compose(parcel) and item.batch.claim_nowait(item.i) and lookout.unit()
                and bucket.take_nowait(express=parcel.delivery.express))
