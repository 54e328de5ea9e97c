"""A consumer without a broker: what it fetches is given to it."""

import asyncio
from collections import namedtuple
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.record.memory_records import MemoryRecords
from aiokafka.structs import RecordMetadata
from faust.types import TP

from outreach_stream.streaming.app import StreamApp
from outreach_stream.streaming.batch import Batch
from outreach_stream.streaming.ledger import Ledger
from outreach_stream.streaming.limits import Limits
from outreach_stream.streaming.produce import Record

if TYPE_CHECKING:
    from outreach_stream.streaming.consumer import BatchConsumer

TP0 = TP("t", 0)
FOR_EVER = float("inf")

Fetched = namedtuple("Fetched", "offset value serialized_value_size timestamp timestamp_type")  # noqa: PYI024


def record(offset: int, size: int = 1) -> Any:
    return Fetched(offset, b"v", size, 1000, 0)


def span(start: int, end: int) -> list[Any]:
    return [record(offset) for offset in range(start, end)]


class FedConsumer:
    """The app's real consumer, of which only the thread with its connection is replaced."""

    def __init__(self, app: StreamApp) -> None:
        self.app, self.feed, self.seeks = app, [], []
        self.consumer: BatchConsumer = app.consumer  # type: ignore[assignment]
        self.consumer.resume_flow()
        self.consumer._active_partitions = {TP0}
        self.consumer._wait_next_records = self._wait_next_records
        self.consumer.seek_wait = self._seek_wait
        self.consumer.highwater = lambda _: 0
        self.consumer.assignment = lambda: {TP0}
        self.begin(0)
        app.lease.until = FOR_EVER

    def begin(self, offset: int) -> Ledger:
        ledger = Ledger(TP0, self.consumer.gate, offset, self.consumer._finished)
        ledger._suspect, self.consumer.ledgers[TP0] = False, ledger
        self.consumer.positioned = self.consumer._announced = True
        return ledger

    async def _wait_next_records(self, _: float) -> Any:
        return (self.feed.pop(0) if self.feed else {}), self.consumer._active_partitions

    async def _seek_wait(self, offsets: dict[TP, int]) -> None:
        self.seeks.append(dict(offsets))

    async def deliver(self, *fetches: list[Any]) -> list[Batch]:
        """What the agents get when these are fetched one after the other."""
        self.feed = [{TP0: records} for records in fetches]
        batches = []
        while self.feed:
            batches += [message.value async for _, message in self.consumer.getmany(1.0)]
        return batches


@pytest.fixture
def new_app(tmp_path: Path) -> Callable[..., StreamApp]:
    def build(**limits: Any) -> StreamApp:
        app = StreamApp("guard", bootstrap="127.0.0.1:1", data_dir=tmp_path, limits=Limits(**limits))
        app.batch_topic("t")
        return app
    return build


@pytest.fixture
async def fed(new_app: Callable[..., StreamApp]) -> FedConsumer:
    return FedConsumer(new_app(batch_records=10, load_high=20, load_low=10, drain=0.2))


def offsets(batches: list[Batch]) -> list[int]:
    return [batch.records[0].offset for batch in batches]


class LoggedProducer(AIOKafkaProducer):
    """A real aiokafka producer that builds real batches; what it would send goes into `log` instead."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(bootstrap_servers="127.0.0.1:1", **settings)
        self.log: dict[tuple[str, int], list[Any]] = {}
        self.sent: list[int] = []               # records of each batch, in the order of sending
        self.failure: Exception | None = None

    async def send_batch(self, batch: Any, topic: str, *, partition: int) -> "asyncio.Future[Any]":
        future = asyncio.get_running_loop().create_future()
        if self.failure:
            future.set_exception(self.failure)
            return future
        records = self.log.setdefault((topic, partition), [])
        future.set_result(RecordMetadata(topic, partition, None, len(records), -1, 0, 0))
        data = MemoryRecords(bytes(batch._build()))
        while data.has_next():
            records += [Record(r.key, r.value, r.headers) for r in data.next_batch()]
        self.sent.append(batch.record_count())
        return future


@pytest.fixture
async def producer() -> AsyncIterator[LoggedProducer]:
    producer = LoggedProducer(max_batch_size=1_000)
    yield producer
    producer._closed = True                     # it was never started
