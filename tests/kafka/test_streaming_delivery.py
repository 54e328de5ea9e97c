"""Batches from a real broker: delivered in order, committed in order, co-located, and only what was committed."""

import asyncio
import uuid
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer

from outreach_stream.streaming.app import StreamApp
from outreach_stream.streaming.batch import Batch
from tests.kafka.streaming_farm import committed, create_topic, fill, running, until


@pytest.fixture
def name() -> str:
    """A name for topics and apps that no other test uses."""
    return f"delivery-{uuid.uuid4().hex[:8]}"


def new_app(name: str, bootstrap: str, folder: Path, **settings: Any) -> tuple[StreamApp, list[Batch]]:
    """An app on the topic of the same name that only collects its batches."""
    app = StreamApp(name, bootstrap=bootstrap, data_dir=folder, session_timeout=6.0, **settings)
    batches: list[Batch] = []

    @app.agent(app.batch_topic(name))
    async def collect(stream: Any) -> None:
        async for batch in app.batches(stream):
            batches.append(batch)  # noqa: PERF401 (an agent's loop)

    return app, batches


async def test_batches_are_delivered_and_committed_in_order(kafka: str, tmp_path: Path, name: str) -> None:
    """Each partition's records come once and in order; what is committed never passes an unfinished record."""
    await create_topic(kafka, name, 4)
    await fill(kafka, name, 4, 4_000)
    app, batches = new_app(name, kafka, tmp_path)

    async with running(app):
        await until(lambda: sum(len(batch.records) for batch in batches) == 4_000)
        for batch in batches:
            await batch.claim()
            batch.done() if batch.records[0].offset else [batch.done(i) for i in range(1, len(batch.records))]
        batches[0].release()
        await asyncio.sleep(1.2)
        held = await committed(kafka, name)
        for batch in batches:
            batch.done()

    offsets = defaultdict(list)
    for batch in batches:
        offsets[batch.tp.partition] += [record.offset for record in batch.records]
    assert {partition: list(range(1_000)) for partition in range(4)} == offsets
    assert not any(held.values())
    assert {(name, partition): 1_000 for partition in range(4)} == await committed(kafka, name)


async def test_aborted_transactions_are_not_delivered(kafka: str, tmp_path: Path, name: str) -> None:
    """What a producer took back reaches nobody; what it committed does, across the markers' holes."""
    await create_topic(kafka, name, 1)
    producer = AIOKafkaProducer(bootstrap_servers=kafka, transactional_id=name)
    await producer.start()
    for value, commit in ((b"1", True), (b"taken back", False), (b"2", True)):
        await producer.begin_transaction()
        await producer.send_and_wait(name, value, partition=0)
        await (producer.commit_transaction() if commit else producer.abort_transaction())
    await producer.stop()
    app, batches = new_app(name, kafka, tmp_path)

    async with running(app):
        await until(lambda: sum(len(batch.records) for batch in batches) == 2)
        await asyncio.sleep(0.3)
        for batch in batches:
            batch.done()

    assert [record.value for batch in batches for record in batch.records] == [b"1", b"2"]
    assert {(name, 0): 5} == await committed(kafka, name)


async def test_topics_of_one_count_have_one_owner(kafka: str, tmp_path: Path, name: str) -> None:
    """Partition n of two topics with equal counts is assigned to the same worker, before and after a scale-up."""
    topics = [name, f"{name}.express"]
    for topic in topics:
        await create_topic(kafka, topic, 5)
    owned: dict[str, set[Any]] = {}

    def worker(folder: str) -> StreamApp:
        app, _ = new_app(name, kafka, tmp_path / folder)

        @app.agent(app.batch_topic(topics[1]))
        async def express(stream: Any) -> None:
            async for _ in app.batches(stream):
                pass

        app.on_assigned.append(lambda tps: owned.update({folder: tps}))
        return app

    async with running(worker("a")):
        await until(lambda: len(owned.get("a", ())) == 10)
        async with running(worker("b")):
            await until(lambda: len(owned.get("a", ())) + len(owned.get("b", ())) == 10 and len(owned) == 2)

    for tps in owned.values():
        assert len({frozenset(tp.partition for tp in tps if tp.topic == topic) for topic in topics}) == 1
    assert {4, 6} == {len(tps) for tps in owned.values()}


async def test_a_crash_is_an_exit_code(kafka: str, tmp_path: Path, name: str) -> None:
    """A task that dies ends the worker, and its cause is kept."""
    await create_topic(kafka, name, 1)
    app, _ = new_app(name, kafka, tmp_path)

    async def die() -> None:
        raise ZeroDivisionError

    app.on_assigned.append(lambda _: app.spawn(die()) and None)
    with pytest.raises(ZeroDivisionError):
        async with running(app):
            await asyncio.wait_for(app.wait_until_stopped(), 20.0)


async def test_a_failing_assignment_hook_crashes(kafka: str, tmp_path: Path, name: str) -> None:
    """A hook that cannot prepare the assignment must not leave a worker that does nothing."""
    await create_topic(kafka, name, 1)
    app, _ = new_app(name, kafka, tmp_path)

    def fail(_: object) -> None:
        raise LookupError("no state")

    app.on_assigned.append(fail)
    with pytest.raises(LookupError, match="no state"):
        async with running(app):
            await asyncio.wait_for(app.wait_until_stopped(), 20.0)
