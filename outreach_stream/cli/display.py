"""How a run looks while it goes on: a live bar on a terminal, a few plain lines anywhere else."""

from collections import deque
from time import monotonic
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn

from outreach_stream.domain.events import RunStatus

RATE_WINDOW = 5.0
"""Seconds over which the rate shown is measured."""

LINE_EVERY = 2.0
"""Seconds between two plain lines of the same state."""


class Pace:
    """Recipients per second, over the last few."""

    def __init__(self) -> None:
        self._seen: deque[tuple[float, int]] = deque()

    def rate(self, at: float, ended: int) -> float:
        """The rate when `ended` recipients have ended at `at` (seconds of any clock that runs)."""
        self._seen.append((at, ended))
        while at - self._seen[0][0] > RATE_WINDOW:
            self._seen.popleft()
        since, before = self._seen[0]
        return (ended - before) / (at - since) if at > since else 0.0


def progress_text(status: RunStatus, rate: float) -> str:
    """Sent, failed and what else there is, the rate and the time that is left."""
    counts, left = status.counts, status.counts.total - status.counts.ended
    said = [f"sent {counts.sent:,}", f"failed {counts.failed:,}"]
    said += [f"{name} {count:,}" for name, count in _counted(status, "expired", "in_doubt", "cancelled", "skipped")]
    said.append(f"{rate:,.0f}/s")
    said += situation(status)
    if rate and left and not situation(status):
        minutes, seconds = divmod(round(left / rate), 60)
        said.append(f"ETA {minutes}:{seconds:02}")
    return " · ".join(said)


def _counted(status: RunStatus, *names: str) -> list[tuple[str, int]]:
    """Those of these counts that are not 0, as people call them."""
    return [(name.replace("_", " "), count) for name in names if (count := getattr(status.counts, name))]


def situation(status: RunStatus) -> list[str]:
    """What is in a run's way."""
    said = ["cancelling"] if status.cancelling else ["paused"] if status.paused else []
    if status.engine_stopped:
        said.append(f"engine {status.engine} stopped: {status.engine_stopped}")
    if status.next_due and not status.cancelling:
        said.append(f"{status.not_due:,} due from {status.next_due[:16].replace('T', ' ')} UTC on")
    return said


class RunDisplay:
    """Shows the statuses of one run as they come: `with RunDisplay() as display: display.show(status)`."""

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or Console()
        self._pace = Pace()
        self._bar = Progress(
            TextColumn("{task.description:<12}"), BarColumn(), TextColumn("{task.completed:,}/{task.total:,}"),
            TextColumn("{task.fields[said]}"), console=self._console, transient=False)
        self._task = self._bar.add_task("QUEUED", total=1, said="")
        self._parent_told = False
        self._last: tuple[list[str], float] = ([], 0.0)

    def __enter__(self) -> Self:
        if self._console.is_terminal:
            self._bar.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        if self._console.is_terminal:
            self._bar.stop()

    def show(self, status: RunStatus) -> None:
        """Show where the run stands now."""
        now = monotonic()
        if status.parent and not self._parent_told:
            self._parent_told = True
            self._console.print(f"It replays run {status.parent}.", highlight=False, soft_wrap=True)
        text = progress_text(status, self._pace.rate(now, status.counts.ended))
        if self._console.is_terminal:
            self._bar.update(self._task, description=status.state, said=text, completed=status.counts.ended,
                             total=max(status.counts.total, 1 if not status.state.terminal else 0))
            return
        stands, (stood, at) = [status.state, *situation(status)], self._last
        if stands != stood or now - at >= LINE_EVERY:
            self._last = (stands, now)
            self._console.print(f"{status.state}: {status.counts.ended:,} of {status.counts.total:,} · {text}",
                                highlight=False, soft_wrap=True)


def closing_lines(status: RunStatus) -> list[str]:
    """The last word on a run, for people."""
    others = [f", {count:,} {name}"
              for name, count in _counted(status, "failed", "expired", "in_doubt", "cancelled", "skipped")]
    lines = [f"{status.state}: {status.counts.sent:,} of {status.counts.total:,} sent{''.join(others)}"]
    if status.reason:
        lines.append(f"Reason: {status.reason}")
    if status.parent:
        lines.append(f"Replay of: {status.parent}")
    lines += [f"Warning: {warning}" for warning in status.warnings]
    if status.counts.possible_duplicates:
        lines.append(f"{status.counts.possible_duplicates} may have been mailed twice; the log marks them.")
    if status.log:
        lines.append(f"Log: {status.log}")
    return lines
