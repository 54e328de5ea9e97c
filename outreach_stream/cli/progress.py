"""That something is being done: told on a person's terminal, and nowhere else, for programs read what comes of it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console


@contextmanager
def busy(doing: str, console: Console | None = None) -> Iterator[Callable[[str], None]]:
    """Shows `doing` on stderr while the block lasts, and whatever is said of it meanwhile."""
    console = console or Console(stderr=True)
    if not console.is_terminal:
        yield lambda _: None
        return
    with console.status(doing) as status:
        yield status.update


@contextmanager
def counted(what: str, console: Console | None = None) -> Iterator[Callable[[int], None]]:
    """As `busy`, of something that is counted: gives what is to be told how many there are by now."""
    with busy(f"0 {what}", console) as say:
        yield lambda number: say(f"{number:,} {what}")
