"""The dispatcher on a real broker: runs become plans, plans become requests, and kills change nothing of that."""

import asyncio
import sqlite3
import time
from pathlib import Path

import pytest

from outreach_stream.broker.admin import create_topics
from outreach_stream.broker.embedded import EmbeddedBroker
from outreach_stream.dispatch.chunking import Chunker
from outreach_stream.domain.events import RunPlanned
from outreach_stream.domain.identity import lane_of, lanes_of_engine, partition_of
from outreach_stream.domain.triggers import InlineRecipient
from outreach_stream.streaming.produce import Record
from outreach_stream.topics import RUN_CHUNK, RUN_EVENT, RUN_PLANNED, SEND_REQUESTED, SEND_REQUESTED_EXPRESS
from tests.kafka.dispatcher_stage import LAYOUT, Stage

EVERYBODY = "SELECT email, name, city FROM people ORDER BY rowid"
MANY = ("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {}) "
        "SELECT 'p' || i || '@example.org' AS email, 'P' AS name FROM n")
LANES = lanes_of_engine("relay", LAYOUT.lanes, LAYOUT.lanes)


@pytest.fixture
def people(tmp_path: Path) -> Path:
    """A database of 5,000 people, and four who cannot be mailed."""
    with sqlite3.connect(tmp_path / "people.db") as database:
        database.execute("CREATE TABLE people (email TEXT, name TEXT, city TEXT)")
        rows = [(f"p{n}@example.org", f"P {n}", "Oslo") for n in range(5_000)]
        wrong = [("nobody", "", ""), ("P7@example.org", "", ""), (None, "", ""), ("a b@example.org", "", "")]
        database.executemany("INSERT INTO people VALUES (?, ?, ?)", rows + wrong)
    return tmp_path / "people.db"


@pytest.fixture
def empty(tmp_path: Path) -> Path:
    """A database without tables, for queries that need none."""
    (tmp_path / "empty.db").touch()
    return tmp_path / "empty.db"


@pytest.fixture
async def broker(kafka_broker: EmbeddedBroker) -> str:
    """A broker of the test's own, with all topics."""
    await create_topics(kafka_broker.bootstrap, LAYOUT)
    return kafka_broker.bootstrap


def complete(stage: Stage, count: int, run_id: str = "run") -> bool:
    """Whether so many different recipients of the run were requested."""
    return len(stage.seen[SEND_REQUESTED.name]) >= count and len(stage.requested(run_id)) >= count


async def test_a_run_becomes_a_plan_and_its_requests(broker: str, people: Path, tmp_path: Path) -> None:
    """5,000 people: five chunks, one plan, and exactly one request each, in its lane, with its data."""
    async with Stage(broker, tmp_path, {"relay": None}) as stage:
        stage.start()
        await stage.admit(EVERYBODY, people)
        await stage.until(lambda: complete(stage, 5_000))
        await asyncio.sleep(1)

        [plan] = stage.of(RUN_PLANNED)
        assert (plan["total"], plan["skipped"], len(plan["chunks"])) == (5_000, 4, 5)
        assert [event["kind"] for event in stage.of(RUN_EVENT)] == ["initializing", "planned"]
        assert sum(len(chunk["rows"]) for chunk in stage.of(RUN_CHUNK)) == 5_000
        requests = stage.of(SEND_REQUESTED)
        assert len(requests) == 5_000
        assert {request["email"] for request in requests} == {f"p{n}@example.org" for n in range(5_000)}
        assert all(lane_of("run", r["chunk"], r["index"], LANES) == r["partition"] for r in requests)
        assert all(r["variables"] == {"season": "spring", "city": "Oslo"} for r in requests)


