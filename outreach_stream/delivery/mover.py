"""Hands recipients on to the next engine: first it is durable that this engine will not send them any more."""

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field

from outreach_stream.delivery.groups import Entered, still_ours
from outreach_stream.delivery.sent import Change, SentRecord, moves_key
from outreach_stream.delivery.work import Ends
from outreach_stream.domain.events import SendRequested
from outreach_stream.domain.identity import lane_of
from outreach_stream.domain.marks import Mark
from outreach_stream.domain.policy import Route

type HandOn = Callable[[Mapping[tuple[str, int], Sequence[SendRequested]]], Awaitable[None]]
"""Appends requests to lanes, given by topic and partition; returns when they are durable; raises when they are not."""


@dataclass(frozen=True, slots=True)
class Moved:
    """Where a request goes."""

    topic: str
    route: Route
    doubted: bool = False
    """Maybe sent nevertheless: a process that was frozen may have marked it while another one mailed it."""


@dataclass(frozen=True, slots=True)
class Mover:
    """Moves groups of requests, of all lanes of a process.

    A crash between the two steps hands the same request on again, to the same lane, where it is known.
    """

    hand_on: HandOn
    ends: Ends = field(default_factory=Ends)

    async def write(self, group: Sequence[Entered[Moved]]) -> None:
        """The marks, then the requests."""
        changes: defaultdict[SentRecord, list[Change]] = defaultdict(list)
        lanes: defaultdict[tuple[str, int], list[SendRequested]] = defaultdict(list)
        for item, moved, record, *_ in group:
            request = item.request
            key = moves_key(request.engine, request.run_id, request.chunk)
            changes[record].append((key, request.index, Mark.MOVED))
            lane = lane_of(request.run_id, request.chunk, request.index, moved.route.lanes)
            lanes[moved.topic, lane].append(request.model_copy(update={
                "engine": moved.route.engine, "doubted": request.doubted or moved.doubted}))
        await asyncio.gather(*(record.write(marks) for record, marks in changes.items()))
        await still_ours(group)
        await self.hand_on(lanes)
        self.ends.moved.update(item.request.engine for item, *_ in group)
