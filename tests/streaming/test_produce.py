"""Many records to one partition: split, counted, refused."""

import pytest
from aiokafka.errors import KafkaError

from outreach_stream.streaming.produce import Record, RecordTooLarge, produce
from tests.streaming.conftest import LoggedProducer


async def test_records_are_split_over_batches_in_order(producer: LoggedProducer) -> None:
    """Batches of 1,000 bytes here: a hundred records need several, keep their order, and get one offset each."""
    records = [Record(b"k", b"%03d" % n * 20) for n in range(100)]

    offsets = await produce(producer, "t", 1, records)

    assert list(range(100)) == offsets
    assert [r.value for r in records] == [r.value for r in producer.log["t", 1]]
    assert len(producer.sent) > 1


async def test_offsets_follow_what_is_there(producer: LoggedProducer) -> None:
    """Offsets are the log's, not the call's."""
    await produce(producer, "t", 0, [Record(None, b"a")])

    assert await produce(producer, "t", 0, [Record(None, b"b"), Record(None, b"c")]) == [1, 2]


async def test_key_value_and_headers_arrive_as_given(producer: LoggedProducer) -> None:
    """A record keeps its headers; a value of None is a tombstone."""
    given = [Record(b"k", b"v", [("h", b"1")]), Record(b"k", None)]

    await produce(producer, "t", 0, given)

    assert [tuple(r) for r in producer.log["t", 0]] == [(b"k", b"v", [("h", b"1")]), (b"k", None, [])]


async def test_a_record_too_large_sends_nothing(producer: LoggedProducer) -> None:
    """The records before it are not sent either: the call failed as a whole."""
    with pytest.raises(RecordTooLarge, match="does not fit into a batch of 1000"):
        await produce(producer, "t", 0, [Record(None, b"small"), Record(None, b"x" * 1_000)])

    assert not producer.log


async def test_large_headers_count(producer: LoggedProducer) -> None:
    """The limit is on the whole record, not on its value."""
    with pytest.raises(RecordTooLarge):
        await produce(producer, "t", 0, [Record(None, b"v", [("h", b"x" * 1_000)])])


async def test_no_records_are_no_batches(producer: LoggedProducer) -> None:
    """Nothing to write is written at once."""
    assert await produce(producer, "t", 0, []) == []


async def test_a_refused_batch_raises(producer: LoggedProducer) -> None:
    """A failure is never mistaken for durability."""
    producer.failure = KafkaError("refused")

    with pytest.raises(KafkaError):
        await produce(producer, "t", 0, [Record(None, b"v")])


async def test_a_batch_is_closed_to_others(producer: LoggedProducer, monkeypatch: pytest.MonkeyPatch) -> None:
    """aiokafka appends single sends to an open batch of the same partition: they would shift our offsets."""
    closed = []
    send = producer.send_batch

    async def look(batch: object, topic: str, *, partition: int) -> object:
        closed.append(batch.closed())  # type: ignore[attr-defined]
        return await send(batch, topic, partition=partition)

    monkeypatch.setattr(producer, "send_batch", look)
    await produce(producer, "t", 0, [Record(None, b"v")])

    assert closed == [True]
