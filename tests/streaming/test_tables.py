"""A merged table on a real RocksDB; only the changelog topic is replaced by a list."""

import asyncio
from collections.abc import Callable
from typing import Any
from unittest.mock import Mock

import pytest
from aiokafka.errors import KafkaError

from outreach_stream.streaming.app import StreamApp
from outreach_stream.streaming.produce import Record, RecordTooLarge
from outreach_stream.streaming.tables import MergedTable, PartitionNotOwned
from tests.streaming.conftest import LoggedProducer

TOPIC = "guard-bits-changelog"
OTHER = b"somebody"


@pytest.fixture
async def table(new_app: Callable[..., StreamApp], producer: LoggedProducer) -> MergedTable:
    app = new_app()
    app.producer._producer = producer
    table = MergedTable(app, "bits", partitions=2)
    table._table.data._db_for_partition(0)      # as an assignment does
    return table


def written_by(table: MergedTable, writer: bytes, key: bytes, value: bytes) -> Any:
    """A write of another process, as a recovery brings it in."""
    mine, table.writer = table.writer, writer
    try:
        return table.write(0, key, value)
    finally:
        table.writer = mine


async def test_a_write_is_seen_at_once_and_durable_when_awaited(table: MergedTable, producer: LoggedProducer) -> None:
    """Our copy is in the store before the changelog has it; the future waits for the changelog."""
    written = table.write(0, b"key", b"value")
    seen, sent = table.copies(0, b"key"), dict(producer.log)
    await written

    assert [(table.writer, b"value")] == seen
    assert not sent
    assert [record.value for record in producer.log[TOPIC, 0]] == [b"value"]


async def test_writers_keep_their_own_copies(table: MergedTable) -> None:
    """Two writers of one key: both copies stay, each with its last value."""
    writes = [table.write(0, b"key", b"1"), written_by(table, OTHER, b"key", b"2"), table.write(0, b"key", b"3")]
    await asyncio.gather(*writes)

    assert {table.writer: b"3", OTHER: b"2"} == dict(table.copies(0, b"key"))


async def test_a_copy_is_deleted_alone(table: MergedTable, producer: LoggedProducer) -> None:
    """A folded copy of another writer goes, with a tombstone; ours stays."""
    await asyncio.gather(table.write(0, b"key", b"1"), written_by(table, OTHER, b"key", b"2"))

    await table.delete(0, b"key", OTHER)

    assert [(table.writer, b"1")] == table.copies(0, b"key")
    assert producer.log[TOPIC, 0][-1].value is None


async def test_a_scan_is_grouped_in_key_order(table: MergedTable) -> None:
    """Every copy whose key begins with the prefix, the copies of a key together, and Faust's own entry never."""
    table._table.data.set_persisted_offset(Mock(partition=0), 7)
    for key in (b"b", b"a\0b", b"a", b"ab", b"a"):
        await written_by(table, OTHER, key, b"2")
        await table.write(0, key, b"1")

    scanned = [(key, value) for key, _, value in table.scan(0, b"a")]

    assert sorted(scanned) == sorted((key, value) for key in (b"a", b"a\0b", b"ab") for value in (b"1", b"2"))
    assert [key for key, _ in scanned] == [b"a", b"a", b"a\0b", b"a\0b", b"ab", b"ab"]
    assert len(list(table.scan(0))) == 8


async def test_writes_of_a_moment_travel_together(table: MergedTable, producer: LoggedProducer) -> None:
    """Fifty small writes are one batch, or many moments would each wait for the broker."""
    producer._message_accumulator._batch_size = 100_000

    await asyncio.gather(*(table.write(0, b"%d" % n, b"v") for n in range(50)))

    assert producer.sent == [50]


async def test_a_cancelled_waiter_harms_no_other(table: MergedTable) -> None:
    """A task that is cancelled while it waits for its write leaves the writes of others alone."""
    waiting = asyncio.ensure_future(asyncio.wait_for(table.write(0, b"a", b"1"), 0))
    other = table.write(0, b"b", b"1")

    await asyncio.gather(waiting, return_exceptions=True)
    await other

    assert other.done()


async def test_a_failed_write_raises_and_may_be_repeated(table: MergedTable, producer: LoggedProducer) -> None:
    """Whoever awaits learns that nothing is durable."""
    producer.failure = KafkaError("refused")
    with pytest.raises(KafkaError):
        await table.write(0, b"key", b"value")
    producer.failure = None

    await table.write(0, b"key", b"value")

    assert len(producer.log[TOPIC, 0]) == 1


async def test_a_value_too_large_is_refused_alone(table: MergedTable) -> None:
    """It raises where it is written, and is not in the store."""
    with pytest.raises(RecordTooLarge):
        table.write(0, b"key", b"x" * 2_000)

    assert table.copies(0, b"key") == []


async def test_a_partition_that_is_not_ours_is_refused(table: MergedTable) -> None:
    """Faust would silently open a store for it."""
    with pytest.raises(PartitionNotOwned, match="bits, partition 1"):
        table.write(1, b"key", b"value")


async def test_the_offset_of_the_next_recovery_follows_our_writes(table: MergedTable) -> None:
    """What we wrote ourselves need not be read again after a restart."""
    await table.write(0, b"a", b"1")
    await table.write(0, b"b", b"1")

    assert table._table.data.persisted_offset(Mock(partition=0)) == 1


async def test_another_writers_record_in_between_is_read_by_the_next_recovery(
        table: MergedTable, producer: LoggedProducer) -> None:
    """A thawed process's late record lies between ours: the noted offset stays before it."""
    await table.write(0, b"a", b"1")
    producer.log[TOPIC, 0].append(Record(b"late", b"record"))

    await table.write(0, b"b", b"1")
    await table.write(0, b"c", b"1")

    assert table._table.data.persisted_offset(Mock(partition=0)) == 0
