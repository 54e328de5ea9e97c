"""Writes ends down: first the marks are durable, then the results, and then a request is acknowledged."""

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Sequence
from typing import NamedTuple

from outreach_stream.delivery.groups import Entered, Groups
from outreach_stream.delivery.item import Item
from outreach_stream.delivery.sent import Change, SentRecord, marks_key
from outreach_stream.delivery.steps import End
from outreach_stream.delivery.work import Ends
from outreach_stream.domain.clock import Clock, iso
from outreach_stream.domain.marks import MARK_OF, Mark
from outreach_stream.domain.told import Told

type Publish = Callable[[Sequence[Told]], Awaitable[None]]
"""Publishes results; returns when they are durable; raises when they are not."""


class Delivered(NamedTuple):
    """The end of a delivery, and what is known of the way there."""

    end: End
    attempts: int = 0
    doubted: bool = False
    """An attempt before the last may have been sent."""
    started: float | None = None
    message_id: str | None = None
    provider_message_id: str | None = None
    recovered: bool = False


class Recorder:
    """Writes down the ends of all lanes of a process, in two steps: while results go out, the next marks are written.

    What is published is final: a run may be over by it, and its orders taken back. Were the marks not there by then, a
    crash would have the next process begin anew with a recipient whose end was told. Run it as a task.
    """

    def __init__(self, publish: Publish, clock: Clock, ends: Ends) -> None:
        self._publish, self._clock, self._ended = publish, clock, ends.ended
        self._marking = Groups(_mark, self._marked)
        self._telling = Groups(self._tell)

    def put(self, entered: Entered[Delivered]) -> None:
        """Have an end written down with the next group."""
        self._marking.put(entered)

    async def run(self) -> None:
        """Until it is cancelled."""
        await asyncio.gather(self._marking.run(), self._telling.run())

    def _marked(self, entered: Entered[Delivered]) -> None:
        entered.safe(entered.item.key)
        self._telling.put(entered)

    async def _tell(self, group: Sequence[Entered[Delivered]]) -> None:
        """One publication for all; that they are still ours is asked right before."""
        finished_at = iso(self._clock())
        await self._publish([_result(item, delivered, finished_at) for item, delivered, *_ in group])
        self._ended.update((item.request.engine, "recovered" if delivered.recovered else delivered.end.status.value)
                           for item, delivered, *_ in group)


async def _mark(group: Sequence[Entered[Delivered]]) -> None:
    """One record of marks for those of a chunk and lane."""
    changes: defaultdict[SentRecord, list[Change]] = defaultdict(list)
    for item, delivered, record, *_ in group:
        key, index = marks_key(item.request.run_id, item.request.chunk), item.request.index
        changes[record].append((key, index, MARK_OF[delivered.end.status]))
        if delivered.doubted:
            changes[record].append((key, index, Mark.DOUBTED))
    await asyncio.gather(*(record.write(marks) for record, marks in changes.items()))


def _result(item: Item, delivered: Delivered, finished_at: str) -> Told:
    request = item.request
    return Told(
        run_id=request.run_id, send_id=item.send_id, chunk=request.chunk, index=request.index,
        email=request.email, status=delivered.end.status, reason=delivered.end.reason, engine=request.engine,
        message_id=delivered.message_id, provider_message_id=delivered.provider_message_id,
        attempts=delivered.attempts, possible_duplicate=delivered.doubted, recovered=delivered.recovered,
        started_at=None if delivered.started is None else iso(delivered.started), finished_at=finished_at,
    )
