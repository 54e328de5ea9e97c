"""Which replays there may be: decisions on values."""

from typing import cast

import pytest

from outreach_stream.domain.states import RunState
from outreach_stream.gateway.publisher import identified
from outreach_stream.gateway.runs.replays import (
    Replayable,
    overlapping,
    recipients,
    replay_objection,
    replay_trigger,
)
from tests.gateway.records import status

ENDED = status("r", RunState.COMPLETED, total=10, sent=5, failed=2, in_doubt=3)


def new_run(*statuses: str, key: str | None = None) -> str:
    """The run that replays these ends of `ENDED`."""
    chosen = cast("list[Replayable]", list(statuses))
    return identified(replay_trigger(ENDED, chosen, source="test", accept_duplicates=True, key=key))[1]


def test_the_same_choice_is_the_same_run() -> None:
    """In any order and however often; another choice, or a key of one's own, is another run."""
    assert new_run("failed", "expired") == new_run("expired", "failed", "failed")
    assert len({new_run("failed"), new_run("failed", "expired"), new_run("failed", key="again")}) == 3


@pytest.mark.parametrize("state", [RunState.QUEUED, RunState.INITIALIZING, RunState.SENDING, RunState.REFUSED])
def test_a_run_that_has_not_ended_is_not_replayed(state: RunState) -> None:
    """Its recipients may still get the mail; one that was refused has none."""
    assert state.value.lower() in (replay_objection(
        status("r", state, total=1, failed=1), ["failed"], None, lambda _: None) or "").lower()


def test_a_run_that_could_not_be_planned_is_triggered_again() -> None:
    """It has no recipients to replay; the reason of its failure is repeated."""
    failed = status("r", RunState.FAILED, reason="no such table")

    assert "(no such table). Trigger it again" in (replay_objection(failed, ["failed"], None, lambda _: None) or "")


def test_nobody_to_replay_is_said() -> None:
    """A choice of ends that nobody came to names them."""
    assert "cancelled or expired" in (replay_objection(ENDED, ["expired", "cancelled"], None, lambda _: None) or "")
    assert replay_objection(ENDED, ["expired", "failed"], None, lambda _: None) is None
    assert recipients(ENDED, ["expired", "failed"]) == {"expired": 0, "failed": 2}


def test_nobody_is_in_two_replays_by_accident() -> None:
    """Another choice that shares an end with an earlier replay is refused, unless a key of one's own insists."""
    known = {new_run("failed"): status("earlier", RunState.COMPLETED)}.get

    assert new_run("failed") in (replay_objection(ENDED, ["failed", "in_doubt"], None, known) or "")
    assert replay_objection(ENDED, ["failed", "in_doubt"], "mine", known) is None
    assert replay_objection(ENDED, ["in_doubt"], None, known) is None
    assert replay_objection(ENDED, ["failed"], None, known) is None, "the same replay: repeated"


def test_a_replay_that_was_refused_is_no_obstacle() -> None:
    """Nobody was mailed by it."""
    known = {new_run("failed"): status("earlier", RunState.REFUSED)}.get

    assert overlapping(ENDED, ["failed", "in_doubt"], known) is None
