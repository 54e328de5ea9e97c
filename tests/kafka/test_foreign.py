"""The examples for other services, in plain aiokafka, against a real broker and our own readers and writers."""

import asyncio
import json
import sqlite3
from contextlib import suppress
from pathlib import Path
from runpy import run_path
from typing import Any
from uuid import uuid4

from outreach_stream.agents.send import _result_record
from outreach_stream.agents.track import _status_record
from outreach_stream.cli.events.decoding import decode
from outreach_stream.cli.events.reading import Topic
from outreach_stream.domain.events import RunStatus, SendResult
from outreach_stream.domain.identity import run_id
from outreach_stream.streaming.produce import Record, new_producer, produce
from outreach_stream.topics import RUN_STATUS, SEND_RESULT, WORKFLOW_TRIGGERED

EXAMPLES = Path(__file__).parents[2] / "docs" / "events" / "examples"


def example(name: str) -> dict[str, Any]:
    return run_path(str(EXAMPLES / f"{name}.py"))


async def publish(bootstrap: str, topic: str, *records: Record) -> None:
    producer = new_producer(bootstrap)
    await producer.start()
    try:
        await produce(producer, topic, 1, records)
    finally:
        await producer.stop()


async def test_a_foreign_trigger_is_a_trigger(kafka_topics: str) -> None:
    """Published twice by the example, read by our reader: complete, and one run."""
    key = uuid4().hex
    for _ in range(2):
        await example("trigger")["trigger"](kafka_topics, "welcome", key, recipients=[{"email": "ada@example.com"}])

    async with Topic(kafka_topics, WORKFLOW_TRIGGERED.name) as topic:
        records = await topic.last(2, lambda record: record.key == key.encode())
    found = [dict(decode(record).event or {}) for record in records]
    run = run_id("welcome", slot=None, key=key, trigger_id="any")
    assert [(each["run_id"], each["source"], each["recipients"]) for each in found] == 2 * [
        (run, "shop", [{"email": "ada@example.com"}])]


async def test_a_foreign_consumer_has_each_recipient_once(kafka_topics: str) -> None:
    """Repeated records, weaker and stronger ones after one another: one row each, under the end to be believed."""
    run, results = uuid4().hex, example("results")

    def said(index: int, status: str, **fields: Any) -> Record:
        return _result_record(SendResult.model_validate({
            "run_id": run, "send_id": f"{run}:0:{index}", "chunk": 0, "index": index, "email": f"p{index}@example.com",
            "status": status, "engine": "relay", "finished_at": "2026-03-01T09:00:00.000Z", **fields}))

    await publish(kafka_topics, SEND_RESULT.name, said(0, "sent"), said(1, "in_doubt", possible_duplicate=True),
                  said(0, "failed", recovered=True), said(2, "failed", reason="smtp_550"), said(1, "sent"),
                  said(2, "failed", recovered=True), said(3, "expired"))
    database = sqlite3.connect(":memory:")
    following = asyncio.create_task(results["follow"](kafka_topics, database, group=run))
    await until(lambda: rows(database, run)[-1:] == [("p3@example.com", "expired", None, 0)])
    following.cancel()
    with suppress(asyncio.CancelledError):
        await following

    assert rows(database, run) == [
        ("p0@example.com", "sent", None, 0), ("p1@example.com", "sent", None, 1),
        ("p2@example.com", "failed", "smtp_550", 0), ("p3@example.com", "expired", None, 0)]


def rows(database: sqlite3.Connection, run: str) -> list[tuple[str, str, str | None, int]]:
    with suppress(sqlite3.OperationalError):        # the table is not there yet
        return database.execute("SELECT email, status, reason, duplicate FROM results WHERE run_id = ? ORDER BY email",
                                [run]).fetchall()
    return []


async def until(condition: Any) -> None:
    async with asyncio.timeout(20):
        while not condition():
            await asyncio.sleep(0.02)


async def test_a_foreign_table_of_runs(kafka_topics: str) -> None:
    """The last word on each run when all is read, and then what changes."""
    one, two, example_ = uuid4().hex, uuid4().hex, example("runs")

    def said(run: str, state: str, **fields: Any) -> Record:
        return _status_record(RunStatus.model_validate({
            "run_id": run, "workflow_id": "welcome", "state": state, "source": "shop",
            "updated_at": "2026-03-01T09:00:00.000Z", **fields}))

    odd = Record(uuid4().hex.encode(), None)
    await publish(kafka_topics, RUN_STATUS.name, said(one, "QUEUED"), said(two, "SENDING"), said(one, "SENDING"), odd)
    table = example_["table"](kafka_topics)
    async with asyncio.timeout(20):
        runs = await anext(table)
        first = (runs[one]["state"], runs[two]["state"], example_["over"](runs[one]))
        await publish(kafka_topics, RUN_STATUS.name, said(one, "COMPLETED", log="output/run.json"))
        async for runs in table:
            if runs[one]["state"] == "COMPLETED":
                break
    await table.aclose()

    assert first == ("SENDING", "SENDING", False)
    assert (example_["over"](runs[one]), runs[two]["state"]) == (True, "SENDING")
    assert json.loads(json.dumps(runs[one]))["log"] == "output/run.json"
