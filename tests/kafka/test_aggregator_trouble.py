"""What a bad week brings, on a real broker: unknown versions, no place for logs, runs that nobody works on."""

import asyncio
import json
import shutil
from datetime import UTC, datetime

from outreach_stream import topics
from outreach_stream.domain.identity import partition_of
from outreach_stream.streaming.produce import Record, produce
from tests.kafka.aggregator_stage import RUNS, Stage, new_key, publish, trigger


async def test_what_a_newer_version_writes_is_buried_and_says_so(stage: Stage) -> None:
    """In each topic that the aggregator reads; those behind it go on."""
    key, run = new_key()
    partition, newer = partition_of(run, RUNS), {"schema_version": 2, "run_id": run, "mark": key}
    event = {"kind": "planned", "total": 1, "at": 1.0}
    result = {"chunk": 0, "index": 0, "email": "p@example.org", "status": "sent"}
    poison = [
        (topics.RUN_EVENT, newer | event, b"RunEvent: its schema_version is unknown"),
        (topics.RUN_EVENT, newer | {"schema_version": 1, "kind": "p@example.org"}, b"RunEvent: its kind is unknown"),
        (topics.SEND_RESULT, newer | result, b"SendResult: its schema_version is unknown"),
        (topics.RUN_STATUS, newer | {"state": "COMPLETED"}, b"RunStatus: its schema_version is unknown"),
        (topics.WORKFLOW_TRIGGERED, newer | {"workflow_id": 1}, b"WorkflowTriggered: its schema_version is unknown"),
    ]
    stage.start()
    for topic, value, _ in poison:
        await produce(stage.producer, topic.name, partition, [Record(run.encode(), json.dumps(value).encode())])
    await publish(stage.bootstrap, [trigger(key)], keyed=False)
    await stage.until(lambda: stage.admitted()[run])
    await stage.plan(run, 1)
    await stage.send(run, [0])
    await stage.until(lambda: stage.last(run).get("log"))

    def letters() -> dict[tuple[bytes, bytes], bytes]:
        found = (it for it in stage.seen[topics.DEAD_LETTER.name] if key.encode() in it.value)
        return {(dict(it.headers)["source_topic"], it.value): dict(it.headers)["reason"] for it in found}

    await stage.until(lambda: len(letters()) == len(poison))
    for topic, value, reason in poison:
        told = letters()[topic.name.encode(), json.dumps(value).encode()]
        assert reason in told
        assert b"@" not in told


async def test_without_a_place_for_logs_all_else_goes_on_and_logs_come_later(stage: Stage) -> None:
    """As with a folder that is read-only or full: here a file stands where the folder of the day should be."""
    keys = [new_key() for _ in range(5)]
    stage.output.mkdir()
    stage.start()
    await publish(stage.bootstrap, [trigger(key) for key, _ in keys], keyed=False)
    await stage.until(lambda: all(stage.admitted()[run] for _, run in keys))
    day = datetime.fromtimestamp(stage.admitted()[keys[0][1]][0]["admitted_at"], UTC).date()
    in_the_way = stage.output / day.isoformat()
    shutil.rmtree(in_the_way, ignore_errors=True)   # a run of an earlier test, whose worker was killed, may be logged
    in_the_way.write_bytes(b"")
    for _, run in keys:
        await stage.plan(run, 1)
        await stage.send(run, [0])
    await stage.until(lambda: all(stage.last(run)["state"] == "COMPLETED" for _, run in keys))
    await asyncio.sleep(1.5)
    assert not any(stage.last(run).get("log") for _, run in keys)

    in_the_way.unlink()
    await stage.until(lambda: all(stage.last(run).get("log") for _, run in keys))
    assert sorted(it.name for it in in_the_way.iterdir()) == sorted(f"{run}.json" for _, run in keys)


async def test_runs_that_nobody_works_on_are_given_up_by_whoever_comes_back(stage: Stage) -> None:
    """Long after the deadline, a run that was never planned and one whose results never came have FAILED, with logs.

    The worker that comes back finds them by itself: nothing is told of them any more.
    """
    (planned_key, planned), (never_key, never), (key, run) = new_key(), new_key(), new_key()
    worker = stage.start()
    await publish(stage.bootstrap, [trigger(planned_key), trigger(never_key), trigger(key)], keyed=False)
    await stage.until(lambda: stage.admitted().keys() >= {planned, never, run})
    await stage.plan(planned, 3)
    await stage.send(planned, [1])
    await stage.plan(run, 1)
    await stage.send(run, [0])
    await stage.until(lambda: stage.last(planned)["counts"].get("sent") and stage.last(run).get("log"))
    await stage.noted(planned)
    worker.terminate()
    await asyncio.to_thread(worker.wait, 30)
    shutil.rmtree(stage.output)

    stage.start(sweep_every=0.5, sweep_patience=-2.0 * topics.DAY)
    await stage.until(lambda: stage.last(planned).get("log") and stage.last(never).get("log"))
    assert (stage.last(planned)["state"], stage.last(never)["state"]) == ("FAILED", "FAILED")
    assert "of 2 of its 3 recipients no end is known" in stage.last(planned)["reason"]
    assert "never planned before its deadline" in stage.last(never)["reason"]
    assert [it["email"] for it in stage.read_log(stage.last(planned))["recipients"]] == ["p1@example.org"]
    assert stage.last(run)["state"] == "COMPLETED"
