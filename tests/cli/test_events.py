"""`outreach events tail` against a real broker."""

import asyncio
import json
import signal
import subprocess
import time
from pathlib import Path
from uuid import uuid4

import pytest
from aiokafka.admin import AIOKafkaAdminClient

from outreach_stream.domain.control import RunOrder, Subject, control_key
from outreach_stream.domain.events import SendResult
from outreach_stream.domain.triggers import WorkflowTriggered
from outreach_stream.gateway.publisher import cloud_headers, identified
from outreach_stream.streaming.produce import Record, new_producer, produce
from outreach_stream.topics import CONTROL, RUN_STATUS, SEND_RESULT, WORKFLOW_TRIGGERED
from tests.cli.conftest import Outreach, running


def publish(bootstrap: str, *records: tuple[str, int, Record]) -> None:
    """Each to its topic and partition, in this order and at later times each."""
    async def begin_to_end() -> None:
        producer = new_producer(bootstrap)
        await producer.start()
        try:
            for topic, partition, record in records:
                await produce(producer, topic, partition, [record])
                await asyncio.sleep(0.002)
        finally:
            await producer.stop()
    asyncio.run(begin_to_end())


def result(run: str, index: int, **fields: object) -> Record:
    event = SendResult.model_validate({
        "run_id": run, "send_id": f"{run}:0:{index}", "chunk": 0, "index": index, "email": f"p{index}@example.com",
        "status": "sent", "engine": "relay", "finished_at": "2026-03-01T09:00:00.000Z", **fields})
    return Record(run.encode(), event.encode())


def test_the_last_ones_are_printed_in_order_over_all_partitions(inside: Outreach, kafka_topics: str) -> None:
    """By their times, oldest first, only those that name the run; with place, key, kind and what matters."""
    run = uuid4().hex
    others = [(SEND_RESULT.name, 0, result(uuid4().hex, 0)) for _ in range(40)]
    ours = [(SEND_RESULT.name, index % 3, result(run, index, status="failed", attempts=1)) for index in range(6)]
    publish(kafka_topics, *ours, *others)
    tail = ("events", "tail", "send.result", "--run", run, "--no-follow")

    last = inside(*tail, "-n", "3", OUTREACH_KAFKA_BOOTSTRAP=kafka_topics)
    every = inside(*tail, "--from-beginning", "--json", OUTREACH_KAFKA_BOOTSTRAP=kafka_topics)
    none = inside(*tail, "-n", "0", OUTREACH_KAFKA_BOOTSTRAP=kafka_topics)

    lines, rest = [line.split(" ", 3) for line in last.stdout.splitlines()], "status=failed engine=relay attempts=1"
    assert [(place.split("@")[0], key, said) for _, place, key, said in lines] == [
        (str(index % 3), run, f"SendResult chunk=0 index={index} email=p{index}@example.com {rest}")
        for index in (3, 4, 5)]
    found = [json.loads(line) for line in every.stdout.splitlines()]
    assert sorted(each["event"]["index"] for each in found) == list(range(6))
    assert {(each["topic"], each["key"], each["kind"]) for each in found} == {("send.result", run, "SendResult")}
    assert none.stdout == ""


def test_what_cannot_be_read_is_said_and_addresses_are_masked(inside: Outreach, kafka_topics: str) -> None:
    """Bytes, a foreign version, a deletion: a line each, and those that follow are printed as well."""
    run = uuid4().hex
    unknown = b'{"schema_version": 2, "email": "ada@example.com", "run_id": "%s"}' % run.encode()
    publish(kafka_topics, *((SEND_RESULT.name, 1, record) for record in (
        Record(run.encode(), b"\xff\x00ada@example.com"), Record(run.encode(), unknown), Record(run.encode(), None),
        result(run, 0, status="failed", reason="smtp_550: no such\x1b[31m user"))))
    tail = ("events", "tail", "send.result", "--run", run, "--no-follow", "--no-addresses")

    lines = inside(*tail, OUTREACH_KAFKA_BOOTSTRAP=kafka_topics).stdout
    whole = inside(*tail, "--json", OUTREACH_KAFKA_BOOTSTRAP=kafka_topics).stdout

    assert [line.split(" ", 3)[3].split()[0] for line in lines.splitlines()] == [
        "UNREADABLE", "UNREADABLE", "Deleted", "SendResult"]
    assert "schema_version" in lines.splitlines()[1]
    assert "email=<address>" in lines.splitlines()[3]
    assert "\x1b" not in lines
    bytes_, version, deleted, good = map(json.loads, whole.splitlines())
    assert (bytes_["encoding"], bytes_["value"], deleted["kind"]) == ("hex", "", "Deleted")
    assert (good["event"]["email"], good["event"]["status"]) == ("<address>", "failed")
    assert "@example.com" not in lines + whole
    assert version["value"].startswith('{"schema_version": 2')


