"""`outreach replay` against a real broker."""

import asyncio
import json
import sys
from io import StringIO
from uuid import uuid4

import pytest

from outreach_stream.domain.states import RunState
from outreach_stream.domain.triggers import WorkflowTriggered
from tests.cli.conftest import Outreach
from tests.gateway.records import say, status
from tests.gateway.test_api import triggers


@pytest.fixture
def parent(kafka_topics: str) -> str:
    """A run that has ended: 4 sent, 2 failed, 3 in doubt."""
    run = str(uuid4())
    asyncio.run(say(kafka_topics, status(run, RunState.COMPLETED, log="x.json", total=9, sent=4, failed=2, in_doubt=3)))
    return run


def published(bootstrap: str, run: str) -> list[WorkflowTriggered]:
    return [WorkflowTriggered.model_validate_json(record.value) for record in asyncio.run(triggers(bootstrap, run))]


def test_a_replay_names_the_run_and_the_ends(inside: Outreach, kafka_topics: str, parent: str) -> None:
    """What is published says whom to mail; repeated it is the same run; a dry run publishes nothing."""
    told = []
    for more in (("--dry-run",), (), ()):
        answer = inside("replay", parent, "--json", *more, OUTREACH_KAFKA_BOOTSTRAP=kafka_topics)
        assert answer.returncode == 0, answer.stderr
        told.append(json.loads(answer.stdout))

    assert told[1] == told[2] == told[0] | {"published": True}
    assert told[0]["recipients"] == {"expired": 0, "failed": 2}
    first, _ = published(kafka_topics, told[0]["run_id"])
    assert first.replay is not None
    assert (first.workflow_id, first.source) == ("1", "cli")
    assert (first.replay.run_id, first.replay.statuses, first.replay.accept_duplicates) == (
        parent, ["expired", "failed"], False)


def test_those_in_doubt_need_a_word_where_nobody_can_be_asked(
        inside: Outreach, kafka_topics: str, parent: str) -> None:
    """Exit code 2 and what it means; with --resend-in-doubt they are mailed, duplicates accepted."""
    asked = ("replay", parent, "--status", "in_doubt", "--json")
    refused = inside(*asked, OUTREACH_KAFKA_BOOTSTRAP=kafka_topics)
    accepted = inside(*asked, "--resend-in-doubt", OUTREACH_KAFKA_BOOTSTRAP=kafka_topics)

    assert refused.returncode == 2
    assert "3 are in doubt" in refused.stderr
    assert "--resend-in-doubt" in refused.stderr
    assert accepted.returncode == 0, accepted.stderr
    (event,) = published(kafka_topics, json.loads(accepted.stdout)["run_id"])
    assert event.replay is not None
    assert event.replay.accept_duplicates


class Terminal(StringIO):
    """Somebody sits there."""

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(("answers", "code", "count"), [("y\ny\n", 0, 1), ("y\nn\n", 1, 0), ("n\n", 1, 0)])
def test_on_a_terminal_it_asks(inside: Outreach, kafka_topics: str, parent: str, monkeypatch: pytest.MonkeyPatch,
                               answers: str, code: int, count: int) -> None:
    """First about those in doubt, in plain words, then about all; a no publishes nothing."""
    asked = ("replay", parent, "--status", "failed,in_doubt", "--json")
    dry = inside(*asked, "--dry-run", OUTREACH_KAFKA_BOOTSTRAP=kafka_topics)
    monkeypatch.setattr(sys, "stdin", Terminal(answers))
    answer = inside(*asked, OUTREACH_KAFKA_BOOTSTRAP=kafka_topics)

    assert answer.returncode == code, answer.stderr
    assert "may have got the mail already" in answer.stderr
    assert len(published(kafka_topics, json.loads(dry.stdout)["run_id"])) == count


def test_what_cannot_be_replayed_is_1_and_says_why(inside: Outreach, kafka_topics: str, parent: str) -> None:
    """Unknown, not ended, nobody ended so, in an earlier replay already; an odd status is wrong usage."""
    going, first = str(uuid4()), inside("replay", parent, "--status", "failed", "--json",
                                          OUTREACH_KAFKA_BOOTSTRAP=kafka_topics)
    asyncio.run(say(kafka_topics, status(going, total=3, failed=1),
                    status(json.loads(first.stdout)["run_id"], RunState.COMPLETED)))
    cases = [(("no-such-run",), 1, "Is the id right?"), ((going,), 1, "has not ended"),
             ((parent, "--status", "cancelled"), 1, "nobody to replay"), ((parent,), 1, "a replay of some of them"),
             ((parent, "--key", "insist"), 0, ""), ((parent, "--status", "sent"), 2, "failed,expired"),
             ((parent, "--status", "failed"), 0, "exists already")]
    for arguments, code, says in cases:
        answer = inside("replay", *arguments, OUTREACH_KAFKA_BOOTSTRAP=kafka_topics)

        assert answer.returncode == code, (arguments, answer.stderr)
        assert says in answer.stderr
        assert "Traceback" not in answer.stderr
