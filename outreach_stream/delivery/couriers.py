"""Couriers: each carries mail after mail over one connection, for as long as nothing keeps a mail from going at once.

The usual mail, taken at the first attempt, so needs no task, no connection and no turn of its own. Whatever else comes
to a mail is its lane's business: it is given back, and goes by itself (`Delivery`).
"""

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

import structlog

from outreach_stream.delivery.attempt import Witness, engine_error
from outreach_stream.delivery.chains import hand_over_all
from outreach_stream.delivery.deliver import Delivery, First
from outreach_stream.delivery.desk import Desk
from outreach_stream.delivery.item import Item
from outreach_stream.delivery.recorder import Delivered
from outreach_stream.delivery.steps import End
from outreach_stream.domain.message import OutgoingMessage
from outreach_stream.domain.outcomes import Accepted, Failure, Outcome
from outreach_stream.domain.ports import Brief, Connection
from outreach_stream.domain.states import RecipientStatus

log = structlog.get_logger()

LOOK_SECONDS = 0.002
"""How long a mail waits for a courier that is under way, before another one is sent out."""
LATE_SECONDS = 0.001
"""A loop that comes to its timers later than this has enough to do: couriers for more than half of the places would not
make it faster, while fewer have the next mail at hand when one is written, and both go in one packet."""

SENT = End(RecipientStatus.SENT)


@dataclass(slots=True)
class Parcel:
    """A mail that holds a place, is covered, and was never attempted."""

    item: Item
    brief: Brief
    witness: Witness
    delivery: Delivery
    delivered: Callable[[Item, Delivered], None]
    """It was accepted."""
    given_back: Callable[["Parcel", First | None], None]
    """It cannot go at once, or the first attempt came to something else."""
    message: OutgoingMessage | None = None
    started: float = 0.0
    began: float = 0.0
    """When it was begun, later when its message was handed over."""
    kept: bool = False
    """Something came up after it was begun: its message was not handed over."""

    def give_back(self, first: First | None = None) -> None:
        """Have it go by itself."""
        if first is None:
            self.item.batch.release(self.item.i)    # a drain need not wait for what is not under way
        self.given_back(self, first)


@dataclass(slots=True)
class Couriers:
    """Those of one engine, during one assignment."""

    desk: Desk
    spawn: Callable[..., asyncio.Task[None]]
    _express: deque[Parcel] = field(default_factory=deque)
    _bulk: deque[Parcel] = field(default_factory=deque)
    _under_way: set[asyncio.Task[None]] = field(default_factory=set)
    _timer: asyncio.TimerHandle | None = None

    def put(self, parcel: Parcel) -> None:
        """Have it carried, or given back, soon."""
        (self._express if parcel.delivery.express else self._bulk).append(parcel)
        if parcel.delivery.express or not self._under_way:
            self._send_out()
        elif self._timer is None:
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

    def _send_out(self) -> None:
        task = self.spawn(self._carry())
        self._under_way.add(task)
        task.add_done_callback(self._back)

    def _back(self, task: asyncio.Task[None]) -> None:
        self._under_way.discard(task)
        if self._bulk and not self._under_way and not task.cancelled():
            self._send_out()    # it came after the last one had looked

    def _look_later(self) -> None:
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(LOOK_SECONDS, self._look, loop.time() + LOOK_SECONDS)

    def _look(self, due: float) -> None:
        """As many again, if mails wait though there is time for them."""
        self._timer = None
        waiting = len(self._express) + len(self._bulk)
        under_way, size = len(self._under_way), self.desk.size
        idle = asyncio.get_running_loop().time() - due < LATE_SECONDS
        most = size if idle else (size + 1) // 2
        for _ in range(min(waiting, max(1, under_way), most - under_way)):
            self._send_out()
        if waiting:
            self._look_later()

    async def _carry(self) -> None:
        desk = self.desk
        connection = await desk.acquire()
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

        Under a rate none is begun behind another: it would arrive when that one is answered, long after its token.
        """
        if self._begun and not self._desk.bucket.unlimited:
            return None
        while parcel := self._couriers.pop():
            if self._begin(parcel):
                self._begun.append(parcel)
                return parcel.message
            parcel.give_back()
        return None

    def go(self) -> bool:
        """Whether the one that was begun last still may: from here on it may have been sent."""
        parcel = self._begun[-1]
        item, now = parcel.item, self._clock()
        if (item.expired(now) or parcel.witness.halted() or self._desk.bucket.paused
                or not item.batch.claim_nowait(item.i)):
            parcel.kept = True
            return False
        parcel.began = now
        parcel.witness.on_wire()
        return True

    def ended(self, outcome: Outcome) -> None:
        """What came of the oldest."""
        parcel, desk, now = self._begun.popleft(), self._desk, self._clock()
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
        item, desk, witness = parcel.item, self._desk, parcel.witness
        parcel.started = parcel.began = now = self._clock()
        if item.expired(now) or witness.halted() or not desk.bucket.free:
            return False
        message = parcel.delivery.compose(item, parcel.brief, now)
        if isinstance(message, str):
            return False
        parcel.message = message
        return item.batch.claim_nowait(item.i) and witness.unit() \
            and desk.bucket.take_nowait(express=parcel.delivery.express)
