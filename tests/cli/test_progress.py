"""That something is being done is told on a terminal, and nowhere else."""

import io

from rich.console import Console

from outreach_stream.cli.progress import busy, counted


def test_a_terminal_sees_how_far_it_is() -> None:
    """What is being done, and how many there are by now; it is wiped away at the end."""
    terminal = Console(file=io.StringIO(), force_terminal=True, width=80, legacy_windows=False)
    with counted("rows read", terminal) as tell:
        tell(123_456)
    with busy("Creating topics …", terminal):
        pass

    shown = terminal.file.getvalue()  # type: ignore[attr-defined]
    assert "rows read" in shown
    assert "Creating topics …" in shown
    assert "\x1b[2K" in shown, "the line is cleared"


def test_a_pipe_sees_nothing() -> None:
    """A program that reads the command's answer, or its errors, is told nothing else."""
    pipe = Console(file=io.StringIO(), force_terminal=False)
    with counted("rows read", pipe) as tell:
        tell(5)

    assert pipe.file.getvalue() == ""  # type: ignore[attr-defined]