def test_a_trigger_is_found_by_the_run_that_it_asks_for(inside: Outreach, kafka_topics: str) -> None:
    """Foreign producers need not name the run; and internal topics are printed, too."""
    trigger, run = identified(WorkflowTriggered(workflow_id="welcome", source="shop", idempotency_key=uuid4().hex))
    publish(kafka_topics,
            (WORKFLOW_TRIGGERED.name, 3, Record(None, trigger.encode(), cloud_headers(trigger, time.time()))),
            (CONTROL.name, 0, Record(control_key(Subject("run", run), "pause"), RunOrder(at=1.0, by="eve").encode())))

    found, order = (inside("events", "tail", topic, "--run", run, "--no-follow", OUTREACH_KAFKA_BOOTSTRAP=kafka_topics)
                    for topic in (WORKFLOW_TRIGGERED.name, CONTROL.name))

    assert f" - WorkflowTriggered run_id={run} workflow_id=welcome" in found.stdout
    assert order.stdout.endswith(f" run:{run}:pause RunOrder by=eve\n")


def test_an_unknown_topic_is_a_wrong_usage(inside: Outreach) -> None:
    """With the names there are; Kafka is not even asked."""
    answer = inside("events", "tail", "send.results", OUTREACH_KAFKA_BOOTSTRAP="127.0.0.1:1")

    assert answer.returncode == 2
    assert "send.result," in answer.stderr


async def groups(bootstrap: str) -> set[str]:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        return {name for name, _ in await admin.list_consumer_groups()}
    finally:
        await admin.close()


def test_it_follows_until_it_is_interrupted_and_leaves_no_trace(tmp_path: Path, kafka_topics: str) -> None:
    """What comes is printed as it comes; Ctrl-C ends it at once; there is no group more than before."""
    run, before = uuid4().hex, asyncio.run(groups(kafka_topics))
    publish(kafka_topics, (SEND_RESULT.name, 2, result(run, 0)))
    with running(tmp_path, "events", "tail", "send.result", "--run", run, stdout=subprocess.PIPE,
                 settings={"OUTREACH_KAFKA_BOOTSTRAP": kafka_topics}) as process:
        assert "index=0" in process.stdout.readline()
        publish(kafka_topics, (SEND_RESULT.name, 2, result(run, 1)), (SEND_RESULT.name, 0, result(run, 2)))
        assert ["index=1" in process.stdout.readline(), "index=2" in process.stdout.readline()] == [True, True]
        during = asyncio.run(groups(kafka_topics))
        process.send_signal(signal.SIGINT)

        assert process.wait(timeout=5) == 130
    assert during == before


def test_nobody_who_reads_on_is_no_error(tmp_path: Path, kafka_topics: str) -> None:
    """`outreach events tail … | head`: no traceback, and it ends."""
    publish(kafka_topics, *((RUN_STATUS.name, 0, Record(b"r", b"{}")) for _ in range(3)))
    with running(tmp_path, "events", "tail", "run.status", stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                 settings={"OUTREACH_KAFKA_BOOTSTRAP": kafka_topics}) as process:
        process.stdout.close()

        assert process.wait(timeout=30) == 0
        assert process.stderr.read() == ""


@pytest.mark.parametrize("arguments", [("--help",), ("tail", "--help")])
def test_help(inside: Outreach, arguments: tuple[str, ...]) -> None:
    """What it does and what it leaves alone."""
    answer = inside("events", *arguments)

    assert answer.returncode == 0
    assert "tail" in answer.stdout
