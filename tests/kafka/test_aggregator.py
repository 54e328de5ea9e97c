"""The aggregator on a real broker: triggers become one run, results its end, and kills change nothing of that."""

import asyncio
import json
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import jsonschema
import pytest
from aiokafka import AIOKafkaProducer

from outreach_stream import topics
from outreach_stream.domain.events import RunChunk
from outreach_stream.domain.identity import partition_of, run_id
from outreach_stream.runs.log_schema import log_schema
from outreach_stream.streaming.produce import Record, produce
from tests.kafka.aggregator_stage import RUNS, Stage, new_key, publish, trigger


def check_log(log: dict[str, object], people: int) -> None:
    jsonschema.validate(log, json.loads(log_schema()))
    recipients = log["recipients"]
    assert isinstance(recipients, list)
    assert Counter(it["email"] for it in recipients) == {f"p{number}@example.org": 1 for number in range(people)}


async def test_fifty_equal_triggers_of_three_producers_are_one_run_with_one_log(stage: Stage) -> None:
    """Whatever their keys and partitioners, one run is planned, and its last status names a log of all recipients.

    The first trigger cannot be read: it is kept with the reason, and those behind it go on. That the log is to be
    delivered is noted before it is announced.
    """
    key, run = new_key()
    stage.start()
    await asyncio.gather(
        publish(stage.bootstrap, [b'{"workflow_id": null, "email": "x@y.z"}', *[trigger(key)] * 15], keyed=False),
        publish(stage.bootstrap, [trigger(key, workflow_id="1")] * 20, keyed=True),
        publish(stage.bootstrap, [trigger(key, source="elsewhere", trigger_id="t")] * 15, keyed=True,
                partitioner=lambda key, every, available: every[hash(key) % 2]))
    await stage.until(lambda: stage.last(run)["state"] == "QUEUED")

    await stage.plan(run, 3)
    await stage.send(run, [0, 0, 1])
    await stage.until(lambda: stage.last(run)["counts"].get("sent") == 2)
    await stage.send(run, [0, 2], recovered=True)
    await stage.until(lambda: stage.last(run).get("log"))

    status = stage.last(run)
    assert (status["state"], status["counts"]["sent"]) == ("COMPLETED", 3)
    assert [it["topic"] for it in stage.admitted()[run]] == ["run.admitted"]
    log = stage.read_log(status)
    check_log(log, 3)
    assert log["engine"]["config"]["password"] == "env:RELAY_PASSWORD"
    assert (stage.output / ".undelivered" / run).is_file()
    letter = next(it for it in stage.seen[topics.DEAD_LETTER.name] if it.value.startswith(b'{"workflow_id": null'))
    assert b"workflow_id" in dict(letter.headers)["reason"]
    assert b"x@y.z" not in dict(letter.headers)["reason"]


async def test_no_trigger_however_odd_stops_those_behind_it(stage: Stage) -> None:
    """What no run can come of is kept in the dead letters; of what is too large for them, the beginning."""
    key, run = new_key()
    large = b'{"large": "' + key.encode() + b"x" * 700_000
    odd = [large, trigger(key, workflow_id="w" * 700_000), trigger(key, slot="0001-01-01T00:00:00+14:00"),
           trigger(key, deadline="0001-01-01T00:00:00+14:00"), b"\xff", b"[]"]
    stage.start()
    async with AIOKafkaProducer(bootstrap_servers=stage.bootstrap) as producer:
        for value in [*odd, trigger(key)]:
            await producer.send_and_wait(topics.WORKFLOW_TRIGGERED.name, value, partition=0)
    await stage.until(lambda: stage.admitted()[run])

    letters = [it for it in stage.seen[topics.DEAD_LETTER.name] if key.encode() in it.value]
    assert len(letters) >= 3
    beginning = next(it for it in letters if it.value.startswith(b'{"large'))
    assert dict(beginning.headers)["truncated"] == b"true"


async def test_another_body_under_a_key_is_answered_with_the_first_run(stage: Stage) -> None:
    """Nothing new is planned, and the status says that contents differed."""
    key, run = new_key()
    stage.start()
    await publish(stage.bootstrap, [trigger(key)], keyed=False)
    await stage.until(lambda: stage.last(run)["state"] == "QUEUED")
    await publish(stage.bootstrap, [trigger(key, recipients=[{"email": "ann@example.org"}])], keyed=False)
    await stage.until(lambda: stage.last(run).get("warnings"))

    assert len(stage.admitted()[run]) == 1


async def test_what_cannot_be_run_says_so(stage: Stage) -> None:
    """An unknown workflow is REFUSED and has no log; a run that cannot be planned FAILED and has one, of nobody."""
    key, run = new_key()
    refused = run_id("nine", slot=None, key=key, trigger_id="")
    stage.start()
    await publish(stage.bootstrap, [trigger(key, workflow_id="nine"), trigger(key)], keyed=False)
    await stage.until(lambda: stage.admitted()[run] and stage.last(refused)["state"] == "REFUSED")
    await stage.plan(run, 0, error="no such table: people")
    await stage.until(lambda: stage.last(run).get("log"))

    assert "no workflow has the id" in stage.last(refused)["reason"]
    assert stage.admitted().keys() == {run}
    assert stage.last(run)["state"] == "FAILED"
    log = stage.read_log(stage.last(run))
    check_log(log, 0)
    assert log["run"]["reason"] == "no such table: people"
    assert [it.stem for it in stage.output.rglob("*.json")] == [run]


