"""How the benchmarks are asked, and how they answer: options that several have, and figures as a table or as JSON."""

import argparse
import json
from collections.abc import Callable, Iterable
from typing import Any


def parser(about: str | None, *, rounds: int | None = None) -> argparse.ArgumentParser:
    """Knows `--json`, and `--rounds` if there is a number of them by default. `about` is the script's docstring."""
    made = argparse.ArgumentParser(description=about, formatter_class=argparse.RawDescriptionHelpFormatter)
    if rounds is not None:
        made.add_argument("--rounds", type=positive, default=rounds,
                          help=f"how often all is measured; medians are told (default: {rounds})")
    made.add_argument("--json", action="store_true", help="print the figures as one JSON value on the last line")
    return made


def positive(text: str) -> int:
    """A whole number, 1 or more. Raises ArgumentTypeError for anything else."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number of 1 or more")
    return int(text)


def counts(text: str) -> list[int]:
    """`1,3`: what to try, each 1 or more. Raises ArgumentTypeError for anything else."""
    return [positive(each) for each in text.split(",")]


def answer(asked: argparse.Namespace, figures: Any, lines: Callable[[], Iterable[str]]) -> None:
    """Print the figures as they are wanted."""
    print(json.dumps(figures) if asked.json else "\n".join(lines()))
