"""The dispatcher on a real broker: runs become plans, plans become requests, and kills change nothing of that."""

import asyncio
import json
import sqlite3
import time
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from outreach_stream.broker.admin import create_topics
from outreach_stream.broker.embedded import EmbeddedBroker
from outreach_stream.dispatch.chunking import Chunker
from outreach_stream.domain.chunks import DueChunks, ReplayedChunk
from outreach_stream.domain.control import Subject
from outreach_stream.domain.events import RunPlanned
from outreach_stream.domain.identity import lane_of, lanes_of_engine, partition_of
from outreach_stream.domain.triggers import InlineRecipient, Replay
from outreach_stream.streaming.produce import Record
from outreach_stream.topics import RUN_CHUNK, RUN_EVENT, RUN_PLANNED, SEND_REQUESTED, SEND_REQUESTED_EXPRESS
from tests.kafka.dispatcher_stage import LAYOUT, Stage

EVERYBODY = "SELECT email, name, city FROM people ORDER BY rowid"
MANY = ("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {}) "
        "SELECT 'p' || i || '@example.org' AS email, 'P' AS name FROM n")
ENDLESS = ("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1e12) "
           "SELECT 'p@example.org' AS email, 'P' AS name, count(*) AS c FROM n")
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


async def test_a_cancelled_run_stops_its_query(broker: str, empty: Path, tmp_path: Path) -> None:
    """Among its rows, or before the first: within five seconds there is a plan of nobody, and nothing is requested."""
    queries = {"among": MANY.format(50_000_000), "before": ENDLESS}
    async with Stage(broker, tmp_path, {"relay": None}) as stage:
        stage.start()
        for run_id, query in queries.items():
            await stage.admit(query, empty, run_id=run_id)
        await stage.until(lambda: stage.of(RUN_CHUNK, "among") and stage.of(RUN_EVENT, "before"))
        for run_id in queries:
            await stage.order(Subject("run", run_id), "cancel")
        await stage.until(lambda: all(len(stage.of(RUN_EVENT, run_id)) > 1 for run_id in queries), 5)

        for run_id in queries:
            [plan], report = stage.of(RUN_PLANNED, run_id), stage.of(RUN_EVENT, run_id)[-1]
            assert (plan["cancelled"], plan["chunks"], plan.get("error")) == (True, [], None)
            assert (report["kind"], report["cancelled"], report["total"]) == ("planned", True, 0)
        await stage.admit(MANY.format(10), empty, run_id="after")
        await stage.until(lambda: len(stage.requested("after")) == 10)
        assert {event["run_id"] for event in map(json.loads, (
            record.value for record in stage.seen[SEND_REQUESTED.name]))} == {"after"}


async def test_what_is_ordered_takes_effect_at_once(broker: str, empty: Path, tmp_path: Path) -> None:
    """A paused run stands still, also under a new dispatcher; so does one whose engine has stopped; then they go on."""
    paused, stopped = (Subject("run", "run"), "pause"), (Subject("engine", "relay"), "fuse")
    async with Stage(broker, tmp_path, {"relay": 1_000.0}) as stage:
        worker = stage.start()
        await stage.admit(MANY.format(8_000), empty)
        await stage.until(lambda: complete(stage, 1_000))
        await stage.order(*paused)
        await asyncio.sleep(1)
        at = len(stage.requested())
        worker.kill()
        worker.wait()
        stage.start()
        await stage.admit(MANY.format(10), empty, run_id="beside")
        await stage.until(lambda: complete(stage, 10, "beside"))
        assert len(stage.requested()) == at

        await stage.order(*paused, back=True)
        await stage.until(lambda: complete(stage, at + 1_000))
        await stage.order(*stopped)
        await asyncio.sleep(1)
        at = len(stage.requested())
        await asyncio.sleep(1)
        assert len(stage.requested()) == at < 8_000
        await stage.order(*stopped, back=True)
        await stage.until(lambda: complete(stage, 8_000))