@pytest.mark.parametrize("moment", ["while it plans", "when it has planned", "while it expands"])
async def test_a_killed_dispatcher_leaves_one_plan_and_no_gap(
    broker: str, empty: Path, tmp_path: Path, moment: str,
) -> None:
    """Killed and started again, every recipient of the winning plan is requested; a repeated one in the same lane."""
    count = 20_000
    async with Stage(broker, tmp_path, {"relay": 4_000.0}) as stage:
        first = stage.start()
        await stage.admit(MANY.format(count), empty)
        reached = {"while it plans": lambda: len(stage.seen[RUN_CHUNK.name]) > 2,
                   "when it has planned": lambda: stage.seen[RUN_PLANNED.name],
                   "while it expands": lambda: complete(stage, count // 4)}
        await stage.until(reached[moment])
        first.kill()
        first.wait()
        stage.start()
        await stage.until(lambda: complete(stage, count))
        await asyncio.sleep(1)

        requested = stage.requested()
        assert len(requested) == count
        assert all(len(places) == 1 for places in requested.values())
        assert {email for places in requested.values() for _, email in places} == {
            f"p{n}@example.org" for n in range(1, count + 1)}
        reports = {tuple(event["chunks"]) for event in stage.of(RUN_EVENT) if event["kind"] == "planned"}
        assert reports == {tuple(stage.of(RUN_PLANNED)[0]["chunks"])}


async def test_a_deploy_repeats_nothing(broker: str, empty: Path, tmp_path: Path) -> None:
    """Stopped politely in the midst of a run and started again, each recipient is requested exactly once."""
    async with Stage(broker, tmp_path, {"relay": 2_000.0}) as stage:
        first = stage.start()
        await stage.admit(MANY.format(15_000), empty)
        await stage.until(lambda: complete(stage, 2_000))
        first.terminate()
        assert await asyncio.to_thread(first.wait, 40) == 0
        stopped_at = len(stage.seen[SEND_REQUESTED.name])
        stage.start()
        await stage.until(lambda: complete(stage, 15_000))
        await asyncio.sleep(1)

        assert stopped_at < 15_000
        assert len(stage.seen[SEND_REQUESTED.name]) == 15_000


async def test_the_first_of_two_plans_wins(broker: str, tmp_path: Path) -> None:
    """Two plans of one run: only the first one's recipients are requested, also by a dispatcher started anew."""
    async with Stage(broker, tmp_path, {"relay": None}) as stage:
        for name in ("first", "second"):
            await stage.publish(await written(stage, "run", name))
        worker = stage.start()
        await stage.until(lambda: complete(stage, 300))
        worker.kill()
        worker.wait()
        await stage.publish(await written(stage, "run", "third"))
        await stage.publish(await written(stage, "after", "only"))
        stage.start()
        await stage.until(lambda: complete(stage, 300, "after"))

        emails = {email for places in stage.requested().values() for _, email in places}
        assert emails == {f"first{n}@example.org" for n in range(300)}


async def written(stage: Stage, run_id: str, name: str) -> RunPlanned:
    """A plan of 300 recipients, its chunk written."""
    chunker = Chunker(run_id, name, [])
    for n in range(300):
        chunker.add(f"{name}{n}@example.org", None, [])
    record = Record(run_id.encode(), chunker.close())
    offsets = await stage.write(RUN_CHUNK, partition_of(run_id, LAYOUT.runs), record)
    return RunPlanned(run_id=run_id, plan_id=name, engine="relay", lanes=LANES, spec="d", weight=1.0, chunks=offsets,
                      deadline=time.time() + 3_600, total=300, skipped=0, planned_at=time.time())


async def test_express_does_not_wait_for_a_query(broker: str, empty: Path, tmp_path: Path) -> None:
    """One inline recipient is requested while a query of many rows is still being planned."""
    async with Stage(broker, tmp_path, {"relay": 100.0}) as stage:
        stage.start()
        await stage.admit(MANY.format(1_000_000), empty, run_id="big")
        await stage.until(lambda: stage.of(RUN_CHUNK, "big"))

        await stage.admit(None, empty, run_id="one", priority="express",
                          recipients=[InlineRecipient(email="one@example.org", name="One")])
        await stage.until(lambda: stage.of(SEND_REQUESTED_EXPRESS, "one"))

        assert stage.of(RUN_PLANNED, "big") == []
        [request] = stage.of(SEND_REQUESTED_EXPRESS, "one")
        assert (request["email"], request["name"]) == ("one@example.org", "One")
        assert request["variables"] == {"season": "spring"}


async def test_a_broken_query_is_reported_once(broker: str, people: Path, tmp_path: Path) -> None:
    """A query that the database refuses becomes a plan with an error, which is reported, and nothing is requested."""
    async with Stage(broker, tmp_path, {"relay": None}) as stage:
        stage.start()
        await stage.admit("SELECT email FROM nowhere", people)
        await stage.until(lambda: len(stage.of(RUN_EVENT)) >= 2)

        report = stage.of(RUN_EVENT)[-1]
        assert report["kind"] == "planned"
        assert "nowhere" in report["error"]
        assert (report["total"], stage.of(SEND_REQUESTED)) == (0, [])
