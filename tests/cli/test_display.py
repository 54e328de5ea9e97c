"""How a run is shown, and how its end becomes an exit code."""

from io import StringIO
from typing import Any

import pytest
from rich.console import Console

from outreach_stream.cli.display import Pace, RunDisplay, closing_lines, progress_text
from outreach_stream.cli.watch import outcome, over
from outreach_stream.domain.events import RunStatus
from outreach_stream.domain.states import Counts, RunState


def status(state: RunState = RunState.SENDING, log: str | None = None, *, said: dict[str, Any] | None = None,
           **counts: int) -> RunStatus:
    return RunStatus(run_id="r", workflow_id="1", state=state, source="test", log=log, counts=Counts(**counts),
                     updated_at="2026-01-01T00:00:00Z", **(said or {}))


def test_the_rate_is_that_of_the_last_seconds() -> None:
    """A burst long ago does not flatter the rate shown now."""
    pace = Pace()
    pace.rate(0.0, 0)
    pace.rate(1.0, 1_000)
    pace.rate(10.0, 1_000)

    assert pace.rate(12.0, 1_100) == 50.0


def test_progress_says_sent_failed_rate_and_what_is_left() -> None:
    """Sent, failed, rate and ETA are shown; kinds that did not occur are not."""
    text = progress_text(status(total=1_000, sent=380, failed=20), rate=100.0)

    assert text == "sent 380 · failed 20 · 100/s · ETA 0:06"


def test_what_is_in_a_runs_way_is_said_instead_of_an_eta() -> None:
    """Paused, being cancelled, its engine stopped and why: whoever watches need not wonder."""
    paused, stopped, cancelling = (
        progress_text(status(total=10, sent=4, said=said), rate=2.0) for said in (
            {"paused": True}, {"engine": "relay", "engine_stopped": "bad key"}, {"cancelling": True, "paused": True}))

    assert paused == "sent 4 · failed 0 · 2/s · paused"
    assert stopped == "sent 4 · failed 0 · 2/s · engine relay stopped: bad key"
    assert cancelling == "sent 4 · failed 0 · 2/s · cancelling"


def test_whoever_is_not_due_yet_is_no_matter_of_the_rate() -> None:
    """With `local_time` it says how many wait, and for what; an ETA would be a guess. Cancelled, nobody waits."""
    said = {"next_due": "2026-03-01T17:00:00.000Z", "not_due": 1_200}
    waiting, cancelling = (progress_text(status(total=2_000, sent=800, said=said | more), rate=2.0)
                           for more in ({}, {"cancelling": True}))

    assert waiting == "sent 800 · failed 0 · 2/s · 1,200 due from 2026-03-01 17:00 UTC on"
    assert cancelling == "sent 800 · failed 0 · 2/s · cancelling"


def test_a_pause_is_a_line_at_once_and_a_replay_names_its_parent() -> None:
    """Where there is no terminal, what changes about a run is not swallowed by the pace of the lines."""
    out = StringIO()
    with RunDisplay(Console(file=out)) as display:
        for said in ({}, {}, {"paused": True}, {}):
            display.show(status(total=10, said=said | {"parent": "p"}))

    assert [line.count("paused") for line in out.getvalue().splitlines()] == [0, 0, 1, 0]
    assert out.getvalue().splitlines()[0] == "It replays run p."
    assert "Replay of: p" in closing_lines(status(RunState.COMPLETED, said={"parent": "p"}))


def test_elsewhere_than_on_a_terminal_there_are_plain_lines() -> None:
    """No escape codes in a file, and one line for each state at least."""
    out = StringIO()
    with RunDisplay(Console(file=out)) as display:
        display.show(status(total=10))
        display.show(status(RunState.COMPLETED, total=10, sent=10))

    assert [line.split(":")[0] for line in out.getvalue().splitlines()] == ["SENDING", "COMPLETED"]
    assert "\x1b" not in out.getvalue()


@pytest.mark.parametrize(("state", "log", "ended"), [
    (RunState.SENDING, None, False), (RunState.COMPLETED, None, False), (RunState.COMPLETED, "x.json", True),
    (RunState.FAILED, "x.json", True), (RunState.REFUSED, None, True),
])
def test_a_run_is_over_when_its_log_is_written(state: RunState, log: str | None, *, ended: bool) -> None:
    """A terminal state is not the end before the log is there; a refused run has none."""
    assert over(status(state, log)) is ended


@pytest.mark.parametrize(("state", "code"), [
    (RunState.COMPLETED, 0), (RunState.FAILED, 1), (RunState.CANCELLED, 1), (RunState.REFUSED, 1),
])
def test_exit_codes(state: RunState, code: int) -> None:
    """Only a completed run is a success to scripts."""
    assert outcome(status(state)) == code


def test_the_last_word_names_possible_duplicates() -> None:
    """Mails that may have gone out twice are said aloud."""
    lines = closing_lines(status(RunState.COMPLETED, "out.json", total=3, sent=3, possible_duplicates=1))

    assert lines == ["COMPLETED: 3 of 3 sent", "1 may have been mailed twice; the log marks them.", "Log: out.json"]
