"""Compacted topics as dictionaries in memory."""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Coroutine, ItemsView
from typing import Any

import structlog
from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition

from outreach_stream.broker.access import kafka_access
from outreach_stream.broker.errors import KAFKA_TROUBLE

log = structlog.get_logger()

RETRY = 0.5
"""Seconds before the broker is asked again after an error."""

FETCH_WAIT_MS = 250
"""Milliseconds for which the broker may hold back a fetch that brings nothing: what we ask meanwhile waits for it."""

POLL_MS = 200
"""Milliseconds after which a read that brought nothing returns, so that the end is noticed."""


class View[V = bytes]:
    """The last value of each key of a topic: read from its beginning, without a group, by one small consumer.

    Values are bytes as they came, or what `decode` makes of them (what it raises ValueError for is logged and passed
    over: the key keeps its value). `on_record(key, value)` is called for each change, in the order of each partition;
    None stands for a deleted key. `spawn` starts the reading task: with `StreamApp.spawn`, a view that breaks stops
    the worker instead of growing stale. With `keep` False values are only told to `on_record` and not kept, where
    that makes something smaller of them. Broker restarts are survived. Uncommitted and aborted records are not seen.
    """

    def __init__(self, bootstrap: str, topic: str, on_record: Callable[[bytes, V | None], None] | None = None, *,
                 decode: Callable[[bytes], V] | None = None, keep: bool = True,
                 spawn: Callable[[Coroutine[Any, Any, None]], asyncio.Task[Any]] = asyncio.create_task) -> None:
        self._bootstrap, self._topic, self._on_record = bootstrap, topic, on_record
        self._decode: Callable[[bytes], Any] = decode or bytes
        self._spawn, self._keep = spawn, keep
        self._values: dict[bytes, V] = {}
        self._positions: dict[TopicPartition, int] = {}     # up to where each partition is in _values
        self._waiting: defaultdict[bytes, list[asyncio.Future[None]]] = defaultdict(list)
        self._consumer: AIOKafkaConsumer | None = None
        self._reading: asyncio.Task[Any] | None = None

    async def start(self) -> None:
        """Begins to read. Raises aiokafka's UnknownTopicOrPartitionError after a while when there is no such topic."""
        self._consumer = AIOKafkaConsumer(
            self._topic, bootstrap_servers=self._bootstrap, auto_offset_reset="earliest", enable_auto_commit=False,
            isolation_level="read_committed", fetch_max_wait_ms=FETCH_WAIT_MS, **kafka_access())
        await self._consumer.start()
        self._reading = self._spawn(self._read(self._consumer))

    async def stop(self) -> None:
        """Ends the reading; what was read stays."""
        if self._reading is not None:
            self._reading.cancel()
            await asyncio.wait([self._reading])
        if self._consumer is not None:
            await self._consumer.stop()

    def get(self, key: bytes) -> V | None:
        """The last value of `key`, as far as was read."""
        return self._values.get(key)

    def items(self) -> ItemsView[bytes, V]:
        """All keys and their last values; changes while the loop runs, so iterate without awaiting."""
        return self._values.items()

    async def wait_for(self, key: bytes, timeout: float) -> V:  # noqa: ASYNC109
        """The value of `key` as soon as there is one; TimeoutError after `timeout` seconds."""
        async with asyncio.timeout(timeout):
            while key not in self._values:
                came = asyncio.get_running_loop().create_future()
                self._waiting[key].append(came)
                await came
        return self._values[key]

    async def catch_up(self) -> None:
        """Returns when all is read that was in the topic at the time of the call. Waits out a broker's absence."""
        if self._consumer is None or self._reading is None:
            raise RuntimeError("the view was not started")
        while True:
            try:
                ends = await self._consumer.end_offsets(list(self._consumer.assignment()))
                break
            except KAFKA_TROUBLE as exc:
                log.warning("view_end_unknown", topic=self._topic, error=repr(exc))
                await asyncio.sleep(RETRY)
        while any(self._positions.get(tp, 0) < end for tp, end in ends.items()):
            if self._reading.done():
                raise RuntimeError(f"the view of {self._topic} has ended")
            await asyncio.sleep(POLL_MS / 10_000)

    async def _read(self, consumer: AIOKafkaConsumer) -> None:
        while True:
            try:
                fetched = await consumer.getmany(timeout_ms=POLL_MS)
                positions = {tp: await consumer.position(tp) for tp in consumer.assignment()}
            except KAFKA_TROUBLE as exc:
                log.warning("view_read_failed", topic=self._topic, error=repr(exc))
                await asyncio.sleep(RETRY)
                continue
            for records in fetched.values():
                for record in records:
                    self._apply(record)
            self._positions = positions

    def _apply(self, record: ConsumerRecord) -> None:
        key, value = record.key or b"", None
        if record.value is None:
            self._values.pop(key, None)
        else:
            try:
                value = self._decode(record.value)
            except ValueError as exc:
                log.warning("view_record_undecodable", topic=self._topic, partition=record.partition,
                            offset=record.offset, error=type(exc).__name__)
                return
            if self._keep:
                self._values[key] = value
            for came in self._waiting.pop(key, ()):
                if not came.done():
                    came.set_result(None)
        if self._on_record:
            self._on_record(key, value)