async def test_a_replay_is_planned_from_the_earlier_runs_chunks(broker: str, people: Path, tmp_path: Path) -> None:
    """Those chosen, with their data as it was frozen and their doubts, at new places."""
    async with Stage(broker, tmp_path, {"relay": None}) as stage:
        stage.start()
        await stage.admit(EVERYBODY, people)
        await stage.until(lambda: stage.of(RUN_PLANNED))
        offsets = stage.of(RUN_PLANNED)[0]["chunks"]
        chosen = [ReplayedChunk(offset=offsets[number], chunk=number, indexes=f"{1 << 9 | 1 << 3:x}",
                                doubted=f"{doubted << 9:x}") for number, doubted in [(0, 0), (3, 1)]]
        replay = Replay(run_id="run", statuses=["failed", "in_doubt"], accept_duplicates=True)
        await stage.admit(EVERYBODY, tmp_path / "gone.db", run_id="again", replay=replay, chunks=chosen)
        await stage.until(lambda: len(stage.requested("again")) == 4)

        requests = sorted(stage.of(SEND_REQUESTED, "again"), key=lambda request: request["index"])
        assert [request["email"] for request in requests] == [
            f"p{n}@example.org" for n in (3, 9, 3 * 1_024 + 3, 3 * 1_024 + 9)]
        assert [request.get("doubted", False) for request in requests] == [False, False, False, True]
        assert all(request["variables"] == {"season": "spring", "city": "Oslo"} for request in requests)


async def test_everybody_is_requested_at_nine_on_their_own_clock(broker: str, tmp_path: Path) -> None:
    """Two zones: one goes at once, the other when it is nine there, over a kill between; each once, nobody early."""
    zones = {"Asia/Tokyo": 700, "Asia/Dubai": 1_300}
    with sqlite3.connect(tmp_path / "zones.db") as database:
        database.execute("CREATE TABLE people (email TEXT, name TEXT, timezone TEXT)")
        database.executemany("INSERT INTO people VALUES (?, ?, ?)", (
            (f"{zone[5]}{n}@example.org", "P", zone) for zone, count in zones.items() for n in range(count)))
    now = time.time()
    async with Stage(broker, tmp_path, {"relay": None}) as stage:
        stage.workflow = {"local_time": f"{datetime.fromtimestamp(now, ZoneInfo('Asia/Tokyo')):%H:%M}"}
        worker = stage.start()
        await stage.admit("SELECT email, name, timezone FROM people", tmp_path / "zones.db", deadline=now + 86_400)
        await stage.until(lambda: complete(stage, 700))
        await stage.publish(await waiting(stage, at=(soon := time.time() + 9)))
        await stage.until(lambda: complete(stage, 100, "soon"))
        worker.kill()
        worker.wait()
        assert time.time() < soon
        stage.start()
        await stage.until(lambda: complete(stage, 300, "soon"))

        plan, [tokyo, dubai] = stage.of(RUN_PLANNED)[0], stage.of(RUN_PLANNED)[0]["due"]
        report = next(event for event in stage.of(RUN_EVENT) if event["kind"] == "planned")
        assert (tokyo["recipients"], dubai["recipients"]) == (700, 1_300)
        assert dubai["at"] - tokyo["at"] == 5 * 3_600
        assert report["due"] == [[group["at"], group["recipients"]] for group in plan["due"]]
        assert {email[0] for places in stage.requested().values() for _, email in places} == {"T"}
        assert all(len(places) == 1 for places in stage.requested("soon").values())
        later = [record.timestamp / 1_000 - soon for record in stage.seen[SEND_REQUESTED.name]
                 if b'"run_id":"soon"' in record.value and b'"chunk":0' in record.value]
        assert 0 <= min(later) <= max(later) < 10

        await stage.order(Subject("run", "run"), "cancel")      # Whoever is left does not wait for their time to end.
        await stage.until(lambda: complete(stage, 2_000))
        assert all(len(places) == 1 for places in stage.requested().values())


async def waiting(stage: Stage, at: float) -> RunPlanned:
    """A plan of two chunks: that of number 1 is due at once, with 100 recipients, that of number 0 with 200 at `at`."""
    numbers, offsets = iter(range(2)), []
    for count in (200, 100):
        chunker = Chunker("soon", "plan", [], numbers)
        for n in range(count):
            chunker.add(f"p{n}@example.org", None, [])
        offsets += await stage.write(RUN_CHUNK, partition_of("soon", LAYOUT.runs), Record(b"soon", chunker.close()))
    due = [DueChunks(at=0.0, recipients=100, chunks=[1]), DueChunks(at=at, recipients=200, chunks=[0])]
    return RunPlanned(run_id="soon", plan_id="plan", engine="relay", lanes=LANES, spec="d", weight=1.0, chunks=offsets,
                      due=due, deadline=time.time() + 3_600, total=300, skipped=0, planned_at=time.time())
