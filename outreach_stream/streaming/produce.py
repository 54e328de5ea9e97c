"""Many records to one partition, cheaply, and only back when they are durable."""

import asyncio
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

from aiokafka import AIOKafkaProducer
from aiokafka.record.default_records import DefaultRecordBatchBuilder

from outreach_stream.broker.access import kafka_access
from outreach_stream.streaming.limits import BATCH_BYTES, LINGER_MS

type Headers = Sequence[tuple[str, bytes]]


class Record(NamedTuple):
    """One record to write."""

    key: bytes | None
    value: bytes | None
    """None deletes the key from a compacted topic."""
    headers: Headers = ()


_turns: WeakKeyDictionary[AIOKafkaProducer, dict[tuple[str, int], asyncio.Lock]] = WeakKeyDictionary()


class RecordTooLarge(ValueError):  # noqa: N818
    """A record does not fit into a batch: nothing of the call was sent."""


def new_producer(bootstrap: str) -> AIOKafkaProducer:
    """A producer for processes without a Faust app: idempotent, all replicas, as the apps' own. Not started."""
    return AIOKafkaProducer(bootstrap_servers=bootstrap, acks="all", enable_idempotence=True, linger_ms=LINGER_MS,
                            max_batch_size=BATCH_BYTES, **kafka_access())


async def produce(producer: AIOKafkaProducer, topic: str, partition: int, records: Iterable[Record], *,
                  largest: int = 0) -> list[int]:
    """Writes the records in order and returns the offset of each, when all are durable. About 1 µs a record.

    `largest`: bytes that the key and value of one record may have where the topic takes more than a batch usually has.

    Retried inside by an idempotent producer for as long as the broker is away: a caller that cannot wait so long
    cancels, and then some may have been written. Raises RecordTooLarge before anything is sent, and aiokafka's
    KafkaError when the broker refuses; records of earlier batches may then have been written.
    """
    batches = _fill(producer, records, largest)
    async with _turn(producer, topic, partition):
        sent = [await producer.send_batch(batch, topic, partition=partition) for batch in batches]
    if sent:
        await asyncio.wait(sent)
    written = [acknowledged.result() for acknowledged in sent]
    return [metadata.offset + i for metadata, batch in zip(written, batches, strict=True)
            for i in range(batch.record_count())]


def _turn(producer: AIOKafkaProducer, topic: str, partition: int) -> asyncio.Lock:
    """One caller at a time waits for room in a partition.

    aiokafka takes from each caller's time what all before it have waited, so that of many some give up in no time.
    """
    return _turns.setdefault(producer, {}).setdefault((topic, partition), asyncio.Lock())


def batch_limit(producer: AIOKafkaProducer) -> int:
    """Bytes of one batch at most."""
    return int(producer._message_accumulator._batch_size)


def check_size(record: Record, limit: int) -> None:
    """Raises RecordTooLarge if the record alone exceeds a batch of `limit` bytes."""
    key, value, headers = record
    if not headers and len(key or b"") + len(value or b"") < limit // 2:
        return  # whatever stands around its bytes
    size = DefaultRecordBatchBuilder.estimate_size_in_bytes(key, value, list(headers))
    if size > limit:
        raise RecordTooLarge(f"a record of {size} bytes does not fit into a batch of {limit}")


_AROUND = 1024
"""Bytes of a batch beside its one record's value: its own head, the record's, a key."""


def _fill(producer: AIOKafkaProducer, records: Iterable[Record], largest: int) -> list[Any]:
    """The records in as few batches as they fit into. aiokafka itself lets a batch's first record be of any size."""
    limit = max(batch_limit(producer), largest + _AROUND if largest else 0)
    batches: list[Any] = []
    for record in records:
        check_size(record, limit)
        if not batches or not _append(batches[-1], record):
            batches.append(producer.create_batch())
            _append(batches[-1], record)
    for batch in batches:
        batch.close()           # an open one would take in what others send meanwhile
    return batches


def _append(batch: Any, record: Record) -> bool:
    """False: the batch is full."""
    appended = batch.append(key=record.key, value=record.value, timestamp=None, headers=list(record.headers))
    return appended is not None
