"""A run's results, read from its partition of `send.result`: so much in one request, and from there in the next."""

import asyncio
from collections import OrderedDict
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import datetime
from functools import partial
from time import monotonic
from typing import NamedTuple, Self

from aiokafka import AIOKafkaConsumer, TopicPartition

from outreach_stream.broker.access import kafka_access
from outreach_stream.broker.errors import KAFKA_TROUBLE
from outreach_stream.domain.events import RunStatus
from outreach_stream.domain.identity import partition_of
from outreach_stream.topics import SEND_RESULT

AT_A_TIME = 4
"""Requests that read at the same time; a fifth waits."""

QUEUE_SECONDS = 2.0
"""That it waits; then it is refused."""

SECONDS = 0.7
"""That one request reads, when there is more to be read than that."""

RECORDS = 200_000
"""Records, of whatever runs, that one request reads at most."""

PATIENCE = 3.0
"""Seconds without anything from the broker after which it counts as away."""

SKEW = 60.0
"""Seconds by which the clocks of workers may differ: their results are looked for from that long before a run began."""

FIRSTS = 1_000
"""Runs of which is remembered before which offset they have no result: it is not looked for again and again."""

_BATCH = 1_000
_POLL_MS = 200


class ResultsUnavailableError(Exception):
    """They cannot be read now, and may be in a moment; the message says why."""


class Times(NamedTuple):
    """When a run's results were published, in seconds since the epoch, by the clocks of whoever publishes them."""

    since: float
    until: float | None
    """None: they still may be."""

    @classmethod
    def of(cls, status: RunStatus) -> Self:
        """From its beginning to its end, by its status."""
        states = {state: datetime.fromisoformat(at).timestamp() for state, at in status.states.items()}
        began = min(states.values(), default=datetime.fromisoformat(status.updated_at).timestamp())
        ended = next((at for state, at in states.items() if state.terminal), None)
        return cls(began - SKEW, None if ended is None else ended + SKEW)


class Found(NamedTuple):
    """One result of the run."""

    offset: int
    value: bytes


class Scan:
    """Reads one run's results in their order. Its memory is a batch, however many there are."""

    def __init__(self, consumer: AIOKafkaConsumer, tp: TopicPartition, run: str, start: int, end: int,
                 first: Callable[[int], None] | None) -> None:
        """`first` is told before which offset there is no result of the run; None: it is not asked for."""
        self._consumer, self._tp, self._key, self._first = consumer, tp, run.encode(), first
        self.offset = start
        """Up to where it has read."""
        self.end = end
        """Up to where there is something of the run, as far as is known."""
        consumer.seek(tp, start)

    @property
    def done(self) -> bool:
        """Whether all is read that was there when it began."""
        return self.offset >= self.end

    async def batches(self) -> AsyncGenerator[list[Found]]:
        """Its results, in batches (some of them empty), until all is read, or as much as one request reads.

        Raises `ResultsUnavailableError`.
        """
        first, began = self.offset, monotonic()
        while not self.done:
            yield await self._batch()
            spent = monotonic() - began
            if self.offset > first and (spent > SECONDS or self.offset - first > RECORDS):
                return
            if self.offset == first and spent > PATIENCE:
                raise ResultsUnavailableError("Kafka does not give the results. Ask again in a while.")

    async def _batch(self) -> list[Found]:
        try:
            fetched = await self._consumer.getmany(self._tp, timeout_ms=_POLL_MS, max_records=_BATCH)
            self.offset = await self._consumer.position(self._tp)
        except KAFKA_TROUBLE as error:
            raise ResultsUnavailableError("Kafka does not give the results. Ask again in a while.") from error
        await asyncio.sleep(0)      # what is fetched ahead comes without waiting: others have their turn all the same
        batch = [Found(record.offset, record.value) for record in fetched.get(self._tp, ())
                 if record.key == self._key and record.value is not None]
        if self._first is not None:
            self._first(batch[0].offset if batch else self.offset)
            self._first = None if batch else self._first
        return batch


class Scans:
    """Opens scans, a few at a time, each with a consumer of its own: whoever reads slowly holds up few."""

    def __init__(self, bootstrap: str) -> None:
        self._bootstrap = bootstrap
        self._places = asyncio.Semaphore(AT_A_TIME)
        self._firsts: OrderedDict[str, int] = OrderedDict()
        self._partitions = 0

    @asynccontextmanager
    async def place(self) -> AsyncIterator[None]:
        """One of few places for those who read much. Raises `ResultsUnavailableError` when none becomes free."""
        try:
            await asyncio.wait_for(self._places.acquire(), QUEUE_SECONDS)
        except TimeoutError:
            raise ResultsUnavailableError("Many ask for results at the same time. Ask again in a moment.") from None
        try:
            yield
        finally:
            self._places.release()

    @asynccontextmanager
    async def open(self, run: str, times: Times, offset: int | None = None) -> AsyncIterator[Scan]:
        """A scan from `offset`, or from where the run's results begin. Raises `ResultsUnavailableError`."""
        async with self.place():
            consumer = AIOKafkaConsumer(
                bootstrap_servers=self._bootstrap, auto_offset_reset="earliest", enable_auto_commit=False,
                isolation_level="read_committed", request_timeout_ms=int(PATIENCE * 1000), **kafka_access())
            try:
                yield await self._begin(consumer, run, times, offset)
            finally:
                await consumer.stop()

    async def _begin(self, consumer: AIOKafkaConsumer, run: str, times: Times, offset: int | None) -> Scan:
        try:
            async with asyncio.timeout(PATIENCE):
                await consumer.start()
                tp = await self._partition(consumer, run)
                consumer.assign([tp])
                end = await _offset_at(consumer, tp, times.until)
                if offset is not None:
                    return Scan(consumer, tp, run, offset, end, None)
                start = self._firsts.get(run)
                if start is None:
                    start = await _offset_at(consumer, tp, times.since)
                return Scan(consumer, tp, run, start, end, partial(self._begins, run))
        except KAFKA_TROUBLE as error:
            raise ResultsUnavailableError("Kafka is away. Ask again in a while.") from error

    def _begins(self, run: str, offset: int) -> None:
        self._firsts[run] = max(offset, self._firsts.get(run, 0))
        while len(self._firsts) > FIRSTS:
            self._firsts.popitem(last=False)

    async def _partition(self, consumer: AIOKafkaConsumer, run: str) -> TopicPartition:
        if not self._partitions:    # known once an answer about one of them has come; the layout never changes
            first = TopicPartition(SEND_RESULT.name, 0)
            consumer.assign([first])
            await consumer.end_offsets([first])
            self._partitions = len(consumer.partitions_for_topic(SEND_RESULT.name) or ())
        return TopicPartition(SEND_RESULT.name, partition_of(run, self._partitions))


async def _offset_at(consumer: AIOKafkaConsumer, tp: TopicPartition, at: float | None) -> int:
    """Of the first record that is not older than `at`; where the next one will lie if there is none, or for None."""
    found = None if at is None else (await consumer.offsets_for_times({tp: max(0, int(at * 1000))}))[tp]
    return int(found.offset if found else (await consumer.end_offsets([tp]))[tp])
