"""One recipient's delivery: compose, then attempt until there is an end. A failed send is a value."""

import asyncio
import random
from dataclasses import dataclass
from typing import Protocol

import structlog

from outreach_stream.delivery.desk import Desk, Slot
from outreach_stream.delivery.steps import End, after, unsent
from outreach_stream.domain.clock import Clock
from outreach_stream.domain.events import SendRequested
from outreach_stream.domain.identity import send_id
from outreach_stream.domain.outcomes import Accepted, Failure, InDoubt, Outcome, Transient
from outreach_stream.domain.ports import Composer, Ledgered, OutgoingMessage, Unrenderable
from outreach_stream.domain.states import RecipientStatus

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Item:
    """A request in its place: record `i` of a batch, at `offset` of its lane."""

    batch: Ledgered
    i: int
    offset: int
    request: SendRequested

    @property
    def key(self) -> tuple[str, int, int]:
        """What identifies the recipient, however often it was requested."""
        return self.request.run_id, self.request.chunk, self.request.index

    @property
    def send_id(self) -> str:
        """The id by which logs and results speak of it."""
        return send_id(*self.key)


@dataclass(frozen=True, slots=True)
class Delivered:
    """The end of a delivery, and what is known of the way there."""

    end: End
    attempts: int = 0
    doubted: bool = False
    """An attempt before the last may have been sent."""
    started: float | None = None
    message_id: str | None = None
    provider_message_id: str | None = None
    recovered: bool = False


class Witness(Protocol):
    """Who is told how far a delivery has come."""

    def on_wire(self) -> None:
        """From now on it may have been sent. Called right before the hand-over; must not wait."""

    def off_wire(self) -> None:
        """What was handed over was not accepted, or its doubt is durable; another attempt follows."""

    async def in_doubt(self) -> None:
        """An attempt may have been sent and another follows; returns when that is durable."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """How mails of one lane are delivered."""

    desk: Desk
    resend: bool
    """Policy for what is in doubt: mail it again with the same Message-ID, labelled; else hold it."""
    clock: Clock

    async def deliver(self, item: Item, composer: Composer, slot: Slot, witness: Witness, *,
                      doubted: bool) -> Delivered | None:
        """The end of this recipient; None: the partition leaves, and what was handed over was not accepted.

        `doubted`: it may have been sent before. Raises nothing but `CancelledError`.
        """
        started, waited, tries, attempts = self.clock(), 0.0, 0, 0
        try:
            message = composer.compose(item.request, started)
        except Unrenderable as error:
            return await self._unsent(item, f"{error}", doubted=doubted)
        except Exception as error:
            log.exception("compose_failed", send_id=item.send_id)
            return await self._unsent(item, f"template: {type(error).__name__}", doubted=doubted)
        while True:
            outcome = await self._attempt(item, message, witness)
            if outcome is None:
                return None
            self.desk.heed(outcome)
            tries, attempts = tries + 1, attempts + outcome.costs_attempt
            step = after(outcome, attempts=tries, waited=waited, expired=self._expired(item), doubted=doubted,
                         resend=self.resend, random=random.random)
            if isinstance(step, End):
                provider_id = outcome.provider_message_id if isinstance(outcome, Accepted) else None
                return Delivered(step, attempts, doubted, started, message.message_id, provider_id)
            if step.doubted and not doubted:
                doubted = True
                await witness.in_doubt()
            witness.off_wire()
            item.batch.release(item.i)  # a drain need not wait for an attempt that it will not let be made
            slot.give()
            await asyncio.sleep(step.delay)
            waited += step.delay
            await slot.take()

    def _expired(self, item: Item) -> bool:
        return item.request.deadline <= self.clock()

    async def _unsent(self, item: Item, reason: str, *, doubted: bool) -> Delivered | None:
        if not await item.batch.claim(item.i):
            return None
        return Delivered(unsent(RecipientStatus.FAILED, reason, doubted=doubted), doubted=doubted)

    async def _attempt(self, item: Item, message: OutgoingMessage, witness: Witness) -> Outcome | None:
        """Connection, then token, then lease, then the one attempt. None: the partition leaves."""
        connection = await self.desk.connect(lambda: self._expired(item))
        if isinstance(connection, Failure):
            return connection if await item.batch.claim(item.i) else None
        try:
            if not await self._turn(item):
                return None
            if self._expired(item):  # while it waited for its token: the engine may have paused for long
                return Transient("deadline")
            witness.on_wire()
            return await connection.hand_over(message)
        except Exception as error:
            # A bug in an engine must not take the worker down, nor hide that the mail may be out.
            log.exception("hand_over_failed", send_id=item.send_id, engine=self.desk.id)
            kind = InDoubt if connection.handed_over else Transient
            return kind("engine_error", type(error).__name__)
        finally:
            self.desk.engine.release(connection)

    async def _turn(self, item: Item) -> bool:
        """Whether it may go now. The token comes last: one that was taken before a stall is not used after it."""
        while item.batch.live:
            await self.desk.bucket.take()
            if item.batch.claim_nowait(item.i):
                return True
            if not await item.batch.claim(item.i):  # waits out a stale lease
                return False
            item.batch.release(item.i)  # a drain need not wait for its next token
        return False
