"""What the scenarios gave, run by run, in one file: appended to over many calls, and shown as a table."""

import json
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

COLUMNS = ("what is done to it, in mid-run", "runs", "passed", "people", "lost", "silent", "worst duplicates",
           "in flight", "worst in doubt", "slowest")


@dataclass(frozen=True, slots=True)
class Result:
    """One run of one scenario."""

    seed: int
    scenario: str
    passed: bool
    reason: str
    """Why it did not pass: the first line."""
    seconds: float
    figures: dict[str, int]
    """Empty when it failed before they could be counted."""
    at: str
    """When it ended, RFC 3339."""

    def __str__(self) -> str:
        figures = ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in self.figures.items())
        return f"{'passed' if self.passed else 'FAILED'} in {self.seconds:.0f} s: {figures or self.reason}"


def append(path: Path, result: Result) -> None:
    """Add a line."""
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(asdict(result), ensure_ascii=False) + "\n")


def read(path: Path) -> list[Result]:
    """All lines so far."""
    return [Result(**json.loads(line)) for line in path.read_text("utf-8").splitlines()] if path.exists() else []


def table(results: Iterable[Result]) -> str:
    """Markdown: a row for each scenario, with the worst that was seen of it."""
    rows: defaultdict[str, list[Result]] = defaultdict(list)
    for result in results:
        rows[result.scenario].append(result)
    lines = [COLUMNS, ("---",) + ("--:",) * (len(COLUMNS) - 1), *(_row(name, runs) for name, runs in rows.items())]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _row(name: str, runs: list[Result]) -> tuple[str, ...]:
    def worst(figure: str) -> str:
        return str(max((run.figures[figure] for run in runs if run.figures), default="-"))

    people = sum(run.figures.get("people", 0) for run in runs)
    return (name, str(len(runs)), str(sum(run.passed for run in runs)), f"{people:,}", worst("lost"), worst("silent"),
            worst("duplicates"), worst("in_flight"), worst("in_doubt"), f"{max(run.seconds for run in runs):.0f} s")


def summary(results: Iterable[Result]) -> str:
    """`N passed, N failed`."""
    passed = [result.passed for result in results]
    return f"{sum(passed)} passed, {len(passed) - sum(passed)} failed"
