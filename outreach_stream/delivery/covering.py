"""What a lane says durably before it sends, and what of that is not on the wire: how doubt is told from certainty.

For requests in their place that is the lane's watermark; for those that were put off, a flag on their entry.
"""

import asyncio
from collections.abc import Iterable, Sequence

from outreach_stream.delivery.item import Item, ItemKey, LaneKey
from outreach_stream.delivery.later import Entry, PutOff
from outreach_stream.delivery.watermark import Watermark, maybe_sent
from outreach_stream.domain.ports import Copies


class Covering:
    """Of one lane, during one assignment."""

    def __init__(self, table: Copies, key: LaneKey, put_off: PutOff) -> None:
        self._table, self._key, self._put_off = table, key, put_off
        said = {writer: Watermark.decode(value) for writer, value in table.copies(key.partition, key.watermark_key)}
        self._own = said.pop(table.writer, Watermark())
        self._others = said
        self._earlier = [self._own, *said.values()]
        self._covered: set[int] = set()
        self._tried: dict[ItemKey, Item] = {}
        self._writing = asyncio.Lock()
        # Both hold what is covered and not on the wire.

    async def begin(self, first: int) -> None:
        """The lowest offset that will come: all below it is finished, so what was said of it is obsolete."""
        self._earlier = [mark for mark in self._earlier if mark.upto > first]
        await asyncio.gather(*(self._table.delete(self._key.partition, self._key.watermark_key, writer)
                               for writer, mark in self._others.items() if mark.upto <= first))

    def maybe_sent(self, item: Item) -> bool:
        """Whether a process that is gone may have handed it over."""
        return item.tried if item.offset is None else maybe_sent(item.offset, self._earlier)

    async def cover(self, item: Item, following: Iterable[Item]) -> None:
        """Have the item covered, and with it those that may soon be in work; returns when that is durable.

        And all that `covers` says of others is: two may begin at a time, and neither goes by what the other is writing.
        """
        async with self._writing:
            if item.offset is None:
                if item.key not in self._tried:
                    await self._cover_entries([item, *(each for each in following if each.offset is None)])
            elif item.offset not in self._covered:
                block = [item.offset, *(each.offset for each in following if each.offset is not None)]
                self._own = self._own.advanced(block)
                self._covered.update(block)  # before the write: a last word may come while it is under way
                await self._write_watermark()

    async def _cover_entries(self, block: Sequence[Item]) -> None:
        self._tried.update((item.key, item) for item in block)
        await asyncio.gather(*(self._put_off.write(_entry(item, tried=True)) for item in block))

    def covers(self, item: Item) -> bool:
        """Whether it is covered, and not on the wire."""
        return item.key in self._tried if item.offset is None else item.offset in self._covered

    def on_wire(self, item: Item) -> None:
        """It is handed over now."""
        self.forget(item)

    def off_wire(self, item: Item) -> None:
        """It was not taken, or its doubt is durable."""
        if item.offset is None:
            self._tried[item.key] = item
        else:
            self._covered.add(item.offset)

    def forget(self, item: Item) -> None:
        """What was to be said of it is on record."""
        if item.offset is None:
            self._tried.pop(item.key, None)
        else:
            self._covered.discard(item.offset)

    async def last_word(self, finished: int) -> None:
        """Before the partition leaves: say durably which of the covered requests were not handed over.

        What an earlier cut-off left in doubt stays covered: the doubt may stand nowhere else yet.
        """
        certain = [offset for offset in self._covered if not maybe_sent(offset, self._earlier)]
        entries = [_entry(item, tried=False) for item in self._tried.values() if not item.tried]
        if certain:
            self._own = self._own.released(certain, finished)
            await self._write_watermark()
        await asyncio.gather(*(self._put_off.write(entry) for entry in entries))

    async def _write_watermark(self) -> None:
        await self._table.write(self._key.partition, self._key.watermark_key, self._own.encode())


def _entry(item: Item, *, tried: bool) -> Entry:
    return Entry(item.request, item.due, item.history, tried)