async def test_skipped_recipients_come_from_the_runs_chunks(stage: Stage) -> None:
    """The log lists them with their reasons, beside those who were mailed."""
    key, run = new_key()
    stage.start()
    await publish(stage.bootstrap, [trigger(key)], keyed=False)
    await stage.until(lambda: stage.admitted()[run])
    chunk = RunChunk(run_id=run, plan_id="p", chunk=0, columns=[], rows=[["p0@example.org", None]],
                     skipped=[("p1@example.org", "suppressed")])
    offsets = await produce(stage.producer, topics.RUN_CHUNK.name, partition_of(run, RUNS),
                            [Record(run.encode(), chunk.encode())])
    await stage.plan(run, 1, skipped=1, chunks=offsets)
    await stage.send(run, [0])
    await stage.until(lambda: stage.last(run).get("log"))

    log = stage.read_log(stage.last(run))
    check_log(log, 2)
    assert log["recipients"][1]["reason"] == "suppressed"


async def test_a_log_that_cannot_be_written_is_tried_again_and_holds_up_no_other(stage: Stage) -> None:
    """As with a full disk: here a folder stands where the file should be, until somebody removes it."""
    (stuck_key, stuck), (key, run) = new_key(), new_key()
    stage.start()
    await publish(stage.bootstrap, [trigger(stuck_key), trigger(key)], keyed=False)
    await stage.until(lambda: stage.admitted().keys() == {stuck, run})
    day = datetime.fromtimestamp(stage.admitted()[stuck][0]["admitted_at"], UTC).date()
    in_the_way = stage.output / day.isoformat() / f"{stuck}.json"
    in_the_way.mkdir(parents=True)
    for ended in (stuck, run):
        await stage.plan(ended, 1)
        await stage.send(ended, [0])
        await stage.until(lambda ended=ended: stage.last(ended)["state"] == "COMPLETED")
    await stage.until(lambda: stage.last(run).get("log"))
    assert not stage.last(stuck).get("log")

    in_the_way.rmdir()
    await stage.until(lambda: stage.last(stuck).get("log"))
    check_log(stage.read_log(stage.last(stuck)), 1)
    assert [it.name for it in in_the_way.parent.iterdir() if it.name.startswith(".")] == []


async def test_a_status_that_comes_late_is_not_the_last_word(stage: Stage) -> None:
    """A process that was frozen thaws and sends what was in its buffer: the last status is told again."""
    key, run = new_key()
    stage.start()
    await publish(stage.bootstrap, [trigger(key)], keyed=False)
    await stage.plan(run, 0)
    await stage.until(lambda: stage.last(run).get("log"))
    for late in (stage.statuses(run)[0], next(it for it in stage.statuses(run) if it["state"] == "COMPLETED")):
        record, before = Record(run.encode(), json.dumps(late).encode()), len(stage.statuses(run))
        await produce(stage.producer, topics.RUN_STATUS.name, partition_of(run, RUNS), [record])
        await stage.until(lambda late=late, before=before:
                          late in stage.statuses(run)[before:-1] and stage.last(run).get("log"))


@pytest.mark.long
async def test_kills_at_any_moment_change_nothing_of_the_end(stage: Stage) -> None:
    """Killed while triggers, results and the log are under way, a run ends with every recipient counted once."""
    people, step = 20_000, 2_500
    key, run = new_key()
    worker = stage.start()
    await publish(stage.bootstrap, [trigger(key)] * 5, keyed=True)
    await stage.until(lambda: stage.admitted()[run])
    worker.kill()
    worker.wait()
    await stage.plan(run, people)
    worker = stage.start()
    for first in range(0, people, step):
        await stage.send(run, range(first, first + step))
        await stage.send(run, range(first, first + step, 50), recovered=True)
        if first == people // 2:
            await stage.until(lambda: stage.last(run)["counts"].get("sent", 0) > 0)
            worker.kill()
            worker.wait()
            worker = stage.start()
    await stage.until(lambda: stage.last(run)["state"] == "COMPLETED")
    worker.terminate()
    assert await asyncio.to_thread(worker.wait, 30) == 0
    stage.start()
    await stage.until(lambda: stage.last(run).get("log"))

    status = stage.last(run)
    assert (status["state"], status["counts"]["sent"]) == ("COMPLETED", people)
    sent = [it["counts"]["sent"] for it in stage.statuses(run)]
    assert sent == sorted(sent)
    check_log(stage.read_log(status), people)


async def test_two_aggregators_share_runs_and_inherit_from_one_another(stage: Stage, tmp_path: Path) -> None:
    """A second one takes over part of the runs half-way, the first one is killed: the copies of both make the end."""
    people, runs = 2_000, dict(new_key() for _ in range(8))
    first = stage.start()
    await publish(stage.bootstrap, [trigger(key) for key in runs], keyed=True)
    await stage.until(lambda: stage.admitted().keys() == set(runs.values()))
    for run in runs.values():
        await stage.plan(run, people)
        await stage.send(run, range(people // 4))
    stage.start(tmp_path / "second")
    for run in runs.values():
        await stage.send(run, range(people // 4, people // 2))
    await stage.until(lambda: all(stage.last(run)["counts"].get("sent") == people // 2 for run in runs.values()))
    await asyncio.sleep(3)          # until the second one has joined
    for run in runs.values():
        await stage.send(run, range(people // 2, people - 1))
    first.kill()
    for run in runs.values():
        await stage.send(run, [people - 1])
    await stage.until(lambda: all(stage.last(run).get("log") for run in runs.values()))

    for run in runs.values():
        status = stage.last(run)
        assert (status["state"], status["counts"]["sent"]) == ("COMPLETED", people)
        check_log(stage.read_log(status), people)
