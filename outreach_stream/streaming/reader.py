"""Reading records by their offsets, as from a file: run chunks, segments of results."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any, Self

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.errors import OffsetOutOfRangeError

from outreach_stream.broker.access import kafka_access

POLL_MS = 200
"""Milliseconds after which a read that brought nothing looks at its position."""

PATIENCE = 30.0
"""Seconds without any progress after which a read gives up."""


class RecordGone(LookupError):  # noqa: N818 - named as it is said
    """The log no longer has a record at this offset (retention, compaction), or never had a committed one."""


class RangeReader:
    """Reads records of any topics by (partition, offset), committed ones only, without a group.

    `get` keeps one consumer, whose prefetch makes the next offset cheap; concurrent calls take turns. `records` opens
    a consumer of its own, so a slow reader holds nobody up. Both wait for a broker that is away, PATIENCE at most
    without progress, then raise TimeoutError. Use as an async context manager, or `start` and `stop`.
    """

    def __init__(self, bootstrap: str) -> None:
        self._bootstrap = bootstrap
        self._lock = asyncio.Lock()
        self._next: dict[TopicPartition, int] = {}      # where the kept consumer stands, by assigned partition

    def _new_consumer(self) -> AIOKafkaConsumer:
        return AIOKafkaConsumer(bootstrap_servers=self._bootstrap, auto_offset_reset="none", enable_auto_commit=False,
                                isolation_level="read_committed", **kafka_access())

    async def start(self) -> None:
        """Connects the kept consumer."""
        self._consumer = self._new_consumer()
        await self._consumer.start()

    async def stop(self) -> None:
        """Closes it."""
        await self._consumer.stop()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def get(self, topic: str, partition: int, offset: int) -> bytes:
        """The value of one record. Raises RecordGone, TimeoutError."""
        tp = TopicPartition(topic, partition)
        async with self._lock:
            if self._next.get(tp) != offset:
                self._seek(tp, offset)
            self._next.pop(tp)                          # unknown while we read: a cancelled call may have moved it
            record = await _first(self._consumer, tp, offset)
            self._next[tp] = record.offset + 1
        return bytes(record.value)

    def _seek(self, tp: TopicPartition, offset: int) -> None:
        if tp not in self._consumer.assignment():
            self._next = {}
            self._consumer.assign([*self._consumer.assignment(), tp])
        self._consumer.seek(tp, offset)
        self._next[tp] = offset

    async def records(self, topic: str, partition: int, start: int, end: int) -> AsyncIterator[ConsumerRecord]:
        """Records from offset `start` up to, not including, `end`, in constant memory.

        Offsets that hold no committed record (aborted, transaction markers) are passed over. Raises RecordGone when
        retention has reached `start`, TimeoutError when the log does not reach `end`.
        """
        if start >= end:
            return
        consumer, tp = self._new_consumer(), TopicPartition(topic, partition)
        await consumer.start()
        try:
            consumer.assign([tp])
            consumer.seek(tp, start)
            position = start
            while position < end:
                fetched, position = await _some(consumer, tp, position)
                for record in fetched:
                    if record.offset >= end:
                        return
                    yield record
        finally:
            await consumer.stop()


async def _some(consumer: AIOKafkaConsumer, tp: TopicPartition, position: int) -> tuple[list[Any], int]:
    """The next records after `position`, and where the consumer then stands. At least one of both moves."""
    async with asyncio.timeout(PATIENCE):
        while True:
            try:
                fetched = await consumer.getmany(tp, timeout_ms=POLL_MS, max_records=500)
                reached = await consumer.position(tp)
            except OffsetOutOfRangeError as exc:
                raise RecordGone(f"{tp.topic}/{tp.partition} no longer holds offset {position}") from exc
            if reached > position:
                return fetched.get(tp, []), reached


async def _first(consumer: AIOKafkaConsumer, tp: TopicPartition, offset: int) -> ConsumerRecord:
    """The record at `offset`, where the consumer stands."""
    async with asyncio.timeout(PATIENCE):
        while True:
            try:
                fetched = await consumer.getmany(tp, timeout_ms=POLL_MS, max_records=1)
            except OffsetOutOfRangeError as exc:
                raise RecordGone(f"{tp.topic}/{tp.partition} no longer holds offset {offset}") from exc
            for record in fetched.get(tp, []):
                if record.offset == offset:
                    return record
                raise RecordGone(f"{tp.topic}/{tp.partition} holds no record at offset {offset}")
            if await consumer.position(tp) > offset:
                raise RecordGone(f"{tp.topic}/{tp.partition} holds no committed record at offset {offset}")
