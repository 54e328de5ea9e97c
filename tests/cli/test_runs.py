"""`outreach trigger` and `outreach watch` against a real broker."""

import asyncio
import json
from pathlib import Path
from subprocess import PIPE
from uuid import uuid4

from aiokafka import AIOKafkaProducer

from outreach_stream.domain.events import RunStatus
from outreach_stream.domain.states import Counts, RunState
from outreach_stream.topics import RUN_STATUS
from tests.cli.conftest import Outreach, running


def status(run: str, state: RunState, log: str | None = None, **counts: int) -> RunStatus:
    return RunStatus(run_id=run, workflow_id="1", state=state, source="test", log=log, counts=Counts(**counts),
                     states={RunState.QUEUED: "2026-01-01T00:00:00Z"}, updated_at="2026-01-01T00:00:00Z")


def say(bootstrap: str, *statuses: RunStatus) -> None:
    async def publish() -> None:
        async with AIOKafkaProducer(bootstrap_servers=bootstrap, acks="all") as producer:
            for each in statuses:
                await producer.send_and_wait(RUN_STATUS.name, each.encode(), key=each.run_id.encode())
    asyncio.run(publish())


def test_trigger_prints_one_object_and_the_same_slot_is_the_same_run(outreach: Outreach, kafka_topics: str) -> None:
    """`--json` prints one JSON object with run_id; a repeated slot, spelt differently, is the same run."""
    runs = []
    for slot in ("2031-05-01T09:00Z", "2031-05-01T11:00+02:00"):
        answer = outreach("trigger", "1", "--slot", slot, "--param", "discount=20", "--param", "city=Zürich",
                          "--recipient", "ann@example.com=Ann Lee", "--json", OUTREACH_KAFKA_BOOTSTRAP=kafka_topics)
        assert answer.returncode == 0, answer.stderr
        (line,) = answer.stdout.splitlines()
        runs.append(json.loads(line)["run_id"])

    assert runs[0] == runs[1]


def test_watch_of_a_completed_run_is_0(outreach: Outreach, kafka_topics: str) -> None:
    """A run that has ended and is logged is shown with its counts and log; exit code 0."""
    run = str(uuid4())
    say(kafka_topics, status(run, RunState.COMPLETED, "output/x.json", total=3, sent=2, failed=1))

    answer = outreach("watch", run, OUTREACH_KAFKA_BOOTSTRAP=kafka_topics)

    assert answer.returncode == 0, answer.stderr
    assert "COMPLETED: 2 of 3 sent" in answer.stdout
    assert "output/x.json" in answer.stdout


def test_watch_as_json_follows_a_run_to_its_failure(tmp_path: Path, kafka_topics: str) -> None:
    """Every status is a line, the last one the end; a failed run is exit code 1."""
    run = str(uuid4())
    say(kafka_topics, status(run, RunState.SENDING, total=3))
    with running(tmp_path, "watch", run, "--json", stdout=PIPE,
                 settings={"OUTREACH_KAFKA_BOOTSTRAP": kafka_topics}) as watching:
        assert watching.stdout is not None
        assert json.loads(watching.stdout.readline())["state"] == "SENDING"

        say(kafka_topics, status(run, RunState.FAILED, total=3), status(run, RunState.FAILED, "output/y.json", total=3))
        rest, _ = watching.communicate(timeout=30)

    assert json.loads(rest.splitlines()[-1])["log"] == "output/y.json"
    assert watching.returncode == 1


def test_watch_of_an_unknown_run_is_1_and_says_what_to_check(outreach: Outreach, kafka_topics: str) -> None:
    """A mistyped id ends after a few seconds, instead of waiting for ever."""
    answer = outreach("watch", "no-such-run", OUTREACH_KAFKA_BOOTSTRAP=kafka_topics)

    assert answer.returncode == 1
    assert "Is the id right?" in answer.stderr


def test_trigger_wait_ends_with_the_run(tmp_path: Path, kafka_topics: str) -> None:
    """`--wait` names the run, follows it, and exits with its outcome."""
    with running(tmp_path, "trigger", "1", "--key", uuid4().hex, "--wait", stdout=PIPE,
                 settings={"OUTREACH_KAFKA_BOOTSTRAP": kafka_topics, "PYTHONUNBUFFERED": "1"}) as waiting:
        assert waiting.stdout is not None
        run = waiting.stdout.readline().split()[-1]

        say(kafka_topics, status(run, RunState.REFUSED))
        waiting.communicate(timeout=30)

    assert waiting.returncode == 1
