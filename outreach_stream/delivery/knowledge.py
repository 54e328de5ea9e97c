"""What a lane knows of a request: its marks, what was said before a crash, the orders about its run, its engine."""

from dataclasses import dataclass

from outreach_stream.delivery.covering import Covering
from outreach_stream.delivery.item import NEW, Item
from outreach_stream.delivery.lane_parts import LaneParts
from outreach_stream.delivery.quota import Caps
from outreach_stream.delivery.sent import marks_key, moves_key
from outreach_stream.delivery.standing import Facts, Standing, Surroundings, standing
from outreach_stream.domain.marks import Mark
from outreach_stream.domain.policy import Policy
from outreach_stream.domain.ports import Brief

NO_CAPS = Caps()
NOT_IN_VIEW = Policy(in_doubt="resend")
"""Of a workflow whose spec is not in view: it ends nobody, holds nobody and moves nobody, all of them wait for it."""


@dataclass(frozen=True, slots=True)
class Knowledge:
    """Of one lane."""

    parts: LaneParts
    covering: Covering

    def facts(self, item: Item, brief: Brief | None) -> Facts:
        """What is on record of the recipient."""
        request, record, index = item.request, self.parts.record, item.request.index
        marks = record.marks(marks_key(request.run_id, request.chunk))
        marked = False
        if not marks.untouched(index):
            marked = marks.has(Mark.DOUBTED, index)
            if (end := marks.end(index)) is not None:
                return Facts(end, doubted=marked)
        moved = brief is not None and self._moved(item, brief.policy)
        maybe = request.skip is None and self.covering.maybe_sent(item)
        return Facts(doubted=marked or maybe or request.doubted, lost=maybe or (marked and not request.doubted),
                     moved=moved)

    def usual(self, item: Item, brief: Brief) -> bool:
        """Whether it may go at once, and nothing else is to be said of it: so it is with most.

        What `facts`, `standing` and what is asked after them come to then; it makes nothing, since it is asked for each
        mail. Caps are no usual case.
        """
        request, record, policy, now = item.request, self.parts.record, brief.policy, self.parts.delivery.clock()
        return (item.offset is not None and item.history is NEW and item.due <= now < request.deadline
                and request.skip is None and not request.doubted and self.parts.quota.caps == NO_CAPS
                and record.marks(marks_key(request.run_id, request.chunk)).untouched(request.index)
                and not self.covering.maybe_sent(item) and not self.halting(item, policy)
                and not self._moved(item, policy))

    def _moved(self, item: Item, policy: Policy) -> bool:
        request = item.request
        return len(policy.routes) > 1 and self.parts.record.marks(
            moves_key(request.engine, request.run_id, request.chunk)).has(Mark.MOVED, request.index)

    def surroundings(self, item: Item, policy: Policy) -> Surroundings:
        """What is ordered about its run, how the engine is, and whether the recipient has left its list, now."""
        control, run_id, delivery = self.parts.control, item.request.run_id, self.parts.delivery
        return Surroundings(delivery.clock(), control.cancelled(run_id), control.paused(run_id), delivery.desk.stopped,
                            self._left(item, policy))

    def halting(self, item: Item, policy: Policy = NOT_IN_VIEW) -> bool:
        """Whether any of that keeps its mail from going out through this engine now. Asked several times a mail."""
        control, run_id = self.parts.control, item.request.run_id
        return ((not control.quiet and (control.cancelled(run_id) or control.paused(run_id)))
                or self.parts.delivery.desk.stopped is not None or self._left(item, policy))

    def _left(self, item: Item, policy: Policy) -> bool:
        return policy.unsubscribe is not None and self.parts.unsubscribed(policy.unsubscribe, item.request.email)

    def standing(self, item: Item, facts: Facts, brief: Brief | None) -> Standing:
        """What is to be done with it now."""
        policy = NOT_IN_VIEW if brief is None else brief.policy
        around = self.surroundings(item, policy)
        return standing(item.request, facts, policy, around, express=self.parts.delivery.express)

    def on_wire(self, item: Item) -> None:
        """It may have been sent from now on."""
        self.covering.on_wire(item)

    async def doubt(self, item: Item) -> None:
        """Have it on record that it may have been sent."""
        key = marks_key(item.request.run_id, item.request.chunk)
        if not self.parts.record.marks(key).has(Mark.DOUBTED, item.request.index):
            await self.parts.record.write([(key, item.request.index, Mark.DOUBTED)])

    async def units(self) -> float:
        """Have some of the engine's hourly and daily mails ready: 0, or the seconds until there may be one."""
        quota = self.parts.quota
        return 0.0 if quota.caps == NO_CAPS else await quota.ready()

    def unit(self) -> bool:
        """Take one of those that are ready, if there are any."""
        quota = self.parts.quota
        return quota.caps == NO_CAPS or quota.take_nowait()


@dataclass(frozen=True, slots=True)
class LaneWitness:
    """Keeps what is covered and on record true to how far one delivery has come."""

    knowledge: Knowledge
    item: Item
    policy: Policy

    def halted(self) -> bool:
        """Whether an order, the engine's state, or the recipient's own word keeps it from going out now."""
        return self.knowledge.halting(self.item, self.policy)

    def on_wire(self) -> None:
        """It may have been sent from now on."""
        self.knowledge.on_wire(self.item)

    def off_wire(self) -> None:
        """It was not accepted, or its doubt is durable."""
        self.knowledge.covering.off_wire(self.item)

    async def in_doubt(self) -> None:
        """It may have been sent, and goes again; returns when that is durable."""
        await self.knowledge.doubt(self.item)

    async def units(self) -> float:
        """Have some of the engine's hourly and daily mails ready: 0, or the seconds until there may be one."""
        return await self.knowledge.units()

    def unit(self) -> bool:
        """Take one of those that are ready, if there are any."""
        return self.knowledge.unit()
