"""Poison on every topic: what nobody can read is kept with its reason, or passed over, and the line goes on."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from outreach_stream import topics
from outreach_stream.broker.embedded import EmbeddedBroker
from outreach_stream.broker.properties import MAX_MESSAGE_BYTES
from outreach_stream.recipients.unsubscribed import suppression_key
from outreach_stream.topics import Layout, Topic
from tests.chaos.system import System
from tests.chaos.workers import ROLES

BURIED = (topics.WORKFLOW_TRIGGERED, topics.RUN_EVENT, topics.RUN_ADMITTED, topics.RUN_ADMITTED_EXPRESS,
          topics.RUN_PLANNED, topics.SEND_REQUESTED, topics.SEND_REQUESTED_EXPRESS, topics.SEND_RESULT,
          topics.RUN_STATUS)
VIEWED = (topics.WORKFLOW_SPEC, topics.LANE_PROGRESS, topics.SUPPRESSION, topics.CONTROL)
ADDRESS = "someone@secret.example"
HUGE = MAX_MESSAGE_BYTES - 10_000

REQUEST: dict[str, Any] = {
    "kind": "requested", "run_id": "r", "trigger_id": "t", "source": "s", "workflow_id": "1", "workflow_name": "n",
    "workflow_version": "1", "template_id": "t", "template_version": "1", "spec": "none", "engine": "relay",
    "lanes": [0], "priority": "bulk", "body": "b", "triggered_at": 0, "admitted_at": 0, "deadline": 0,
}
GOOD: dict[str, dict[str, Any]] = {
    "workflow.triggered": {"workflow_id": "none", "source": ADDRESS, "slot": "2026-01-01T00:00:00Z", "priority": "bulk",
                           "recipients": [{"email": ADDRESS}], "deadline": "2126-01-01T00:00:00Z", "replay": None},
    "run.event": REQUEST, "run.admitted": REQUEST,
    "run.admitted.express": REQUEST | {"priority": "express"},
    "run.planned": {"run_id": "r", "plan_id": "p", "engine": "relay", "lanes": [0], "spec": "none", "weight": 1,
                    "deadline": 0, "total": 0, "skipped": 0, "chunks": [], "planned_at": 0},
    "send.requested": {"run_id": "r", "chunk": 0, "index": 0, "email": ADDRESS, "spec": "none", "engine": "relay",
                       "deadline": 0},
    "send.result": {"run_id": "r", "send_id": "r:0:0", "chunk": 0, "index": 0, "email": ADDRESS, "status": "sent",
                    "engine": "relay", "finished_at": "2026-01-01T00:00:00Z"},
    "run.status": {"run_id": "r", "workflow_id": "1", "state": "COMPLETED", "source": ADDRESS,
                   "updated_at": "2026-01-01T00:00:00Z"},
    "workflow.spec": {"workflow": {}}, "lane.progress": {"finished": 0}, "control": {"at": 0},
    "suppression": {"list": "news", "email": ADDRESS, "at": "2026-01-01T00:00:00Z", "how": "api"},
}
GOOD["send.requested.express"] = GOOD["send.requested"]
KEYS = {"control": b"run:r:cancel", "lane.progress": b"send.requested:0:other",
        "suppression": suppression_key("news", ADDRESS)}
ODD = ("run_id", "kind", "spec", "lanes", "deadline", "chunk", "index", "email", "status", "finished", "at", "total",
       "chunks", "workflow_id", "state", "engine", "priority", "slot", "recipients", "replay")
"""Fields that each become something else, one at a time."""


def poison(topic: Topic) -> Iterator[bytes | None]:
    """What cannot be read, whoever reads it."""
    good = GOOD[topic.name]
    yield from (b"\xff\xfe\x00", b"{", b"", b"null", b"[]", b'"text"', b"7", b"1e999", b"[" * 100_000)
    if not topic.compacted:
        yield None  # elsewhere it deletes a key, as it should
    yield json.dumps(good | {"schema_version": 99}).encode()
    yield json.dumps({"email": ADDRESS, "run_id": 5, "workflow_id": [ADDRESS]}).encode()


def huge(topic: Topic, partition: int) -> Iterator[bytes]:
    """As large as the broker takes, of another form and of the right one."""
    if partition == 0:
        yield json.dumps({"junk": "x" * HUGE}).encode()
        yield json.dumps(GOOD[topic.name] | {"schema_version": 99, "junk": "x" * HUGE}).encode()


def odd(topic: Topic) -> Iterator[bytes]:
    """Of the right form, but for one value: some can be read, and none may do harm."""
    good = GOOD[topic.name]
    for field in ODD:
        if field in good:
            for value in (None, [], {ADDRESS: ADDRESS}, ADDRESS, [{"email": 7}], -1, 10**30, 1e308, "\0", "x" * 70_000):
                yield json.dumps(good | {field: value}).encode()


@pytest.fixture
async def system(kafka_broker: EmbeddedBroker, tmp_path: Path) -> AsyncIterator[System]:
    """All three roles, running."""
    async with System(tmp_path, kafka_broker.bootstrap) as running:
        running.start()
        yield running


async def test_poison_stops_nobody(system: System) -> None:
    """Poison in every partition of every topic, ahead of a run and behind one: both are mailed to the last recipient,
    no worker ends, and each poison that an agent reads is a dead letter that says where it lay and names nobody."""
    people = system.people(100)
    first = await system.trigger()
    await system.completed(first)

    placed = await _place(system.bootstrap)
    second = await system.completed(await system.trigger(), 60)
    letters = await _letters(system, placed)
    await asyncio.to_thread(system.terminate)

    assert second.counts.sent == len(people)
    assert system.received() == 2 * len(people)
    assert placed <= letters.keys()
    assert not {reason for reason in letters.values() if "@" in reason or not reason}
    assert not any("effects_failed" in system.workers.log(role) for role in ROLES)
    assert not any("drain_gave_up" in system.workers.log(role) for role in ROLES)


async def _place(bootstrap: str) -> set[tuple[str, int, int]]:
    """Everything everywhere, the huge ones once in each topic; returns where what must be buried lies."""
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, max_request_size=4 * MAX_MESSAGE_BYTES, linger_ms=20)
    async with producer:
        for topic in (*BURIED, *VIEWED):
            for value in odd(topic):
                await producer.send(topic.name, value, key=KEYS.get(topic.name, b"poison"), partition=0)
        written = [await producer.send(topic.name, value, key=KEYS.get(topic.name, b"poison"), partition=partition)
                   for topic in (*BURIED, *VIEWED) for partition in range(Layout().partitions(topic))
                   for value in (*poison(topic), *huge(topic, partition))]
        await producer.flush()
    buried = {topic.name for topic in BURIED}
    return {(it.topic, it.partition, it.offset) for it in [await one for one in written] if it.topic in buried}


async def _letters(system: System, expected: set[tuple[str, int, int]]) -> dict[tuple[str, int, int], str]:
    """Reasons by place, as soon as all that are expected are there."""
    letters: dict[tuple[str, int, int], str] = {}
    consumer = AIOKafkaConsumer(topics.DEAD_LETTER.name, bootstrap_servers=system.bootstrap,
                                auto_offset_reset="earliest", max_partition_fetch_bytes=4 * MAX_MESSAGE_BYTES)
    async with consumer, asyncio.timeout(30):
        while expected - letters.keys():
            for records in (await consumer.getmany(timeout_ms=500)).values():
                for record in records:
                    told = {name: value.decode() for name, value in record.headers}
                    place = told["source_topic"], int(told["source_partition"]), int(told["source_offset"])
                    letters[place] = told["reason"]
    return letters
