"""What is kept in Kafka and read back: tables, views, ranges, dead letters."""

import asyncio
import shutil
import uuid
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from outreach_stream import topics
from outreach_stream.broker.embedded import EmbeddedBroker
from outreach_stream.streaming.app import StreamApp
from outreach_stream.streaming.dead_letters import bury
from outreach_stream.streaming.produce import Record, new_producer, produce
from outreach_stream.streaming.reader import RangeReader, RecordGone
from outreach_stream.streaming.tables import MergedTable
from outreach_stream.streaming.views import View
from tests.kafka.streaming_farm import create_topic, running, until


@pytest.fixture
async def topic(kafka: str) -> str:
    """A topic of two partitions that no other test uses."""
    name = f"storage-{uuid.uuid4().hex[:8]}"
    await create_topic(kafka, name, 2)
    return name


@pytest.fixture
async def producer(kafka: str) -> AsyncIterator[AIOKafkaProducer]:
    """A started producer."""
    async with new_producer(kafka) as producer:
        yield producer


def with_table(name: str, bootstrap: str, folder: Path) -> tuple[StreamApp, MergedTable, asyncio.Event]:
    """An app with a table beside its topic; the event is set once partitions are assigned."""
    app = StreamApp(name, bootstrap=bootstrap, data_dir=folder, session_timeout=6.0)
    table, assigned = MergedTable(app, "bits", partitions=2, ttl_seconds=3_600), asyncio.Event()

    @app.agent(app.batch_topic(name))
    async def ignore(stream: Any) -> None:
        async for batch in app.batches(stream):
            batch.done()

    app.on_assigned.append(lambda _: assigned.set())
    return app, table, assigned


@pytest.mark.parametrize("lost", [True, False], ids=["folder lost", "folder kept"])
async def test_a_table_comes_back(kafka: str, topic: str, tmp_path: Path, lost: bool) -> None:
    """All writers' copies are there after a restart, also when the state folder was deleted."""
    folder = tmp_path / "state"
    app, table, assigned = with_table(topic, kafka, folder)
    async with running(app):
        await asyncio.wait_for(assigned.wait(), 20.0)
        await asyncio.gather(*(table.write(1, b"key\0%d" % n, b"mine") for n in range(2_000)))
        mine, table.writer = table.writer, b"somebody"
        await table.write(1, b"key\0007", b"theirs")
        await table.write(1, b"gone", b"soon")
        await table.delete(1, b"gone", b"somebody")
    if lost:
        shutil.rmtree(folder)

    app, table, assigned = with_table(topic, kafka, folder)
    async with running(app):
        await asyncio.wait_for(assigned.wait(), 20.0)
        copies = dict(table.copies(1, b"key\0007"))
        keys = {key for key, _, _ in table.scan(1, b"key\0")}
        gone, other = table.copies(1, b"gone"), list(table.scan(0))

    assert copies == {mine: b"mine", b"somebody": b"theirs"}
    assert {b"key\0%d" % n for n in range(2_000)} == keys
    assert (gone, other) == ([], [])


async def test_an_assignment_without_the_table_is_not_worked_on(
        kafka: str, topic: str, tmp_path: Path, producer: AIOKafkaProducer, monkeypatch: pytest.MonkeyPatch) -> None:
    """A leader that has not seen a new changelog yet assigns it to nobody: the group is joined again, and all is there.

    The broker's own delay is short, and here made certain: at its first look the leader does not see the topic.
    """
    app, table, assigned = with_table(topic, kafka, tmp_path)
    looks, look = [], app.assignor._get_copartitioned_groups

    def blind_at_first(topics: set[str], *others: Any) -> Any:
        looks.append(topics)
        return look({name for name in topics if len(looks) > 1 or not name.endswith("-changelog")}, *others)

    monkeypatch.setattr(app.assignor, "_get_copartitioned_groups", blind_at_first)
    await produce(producer, topic, 0, [Record(b"a", b"1")])
    async with running(app):
        await asyncio.wait_for(assigned.wait(), 20.0)
        owned = {partition: table.copies(partition, b"key") for partition in range(2)}

    assert owned == {0: [], 1: []}
    assert len(looks) > 1


async def test_a_view_follows_its_topic(kafka: str, topic: str, producer: AIOKafkaProducer) -> None:
    """The last value of each key, all partitions, tombstones; caught up with what was there, then live."""
    await produce(producer, topic, 0, [Record(b"a", b"1"), Record(b"b", b"1"), Record(b"a", b"2")])
    await produce(producer, topic, 1, [Record(b"c", b"3"), Record(b"bad", b"x"), Record(b"b", None)])
    seen: list[tuple[bytes, int | None]] = []
    view: View[int] = View(kafka, topic, lambda key, value: seen.append((key, value)), decode=int)
    await view.start()
    try:
        await view.catch_up()
        caught = dict(view.items())
        waiting = asyncio.create_task(view.wait_for(b"d", 10.0))
        await produce(producer, topic, 0, [Record(b"a", None), Record(b"d", b"4")])
        came = await waiting
        with pytest.raises(TimeoutError):
            await view.wait_for(b"never", 0.01)
    finally:
        await view.stop()

    assert {key: value for key, value in caught.items() if key != b"b"} == {b"a": 2, b"c": 3}
    assert (came, view.get(b"a")) == (4, None)
    assert [entry for entry in seen if entry[0] == b"a"] == [(b"a", 1), (b"a", 2), (b"a", None)]


