"""Writes ends down, in groups: the marks and the results are durable before a request is acknowledged."""

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Sequence
from typing import NamedTuple

import structlog

from outreach_stream.delivery.deliver import Delivered, Item
from outreach_stream.delivery.sent import Change, SentRecord
from outreach_stream.domain.clock import Clock, iso
from outreach_stream.domain.events import SendResult
from outreach_stream.domain.marks import MARK_OF, Mark

log = structlog.get_logger()
GROUP_SECONDS = 0.002
"""Ends of this long, and those that come while a group is being written, are written together: one publication of
results for many recipients, and one record of marks for those of a chunk and lane."""
RETRY_SECONDS = 0.5

type Publish = Callable[[Sequence[SendResult]], Awaitable[None]]
"""Publishes results; returns when they are durable; raises when they are not."""


class Ended(NamedTuple):
    """An item at its end, its lane's record, and whom to tell when that is durable."""

    item: Item
    delivered: Delivered
    record: SentRecord
    recorded: Callable[[Item], None]


class Recorder:
    """Of all lanes of a process, during one assignment. Run it as a task; it ends by cancellation."""

    def __init__(self, publish: Publish, clock: Clock) -> None:
        self._publish, self._clock = publish, clock
        self._group: list[Ended] = []
        self._something = asyncio.Event()

    def put(self, ended: Ended) -> None:
        """Have this end written with the next group."""
        self._group.append(ended)
        self._something.set()

    async def run(self) -> None:
        """Write group after group."""
        while True:
            await self._something.wait()
            await asyncio.sleep(GROUP_SECONDS)
            self._something.clear()
            group, self._group = self._group, []
            await self._settle(group)

    async def _settle(self, group: list[Ended]) -> None:
        while await group[0].item.batch.owned():  # speaks for all: one lease, one assignment
            try:
                await self._write(group)
            except Exception as error:  # noqa: BLE001 - whatever it was, it is tried again until we own nothing
                log.warning("ends_not_written", count=len(group), error=repr(error))
                await asyncio.sleep(RETRY_SECONDS)
            else:
                for ended in group:
                    ended.item.batch.done(ended.item.i)
                    ended.recorded(ended.item)
                return
        for ended in group:
            ended.item.batch.release(ended.item.i)

    async def _write(self, group: list[Ended]) -> None:
        changes: defaultdict[SentRecord, list[Change]] = defaultdict(list)
        for ended in group:
            changes[ended.record].append((*ended.item.key, MARK_OF[ended.delivered.end.status]))
            if ended.delivered.doubted:
                changes[ended.record].append((*ended.item.key, Mark.DOUBTED))
        finished_at = iso(self._clock())
        results = [_result(ended.item, ended.delivered, finished_at) for ended in group]
        await asyncio.gather(self._publish(results), *(record.write(marks) for record, marks in changes.items()))


def _result(item: Item, delivered: Delivered, finished_at: str) -> SendResult:
    request = item.request
    return SendResult.model_construct(
        run_id=request.run_id, send_id=item.send_id, chunk=request.chunk, index=request.index,
        email=request.email, status=delivered.end.status, reason=delivered.end.reason, engine=request.engine,
        message_id=delivered.message_id, provider_message_id=delivered.provider_message_id,
        attempts=delivered.attempts, possible_duplicate=delivered.doubted, recovered=delivered.recovered,
        started_at=None if delivered.started is None else iso(delivered.started), finished_at=finished_at,
    )
