"""How the first download of Kafka looks: a bar on a terminal, a few plain lines anywhere else."""

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

from outreach_stream.broker.jars import Report

TITLE = "Downloading Kafka (once)"
LINES = 4
"""Plain lines of a whole download, besides the first."""


@contextmanager
def download_display(console: Console | None = None) -> Iterator[Report]:
    """Gives what `ensure_jars` may report to. Shows nothing when there is nothing to download."""
    console = console or Console(stderr=True)
    if not console.is_terminal:
        yield _Lines(console)
        return
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    progress = Progress(*columns, console=console)
    try:
        yield _Bar(progress)
    finally:
        progress.stop()


class _Bar:
    """Drawn from the first report on."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress

    def __call__(self, here: int, total: int) -> None:
        if not self._progress.tasks:
            self._progress.start()
            self._progress.add_task(TITLE, total=total)
        self._progress.update(self._progress.task_ids[0], completed=here)


class _Lines:
    """One line at the start and one for each further quarter."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._said = -1

    def __call__(self, here: int, total: int) -> None:
        quarter = here * LINES // total
        if quarter > self._said:
            self._said = quarter
            self._console.print(f"{TITLE}: {here / 1e6:.0f} of {total / 1e6:.0f} MB", highlight=False)