async def test_a_view_that_keeps_nothing_tells_everything(kafka: str, topic: str, producer: AIOKafkaProducer) -> None:
    """Each record is told, tombstones too, and no value stays in memory; it is caught up all the same."""
    await produce(producer, topic, 0, [Record(b"a", b"1"), Record(b"b", b"x"), Record(b"a", None), Record(b"c", b"3")])
    seen: list[tuple[bytes, bytes | None]] = []
    view: View = View(kafka, topic, lambda key, value: seen.append((key, value)), keep=False)
    await view.start()
    try:
        await view.catch_up()
    finally:
        await view.stop()

    assert seen == [(b"a", b"1"), (b"b", b"x"), (b"a", None), (b"c", b"3")]
    assert not view.items()


async def test_a_view_survives_the_broker(kafka_broker: EmbeddedBroker) -> None:
    """Killed and back, the broker is read on from where the view stood."""
    await create_topic(kafka_broker.bootstrap, "v", 1)
    view: View = View(kafka_broker.bootstrap, "v")
    async with new_producer(kafka_broker.bootstrap) as producer:
        await view.start()
        await produce(producer, "v", 0, [Record(b"before", b"1")])
        await view.wait_for(b"before", 10.0)
        kafka_broker.kill()
        await kafka_broker.restart()
        await produce(producer, "v", 0, [Record(b"after", b"2")])
        await view.wait_for(b"after", 20.0)
        await view.catch_up()
        await view.stop()

    assert dict(view.items()) == {b"before": b"1", b"after": b"2"}


async def test_records_are_read_by_offset(kafka: str, topic: str, producer: AIOKafkaProducer) -> None:
    """One by one in any order, and as a range: its end is not included, later records are not touched."""
    for start in range(0, 3_000, 1_000):
        await produce(producer, topic, 1, [Record(None, b"%d" % n * 50) for n in range(start, start + 1_000)])
    async with RangeReader(kafka) as reader:
        single = [await reader.get(topic, 1, offset) for offset in (5, 6, 7, 2_999, 0, 1)]
        span = [record.offset async for record in reader.records(topic, 1, 10, 2_500)]
        nothing = [record async for record in reader.records(topic, 1, 10, 10)]

    assert [b"%d" % n * 50 for n in (5, 6, 7, 2_999, 0, 1)] == single
    assert list(range(10, 2_500)) == span
    assert nothing == []


async def test_readers_take_turns(kafka: str, topic: str, producer: AIOKafkaProducer) -> None:
    """Concurrent calls on several partitions each get their own record."""
    for partition in (0, 1):
        await produce(producer, topic, partition, [Record(None, b"%d:%d" % (partition, n)) for n in range(50)])
    async with RangeReader(kafka) as reader:
        places = [(partition, offset) for offset in range(50) for partition in (0, 1)]
        values = await asyncio.gather(*(reader.get(topic, partition, offset) for partition, offset in places))

    assert [b"%d:%d" % place for place in places] == values


async def test_a_record_that_is_gone_is_said_to_be(kafka: str, topic: str) -> None:
    """An aborted record, a transaction's marker, an offset beyond the log: none is waited for."""
    producer = AIOKafkaProducer(bootstrap_servers=kafka, transactional_id=topic)
    async with producer:
        await producer.begin_transaction()
        await producer.send_and_wait(topic, b"taken back", partition=0)
        await producer.abort_transaction()
        async with producer.transaction():
            await producer.send_and_wait(topic, b"kept", partition=0)
    async with RangeReader(kafka) as reader:
        for offset in (0, 1, 3, 99):
            with pytest.raises(RecordGone):
                await reader.get(topic, 0, offset)
        kept = await reader.get(topic, 0, 2)
        span = [record.value async for record in reader.records(topic, 0, 0, 4)]

    assert (kept, span) == (b"kept", [b"kept"])


async def test_a_buried_record_is_whole(kafka_topics: str, topic: str, tmp_path: Path,
                                        producer: AIOKafkaProducer) -> None:
    """Original bytes and headers, where it came from, and why: durable before the record is finished."""
    await produce(producer, topic, 1, [Record(b"k", b"\xff not JSON", [("ce_id", b"7")])])
    app = StreamApp(topic, bootstrap=kafka_topics, data_dir=tmp_path, session_timeout=6.0)
    buried = []

    @app.agent(app.batch_topic(topic))
    async def work(stream: Any) -> None:
        async for batch in app.batches(stream):
            await bury(app.aiokafka_producer, batch, 0, "not JSON")
            buried.append(batch)
            batch.done(0)

    async with running(app):
        await until(lambda: buried)
    async with AIOKafkaConsumer(bootstrap_servers=kafka_topics, auto_offset_reset="earliest") as consumer:
        letters = TopicPartition(topics.DEAD_LETTER.name, 0)
        consumer.assign([letters])
        [end] = (await consumer.end_offsets([letters])).values()
    async with RangeReader(kafka_topics) as reader:  # other tests bury their own there
        [letter] = [record async for record in reader.records(topics.DEAD_LETTER.name, 0, 0, end)
                    if ("source_topic", topic.encode()) in record.headers]

    assert (letter.key, letter.value) == (b"k", b"\xff not JSON")
    assert dict(letter.headers) == {"ce_id": b"7", "source_topic": topic.encode(), "source_partition": b"1",
                                    "source_offset": b"0", "reason": b"not JSON"}
