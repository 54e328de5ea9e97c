"""One attempt to send one mail: connection, then token, then lease, then the hand-over. A failed send is a value."""

import asyncio
from dataclasses import dataclass
from enum import Enum, auto
from typing import Protocol

import structlog

from outreach_stream.delivery.desk import Desk
from outreach_stream.delivery.item import Item
from outreach_stream.domain.clock import Clock
from outreach_stream.domain.message import OutgoingMessage
from outreach_stream.domain.outcomes import Failure, InDoubt, Outcome, Transient
from outreach_stream.domain.ports import Connection

log = structlog.get_logger()

HALT_SECONDS = 1.0
"""How soon a mail that waits for its token notices that it is not to go."""
REPLACED = 3
"""Connections in a row that may be closed while a mail waits for its token; the next one is used as it is, so that the
attempt says what is wrong."""


class Kept(Enum):
    """Why no attempt was made."""

    HALTED = auto()
    """An order, or the engine's state: to be decided on anew."""
    LEAVING = auto()
    """The partition leaves."""
    CLOSED = auto()
    """Its connection was closed while it waited for its token. A new one takes seconds to open, and those who waited
    for it would then all go at once: so it is opened first, and the token taken anew."""


@dataclass(frozen=True, slots=True)
class Capped:
    """No attempt was made: the engine's hourly or daily mails are used up."""

    wait: float
    """Seconds until there may be one."""


def engine_error(error: Exception, *, handed_over: bool) -> Outcome:
    """What a bug in an engine comes to: it must not take the worker down, nor hide that the mail may be out."""
    return (InDoubt if handed_over else Transient)("engine_error", type(error).__name__)


class Witness(Protocol):
    """Who is told how far a delivery has come, and asked whether it may go on."""

    def halted(self) -> bool:
        """Whether an order, the engine's state, or the recipient's own word keeps it from going out now."""

    def on_wire(self) -> None:
        """From now on it may have been sent. Called right before the hand-over; must not wait."""

    def off_wire(self) -> None:
        """What was handed over was not accepted, or its doubt is durable; another attempt follows."""

    async def in_doubt(self) -> None:
        """An attempt may have been sent and another follows; returns when that is durable."""

    async def units(self) -> float:
        """Have some of the engine's hourly and daily mails ready: 0, or the seconds until there may be one."""

    def unit(self) -> bool:
        """Take one of those that are ready, if there are any; must not wait."""


@dataclass(frozen=True, slots=True)
class Attempts:
    """Attempts through one desk."""

    desk: Desk
    express: bool
    clock: Clock

    async def one(self, item: Item, message: OutgoingMessage, witness: Witness) -> Outcome | Kept | Capped:
        """What came of it, or what kept it from being made. Raises nothing but `CancelledError`."""
        for _ in range(REPLACED):
            if (came := await self._one(item, message, witness, replace=True)) is not Kept.CLOSED:
                return came
        return await self._one(item, message, witness, replace=False)

    async def _one(self, item: Item, message: OutgoingMessage, witness: Witness, *,
                   replace: bool) -> Outcome | Kept | Capped:
        """`replace`: whether a connection that was closed meanwhile is not to be used."""
        connection = await self.desk.connect(
            lambda: item.expired(self.clock()) or witness.halted() or not item.batch.live)
        if isinstance(connection, Failure):
            if witness.halted():
                return Kept.HALTED
            return connection if await item.batch.claim(item.i) else Kept.LEAVING
        try:
            if (kept := await self._turn(item, witness, connection if replace else None)) is not None:
                return kept
            if item.expired(self.clock()):  # while it waited for its token: the engine may have paused for long
                return Transient("deadline")
            began = self.clock()
            witness.on_wire()
            outcome = await connection.hand_over(message)
            self.desk.work.handed_over(outcome, self.clock() - began)
            self.desk.heed(outcome, began)
        except Exception as error:
            log.exception("hand_over_failed", send_id=item.send_id, engine=self.desk.id)
            return engine_error(error, handed_over=connection.handed_over)
        else:
            return outcome
        finally:
            self.desk.engine.release(connection)

    async def _turn(self, item: Item, witness: Witness, connection: Connection | None) -> Kept | Capped | None:
        """None: it may go now. The token comes last: one that was taken before a stall is not used after it."""
        while item.batch.live:
            if wait := await witness.units():
                return Capped(wait)
            await self._token(witness)
            if witness.halted():
                return Kept.HALTED
            if connection is not None and not connection.reusable:
                self.desk.bucket.put_back()
                return Kept.CLOSED
            if item.batch.claim_nowait(item.i):
                if witness.unit():
                    return None
            elif not await item.batch.claim(item.i):  # waits out a stale lease
                return Kept.LEAVING
            item.batch.release(item.i)  # a drain need not wait for its next token
        return Kept.LEAVING

    async def _token(self, witness: Witness) -> None:
        """Take a token; returns without one when it is halted."""
        if self.desk.bucket.free:
            await self.desk.bucket.take(express=self.express)
            return
        taking = asyncio.ensure_future(self.desk.bucket.take(express=self.express))
        try:
            while not taking.done() and not witness.halted():
                await asyncio.wait([taking], timeout=HALT_SECONDS)
        finally:
            taking.cancel()
