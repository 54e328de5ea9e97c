"""One recipient's delivery: compose, then attempt until there is an end, or a reason to wait."""

import asyncio
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from time import perf_counter

import structlog

from outreach_stream.delivery.attempt import Attempts, Capped, Kept, Witness
from outreach_stream.delivery.desk import Desk
from outreach_stream.delivery.item import History, Item
from outreach_stream.delivery.recorder import Delivered
from outreach_stream.delivery.slots import Slot
from outreach_stream.delivery.steps import Again, End, Later, SoFar, Stop, after, unsent
from outreach_stream.domain.clock import Clock
from outreach_stream.domain.message import OutgoingMessage
from outreach_stream.domain.outcomes import Accepted, Outcome
from outreach_stream.domain.ports import Brief, Unrenderable
from outreach_stream.domain.states import RecipientStatus

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class TryLater:
    """To be tried again after `delay` seconds."""

    delay: float
    history: History


@dataclass(frozen=True, slots=True)
class Halted:
    """Something came before it was (taken when) handed over: an order, a stop, used-up caps. To be decided on anew."""

    history: History
    wait: float = 0.0
    """Seconds until the engine's caps may allow one more."""


@dataclass(frozen=True, slots=True)
class First:
    """A first attempt that was made elsewhere, and came to no acceptance."""

    message: OutgoingMessage
    outcome: Outcome
    started: float


type Came = Delivered | TryLater | Halted | None
"""What came of a delivery; None: the partition leaves, and what was handed over was not accepted."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """How mails of one lane are delivered."""

    desk: Desk
    express: bool
    clock: Clock
    random: Callable[[], float] = random.random

    async def deliver(self, item: Item, brief: Brief, slot: Slot, witness: Witness, *, doubted: bool,
                      first: First | None = None) -> Came:
        """What came of this recipient. `doubted`: it may have been sent before. Raises only `CancelledError`."""
        started, waited, tries, history = first.started if first else self.clock(), 0.0, 0, item.history
        message = first.message if first else self.compose(item, brief, started)
        if isinstance(message, str):
            return await self._unsent(item, message, doubted=doubted)
        attempts, resend = Attempts(self.desk, self.express, self.clock), brief.policy.resends(express=self.express)
        while True:
            outcome = first.outcome if first else await attempts.one(item, message, witness)
            first = None
            if isinstance(outcome, Kept | Capped):
                return None if outcome is Kept.LEAVING else _halted(outcome, history)
            tries += 1
            history = _told(history, outcome, self.clock())
            so_far = SoFar(history, tries, waited, self.clock(), item.expired(self.clock()), doubted)
            step = after(outcome, so_far, brief.policy.retry, random=self.random, resend=resend)
            if isinstance(step, End):
                provider_id = outcome.provider_message_id if isinstance(outcome, Accepted) else None
                return Delivered(step, history.attempts, doubted, started, message.message_id, provider_id)
            if not isinstance(step, Again):
                witness.off_wire()
                return self._kept(step, history)
            doubted = await self._rest(item, step, slot, witness, doubted=doubted)
            if not resend and not slot.at_hand:
                # Whoever waits for a place is covered. Where that would hold it for a person should we die, though
                # nothing of it is on the wire, it waits as one that is put off.
                return TryLater(0.0, history) if await item.batch.claim(item.i) else None
            await slot.take()
            waited += step.delay

    async def _rest(self, item: Item, step: Again, slot: Slot, witness: Witness, *, doubted: bool) -> bool:
        """Until the next attempt, without a place meanwhile; returns whether it is doubted by now."""
        self.desk.work.retries["in_place"] += 1
        if step.doubted and not doubted:
            await witness.in_doubt()
        witness.off_wire()
        item.batch.release(item.i)  # a drain need not wait for an attempt that it will not let be made
        slot.give()
        await asyncio.sleep(step.delay)
        return doubted or step.doubted

    def compose(self, item: Item, brief: Brief, now: float) -> OutgoingMessage | str:
        """The mail, or why there is none."""
        [made] = self.compose_all([item], brief, now)
        return made

    def compose_all(self, items: Sequence[Item], brief: Brief, now: float) -> list[OutgoingMessage | str]:
        """The mails of several requests of one workflow, or why there is none.

        A mistake of ours in one of them is said of all: who is to know which it was composes them one by one.
        """
        began = perf_counter()
        try:
            made = brief.composer.compose_all([item.request for item in items], now)
        except Exception as error:
            log.exception("compose_failed", send_id=items[0].send_id, count=len(items))
            return [f"template: {type(error).__name__}"] * len(items)
        messages = [f"{each}" if isinstance(each, Unrenderable) else each for each in made]
        rendered = sum(not isinstance(each, str) for each in messages)
        self.desk.work.rendering.note((perf_counter() - began) / len(items), rendered)
        return messages

    def _kept(self, step: Later | Stop, history: History) -> TryLater | Halted:
        """No end, but nothing more in this holding."""
        if isinstance(step, Stop):
            return Halted(history)
        self.desk.work.retries["later"] += 1
        return TryLater(step.delay, history._replace(rounds=history.rounds + 1))

    async def _unsent(self, item: Item, reason: str, *, doubted: bool) -> Delivered | None:
        if not await item.batch.claim(item.i):
            return None
        return Delivered(unsent(RecipientStatus.FAILED, reason, doubted=doubted), doubted=doubted)


def _halted(kept: Kept | Capped, history: History) -> Halted:
    return Halted(history, kept.wait if isinstance(kept, Capped) else 0.0)


def _told(history: History, outcome: Outcome, now: float) -> History:
    """The history with the attempt that was just made, if it costs one."""
    return History(history.rounds, history.attempts + outcome.costs_attempt,
                   now if history.since is None else history.since)
