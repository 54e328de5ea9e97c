"""The record of what was sent: the marks of the chunks that pass through a lane, durable in the lane's table."""

import asyncio
from collections import OrderedDict
from collections.abc import Iterable

from outreach_stream.domain.marks import Mark, Marks
from outreach_stream.domain.ports import Copies

type Change = tuple[bytes, int, Mark]
"""A key of marks, the index in its chunk, and the mark to set there."""

CACHED_CHUNKS = 512
"""Chunks of a lane kept in memory; a chunk's recipients come close together."""


def marks_key(run_id: str, chunk: int) -> bytes:
    """The table's key for the ends and doubts of a chunk, whichever engine has to do with it."""
    return f"m:{run_id}:{chunk}".encode()


def moves_key(engine: str, run_id: str, chunk: int) -> bytes:
    """The table's key for what this engine handed on of a chunk: the next one may have its lane in this partition."""
    return f"v:{engine}:{run_id}:{chunk}".encode()


class SentRecord:
    """What one lane knows of its recipients, merged from all writers' copies."""

    def __init__(self, table: Copies, partition: int) -> None:
        self._table, self._partition = table, partition
        self._marks: OrderedDict[bytes, Marks] = OrderedDict()

    def marks(self, key: bytes) -> Marks:
        """The marks under a key. Changed marks must be written (`write`) before they are forgotten."""
        marks = self._marks.get(key)
        if marks is None:
            marks = self._marks[key] = self._load(key)
        self._marks.move_to_end(key)
        return marks

    def _load(self, key: bytes) -> Marks:
        marks = Marks()
        for _, value in self._table.copies(self._partition, key):
            marks.merge(Marks.decode(value))
        return marks

    async def write(self, changes: Iterable[Change]) -> None:
        """Set marks and make them durable; one record for each key."""
        touched: dict[bytes, Marks] = {}
        for key, index, mark in changes:
            marks = self.marks(key)
            marks.set(mark, index)
            touched[key] = marks
        await asyncio.gather(*(self._table.write(self._partition, key, marks.encode())
                               for key, marks in touched.items()))
        while len(self._marks) > CACHED_CHUNKS:
            self._marks.popitem(last=False)
