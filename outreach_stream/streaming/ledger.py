"""The ledger of one partition: what was handed out, and up to where it may be committed."""

from collections import deque
from collections.abc import Callable, Sequence

from aiokafka import ConsumerRecord
from faust.types import TP

from outreach_stream.streaming.batch import Batch, Gate


class Ledger:
    """Keeps one partition's batches in offset order, from its assignment until it leaves.

    Faust drops fetched records at several places (a rebalance, a full buffer). A dropped record must not look like a
    hole that a compaction left: `mark_suspect` says that some may have been dropped, and from then on a hole is only
    believed after the log was read a second time from its beginning.
    """

    def __init__(self, tp: TP, gate: Gate, start: int, finished: Callable[[TP], None] = lambda _: None) -> None:
        self.tp, self._gate, self._finished = tp, gate, finished
        self.start = start
        self.next_offset = start                # the first offset not handed out
        self.batches: deque[Batch] = deque()    # those with unfinished records, oldest first
        self.load = 0                           # records in them
        self.size = 0                           # bytes of values in them
        self._suspect = True                    # records may have been dropped since the last admission
        self._read_again: int | None = None     # the offset from which the log was read again because of that

    def mark_suspect(self) -> None:
        """Fetched records were dropped: whatever follows may begin with a hole."""
        self._suspect, self._read_again = True, None

    def must_read_again(self) -> bool:
        """True when the consumer has to seek back to `next_offset`; tell by `reading_again` that it did."""
        return self._suspect and self._read_again is None

    def reading_again(self) -> None:
        """The consumer was sent back to `next_offset`."""
        self._read_again = self.next_offset

    def admit(self, records: Sequence[ConsumerRecord]) -> Batch | None:
        """These consecutive records as a batch, less those handed out before. None: not now, or nothing new."""
        if records[0].offset < self.next_offset:
            records = [record for record in records if record.offset >= self.next_offset]
            if not records:
                return None
        if self._suspect:
            if records[0].offset > self.next_offset != self._read_again:
                self.mark_suspect()
                return None
            self._suspect = False
        batch = Batch(self._gate, self.tp, records, self.drop_finished)
        self.next_offset = records[-1].offset + 1
        self.batches.append(batch)
        self.load += len(records)
        self.size += _bytes(records)
        return batch

    def drop_finished(self) -> None:
        """Forgets the finished batches at the head; called by a batch when its last record is done."""
        while self.batches and not self.batches[0].unfinished:
            records = self.batches.popleft().records
            self.load -= len(records)
            self.size -= _bytes(records)
        self._finished(self.tp)

    def committable(self) -> int:
        """The lowest unfinished offset: all before it are finished."""
        if not self.batches:
            return self.next_offset
        oldest = self.batches[0]
        return int(oldest.records[oldest.first_unfinished()].offset)

    def claimed(self) -> int:
        """Records in work."""
        return sum(batch.claimed() for batch in self.batches)

    def unfinished(self) -> int:
        """Records handed out that are not finished."""
        return sum(batch.unfinished for batch in self.batches)

    def oldest(self) -> float | None:
        """When the oldest unfinished record was written, in seconds since the epoch, if it says so."""
        if not self.batches:
            return None
        oldest = self.batches[0]
        written = int(oldest.records[oldest.first_unfinished()].timestamp or 0)
        return written / 1000 if written > 0 else None

    def close(self) -> None:
        """The partition has left: its batches are dead."""
        for batch in self.batches:
            batch.live = False
        self.batches.clear()


def _bytes(records: Sequence[ConsumerRecord]) -> int:
    return sum(record.serialized_value_size for record in records)


def cut(records: Sequence[ConsumerRecord], most_records: int, most_bytes: int) -> list[Sequence[ConsumerRecord]]:
    """Splits fetched records into runs of at most so many records and bytes (of values); one record at least."""
    starts, size = [0], 0
    for i, record in enumerate(records):
        size += record.serialized_value_size
        if i - starts[-1] >= most_records or (size > most_bytes and i > starts[-1]):
            starts.append(i)
            size = record.serialized_value_size
    return [records[start:end] for start, end in zip(starts, [*starts[1:], None], strict=True)]
