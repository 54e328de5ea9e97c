"""`outreach cancel`, `pause` and `resume` against a real broker, with the test as the workers."""

import asyncio
import json
from pathlib import Path
from subprocess import PIPE
from uuid import uuid4

import pytest

from outreach_stream.cli.order import obeyed
from outreach_stream.domain.states import RunState
from tests.cli.conftest import Outreach, running
from tests.gateway.records import ordered, say, status


def run_at(bootstrap: str, state: RunState = RunState.SENDING, **counts: int) -> str:
    run = str(uuid4())
    asyncio.run(say(bootstrap, status(run, state, **counts)))
    return run


def test_orders_are_in_control_when_the_command_has_ended(inside: Outreach, kafka_topics: str) -> None:
    """Exit code 0 means that Kafka has it; `--json` says what was ordered; a paused run is resumed."""
    run = run_at(kafka_topics, total=10)
    told = []
    for order in ("pause", "resume", "pause", "cancel"):
        answer = inside(order, run, "--json", OUTREACH_KAFKA_BOOTSTRAP=kafka_topics)
        assert answer.returncode == 0, answer.stderr
        assert json.loads(answer.stdout) == {"run_id": run, "ordered": order}
        control = asyncio.run(ordered(kafka_topics))
        told.append((control.paused(run), control.cancelled(run)))

    assert told == [(True, False), (False, False), (True, False), (True, True)]


def test_orders_that_make_no_sense_are_1_and_say_why(inside: Outreach, kafka_topics: str) -> None:
    """Unknown, ended, not paused: nothing is written, and the reason is a sentence."""
    over, going = run_at(kafka_topics, RunState.COMPLETED), run_at(kafka_topics)
    for order, run, says in (("cancel", "no-such-run", "Is the id right?"), ("pause", over, "has ended"),
                             ("resume", going, "not paused")):
        answer = inside(order, run, OUTREACH_KAFKA_BOOTSTRAP=kafka_topics)

        assert answer.returncode == 1
        assert says in answer.stderr
        assert "Traceback" not in answer.stderr
    control = asyncio.run(ordered(kafka_topics))
    assert not any(control.ordered(run) for run in (over, going, "no-such-run"))


def test_a_cancelled_run_is_not_resumed(inside: Outreach, kafka_topics: str) -> None:
    """Cancelling is for good, whether the status says it already or not."""
    run = run_at(kafka_topics)
    inside("cancel", run, OUTREACH_KAFKA_BOOTSTRAP=kafka_topics)

    answer = inside("resume", run, OUTREACH_KAFKA_BOOTSTRAP=kafka_topics)

    assert answer.returncode == 1
    assert "for good" in answer.stderr


@pytest.mark.parametrize(("end", "code"), [(RunState.CANCELLED, 0), (RunState.COMPLETED, 1)])
def test_wait_ends_with_the_run(tmp_path: Path, kafka_topics: str, end: RunState, code: int) -> None:
    """`cancel --wait` returns when the run has ended: 0 if it was cancelled, 1 if it was complete before."""
    run = run_at(kafka_topics, total=10)
    with running(tmp_path, "cancel", run, "--wait", stdout=PIPE,
                 settings={"OUTREACH_KAFKA_BOOTSTRAP": kafka_topics}) as waiting:
        asyncio.run(_cancelled(kafka_topics, run))
        asyncio.run(say(kafka_topics, status(run, end, total=10, sent=10)))
        said, _ = waiting.communicate(timeout=30)

    assert waiting.returncode == code
    assert said == f"Run {run} is {end}: 10 of 10 sent.\n"


async def _cancelled(bootstrap: str, run: str) -> None:
    async with asyncio.timeout(30):
        while not (await ordered(bootstrap)).cancelled(run):
            await asyncio.sleep(0.1)


def test_waiting_has_a_limit(inside: Outreach, kafka_topics: str) -> None:
    """Without workers the order stands, and the command says so instead of waiting for ever."""
    run = run_at(kafka_topics)

    answer = inside("pause", run, "--wait", "--timeout", "1", OUTREACH_KAFKA_BOOTSTRAP=kafka_topics)

    assert answer.returncode == 1
    assert "The order stands" in answer.stderr
    assert asyncio.run(ordered(kafka_topics)).paused(run)


def test_an_order_is_obeyed_when_the_status_says_so() -> None:
    """Cancelled is a state; paused is a flag beside it."""
    going, paused, over = (status("r"), status("r", paused=True), status("r", RunState.CANCELLED))

    assert [obeyed("cancel", each) for each in (going, paused, over)] == [False, False, True]
    assert [obeyed("pause", each) for each in (going, paused)] == [False, True]
    assert [obeyed("resume", each) for each in (going, paused)] == [True, False]
