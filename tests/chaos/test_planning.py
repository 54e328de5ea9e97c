"""Planners that die, triggers that repeat, runs that must not wait for others."""

import asyncio
import time
from datetime import UTC, datetime

import pytest

from outreach_stream import topics
from outreach_stream.streaming.produce import Record, new_producer, produce

from .verdict import check_whole


@pytest.mark.long
async def test_a_planner_killed_while_planning(played):
    """The query is run again, one plan wins, each person is mailed once."""
    await played("kill -9 of a planner in its query")


@pytest.mark.long
async def test_a_planner_killed_right_after_the_plan(played):
    """Planned may be planned again: only the first plan's recipients are mailed, once."""
    await played("kill -9 of a planner right after its plan")


async def test_equal_triggers_before_the_plan_are_one_query(played):
    """Hundreds from several producers while the first is being planned: one run, one plan, one end."""
    await played("1,000 equal triggers from 20 producers before the plan")


async def test_fifty_equal_triggers_are_one_run(system):
    """One slot, three producers, other keys and partitions, `1` and `"1"`, `Z` and `+00:00`: one run, one mail each."""
    running = await system(concurrency=20)
    people = running.people(20)
    running.start()
    producers = [new_producer(running.bootstrap) for _ in range(3)]
    for producer in producers:
        await producer.start()
    spellings = [(workflow, slot) for workflow in ("1", '"1"')
                 for slot in ("2026-11-24T09:00:00Z", "2026-11-24T09:00:00+00:00")]
    for i in range(50):
        workflow, slot = spellings[i % 4]
        value = f'{{"workflow_id": {workflow}, "slot": "{slot}", "source": "ticker-{i % 3}"}}'.encode()
        await produce(producers[i % 3], topics.WORKFLOW_TRIGGERED.name, i % 4, [Record(f"key{i % 7}".encode(), value)])
    for producer in producers:
        await producer.stop()
    run = await running.trigger(slot=datetime(2026, 11, 24, 9, tzinfo=UTC))
    status = await running.completed(run)
    await asyncio.sleep(2)

    check_whole(running, status, people, in_flight=0)
    assert len(running.statuses.items()) == 1


async def test_two_triggers_without_slot_or_key_are_two_runs(system):
    """Each is a run of its own, and mails everybody."""
    running = await system(concurrency=20)
    people = running.people(20)
    running.start()
    record = Record(None, b'{"workflow_id": 1}')
    await produce(running.producer, topics.WORKFLOW_TRIGGERED.name, 0, [record, record])
    await running.until_sent(40)

    assert set(running.arrived().recipients().values()) == {2}
    assert running.arrived().recipients().keys() == people


@pytest.mark.alone
async def test_a_small_run_does_not_wait_for_a_big_one(system):
    """5,000 and then 200 at 200/s: the small one is over within 10 s."""
    running = await system(rate=200, burst=20)
    running.people(5_000, workflow=1, table="many")
    running.people(200, workflow=2, table="few")
    running.start()
    await running.trigger(1)
    await running.until_sent(200)
    began = time.monotonic()
    status = await running.completed(await running.trigger(2), 30)

    assert time.monotonic() - began < 10
    assert status.counts.sent == 200


@pytest.mark.alone
async def test_one_mail_does_not_wait_for_a_query(system):
    """A run with one inline recipient is mailed within a second while a million rows are planned."""
    running = await system(concurrency=20)
    running.people(20, workflow=1)
    query = ("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000000) "
             "SELECT 'bulk' || i || '@example.com' AS email, 'B' AS name, 'Rome' AS city FROM n")
    workflow = (running.catalog / "workflows/1.yaml").read_text().replace("id: 1", "id: 2")
    (running.catalog / "workflows/2.yaml").write_text(workflow.split("  query:")[0] + f'  query: "{query}"\n')
    running.start()
    await running.completed(await running.trigger(1))
    big = await running.trigger(2)
    while (status := running.status(big)) is None or status.state != "INITIALIZING":
        await asyncio.sleep(0.01)
    waits = []
    for i in range(3):
        began = time.time()
        await running.trigger(1, recipients=[{"email": f"urgent{i}@example.com", "name": "U", "city": "Bonn"}])
        while f"urgent{i}@example.com" not in running.arrived().recipients():
            await asyncio.sleep(0.01)
        waits.append(time.time() - began)
        assert running.status(big).state == "INITIALIZING", "the query is still being planned"

    assert max(waits) < 1.0
