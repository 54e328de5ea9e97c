"""Planners that die, and triggers that repeat."""

import asyncio
from collections import Counter
from datetime import UTC, datetime

from aiokafka import AIOKafkaProducer

from outreach_stream import topics
from outreach_stream.streaming.produce import Record, new_producer, produce

from ..catalog import SLOW
from ..scenario import Stage, scenario
from ..verdict import Figures, check_whole

SLOT = datetime(2026, 11, 24, 9, tzinfo=UTC)
SPELLINGS = [f'{{"workflow_id": {workflow}, "slot": "{slot}", "source": "ticker"}}'.encode()
             for workflow in ("1", '"1"') for slot in ("2026-11-24T09:00:00Z", "2026-11-24T09:00:00+00:00")]


@scenario("kill -9 of a planner in its query")
async def killed_while_planning(stage: Stage) -> Figures:
    """The query is run again, one plan wins, each person is mailed once."""
    running = await stage.system()
    people = running.people(int(stage.of(3_000, 10_000)), where=SLOW)
    running.start()
    run = await running.trigger()
    await running.until_state(run, "INITIALIZING")
    await asyncio.sleep(stage.random.uniform(0, 1))
    assert running.status(run).state == "INITIALIZING"
    running.kill("dispatcher")
    running.start("dispatcher")
    return check_whole(running, await running.completed(run), people, in_flight=0)


@scenario("kill -9 of a planner right after its plan")
async def killed_after_the_plan(stage: Stage) -> Figures:
    """Planned may be planned again: only the first plan's recipients are mailed, once."""
    running = await stage.system()
    people = running.people(int(stage.of(3_000, 20_000)))
    running.start()
    run = await running.trigger()
    await running.until_state(run, "SENDING")
    await asyncio.sleep(stage.random.uniform(0, 0.2))
    running.kill("dispatcher")
    running.start("dispatcher")
    return check_whole(running, await running.completed(run), people, in_flight=0)


@scenario("1,000 equal triggers from 20 producers before the plan")
async def equal_triggers(stage: Stage) -> Figures:
    """Other spellings, keys and partitions, one slot: one run, one plan, one query."""
    triggers, count = int(stage.of(100, 1_000)), int(stage.of(4, 20))
    running = await stage.system()
    people = running.people(int(stage.of(600, 2_000)), where=SLOW)
    running.start()
    run = await running.trigger(slot=SLOT)
    producers = [new_producer(running.bootstrap) for _ in range(count)]
    await asyncio.gather(*[producer.start() for producer in producers])
    await asyncio.gather(*[_repeat(stage, producer, triggers // count) for producer in producers])
    await asyncio.gather(*[producer.stop() for producer in producers])
    figures = check_whole(running, await running.completed(run), people, in_flight=0)
    await asyncio.sleep(1)  # for a second run, if there was one
    kinds = Counter(kind for value in await running.records(topics.RUN_EVENT)
                    for kind in (b'"requested"', b'"initializing"') if kind in value)
    assert kinds[b'"requested"'] == triggers + 1, "each trigger was admitted"
    assert kinds[b'"initializing"'] <= 2, f"{kinds[b'"initializing"']} queries for one run"
    assert len(running.statuses.items()) == 1, "one run"
    return figures


async def _repeat(stage: Stage, producer: AIOKafkaProducer, times: int) -> None:
    for i in range(times):
        record = Record(f"key{stage.random.randrange(7)}".encode(), stage.random.choice(SPELLINGS))
        await produce(producer, topics.WORKFLOW_TRIGGERED.name, i % 4, [record])
