"""Work on many items done in groups, again and again until it is done, and only while they are ours."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

import structlog

from outreach_stream.delivery.item import Item, ItemKey
from outreach_stream.delivery.sent import SentRecord
from outreach_stream.domain.ports import Ledgered

log = structlog.get_logger()
GROUP_SECONDS = 0.002
"""Items of this long, and those that come while a group is being written, are written together."""
RETRY_SECONDS = 0.5


async def insisted(batch: Ledgered, write: Callable[[], Awaitable[None]], count: int = 1) -> bool:
    """Have something written, again and again; False: it is not ours any more, and may not be written."""
    while await batch.owned():
        try:
            await write()
        except Exception as error:  # noqa: BLE001 - whatever it was, it is tried again until we own nothing
            log.warning("ends_not_written", count=count, error=repr(error))
            await asyncio.sleep(RETRY_SECONDS)
        else:
            return True
    return False


async def acknowledged(item: Item, write: Callable[[], Awaitable[None]]) -> bool:
    """Acknowledge a claimed request when what is written of it is durable; False: it is not ours any more."""
    try:
        if written := await insisted(item.batch, write):
            item.batch.done(item.i)
    except asyncio.CancelledError:
        item.batch.release(item.i)  # the partition leaves, and a drain need not wait for what nobody does
        raise
    return written


class Entered[W](NamedTuple):
    """An item, what is to be written of it, its lane's record, and whom to tell when that is durable."""

    item: Item
    what: W
    record: SentRecord
    written: Callable[[Item], None]
    safe: Callable[[ItemKey], None] = lambda _: None
    """Told before, when a crash can repeat nothing any more."""


class Leaving(Exception):  # noqa: N818 - named as it is said
    """The partition may have another owner, who does what we did not."""


async def still_ours(group: Sequence[Entered[Any]]) -> None:
    """Between the two steps of a group: another owner may have read the table before the first. Raises `Leaving`."""
    if not await group[0].item.batch.owned():
        raise Leaving


def finished(entered: Entered[Any]) -> None:
    """Nothing more is to be written of it."""
    entered.item.batch.done(entered.item.i)
    entered.written(entered.item)


class Groups[W]:
    """Those of all lanes of a process, during one assignment. Run it as a task; it ends by cancellation."""

    def __init__(self, write: Callable[[Sequence[Entered[W]]], Awaitable[None]],
                 then: Callable[[Entered[W]], None] = finished) -> None:
        """`write` makes a group durable; harmless to repeat; raises when it is not. `then` is done with each of it."""
        self._write, self._then = write, then
        self._group: list[Entered[W]] = []
        self._something = asyncio.Event()

    def put(self, entered: Entered[W]) -> None:
        """Have it written with the next group."""
        if not self._group:
            self._something.set()
        self._group.append(entered)

    async def run(self) -> None:
        """Write group after group."""
        while True:
            await self._something.wait()
            await asyncio.sleep(GROUP_SECONDS)
            self._something.clear()
            group, self._group = self._group, []
            await self._settle(group)

    async def _settle(self, group: list[Entered[W]]) -> None:
        speaker = group[0].item.batch  # for all, and for work of our own too: one lease, one assignment
        written = await insisted(speaker, partial(self._write, group), len(group))
        for entered in group:
            if written:
                self._then(entered)
            else:
                entered.item.batch.release(entered.item.i)
