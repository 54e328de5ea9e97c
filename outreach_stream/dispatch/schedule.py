"""Turns between the runs of an engine: shares by weight, whatever their size, and no credit for having been idle."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from math import inf

from outreach_stream.dispatch.plans import PlanEntry
from outreach_stream.domain.chunks import DueChunks
from outreach_stream.domain.events import RunPlanned


@dataclass(slots=True, eq=False)
class ScheduledRun:
    """A run being expanded, and the next recipient to be requested."""

    plan: RunPlanned
    entry: PlanEntry
    served: float = 0.0
    """Recipients requested since it came, divided by its weight, on the scale of the runs beside it."""
    not_before: float = 0.0
    """When it is tried again, after a failure."""
    _order: list[tuple[int, float]] = field(init=False)
    """Number of each chunk and when it is due, by its place in the plan."""

    def __post_init__(self) -> None:
        groups = self.plan.due or [DueChunks(at=0.0, recipients=0, chunks=list(range(len(self.plan.chunks))))]
        self._order = [(number, group.at) for group in groups for number in group.chunks]

    @property
    def run_id(self) -> str:
        """The run's id."""
        return self.plan.run_id

    @property
    def chunk(self) -> int:
        """Number of the chunk that is next; only while it is not finished."""
        return self._order[self.entry.chunk][0]

    @property
    def due(self) -> float:
        """When it may be expanded."""
        return 0.0 if self.entry.finished else self._order[self.entry.chunk][1]

    def advance(self, count: int, chunk_size: int) -> None:
        """The next `count` recipients of a chunk of `chunk_size` are requested."""
        chunk, index = self.entry.chunk, self.entry.index + count
        if index >= chunk_size:
            chunk, index = chunk + 1, 0
        self.entry = PlanEntry(self.entry.offset, chunk, index, chunk >= len(self.plan.chunks))
        self.served += count / self.plan.weight

    def give_up(self) -> None:
        """Nothing of what is left will be requested."""
        self.entry = replace(self.entry, finished=True)


class Schedule:
    """The unfinished runs of one engine. The one that was served least for its weight is next.

    A new run starts level with the least served: it gets its share at once, and not what others had before it came.
    So does one that wakes. Runs that sleep take no part in the turns, and cost them nothing.
    """

    def __init__(self) -> None:
        self._runs: dict[str, ScheduledRun] = {}
        self._asleep: dict[str, ScheduledRun] = {}

    def __len__(self) -> int:
        return len(self._runs) + len(self._asleep)

    def add(self, run: ScheduledRun) -> None:
        """Enter a run; one that is there already stays as it is."""
        if run.run_id not in self._runs and run.run_id not in self._asleep:
            self._enter([run])

    def _enter(self, runs: Sequence[ScheduledRun]) -> None:
        least = min((other.served for other in self._runs.values()), default=0.0)
        for run in runs:
            run.served = least
            self._runs[run.run_id] = run

    def look(self, asleep: Callable[[ScheduledRun], bool]) -> float:
        """Sort the runs anew into those `asleep` and the others; returns when the first of them wakes by itself."""
        woken = [run for run in self._asleep.values() if not asleep(run)]
        tired = [run for run in self._runs.values() if asleep(run)]
        for run in woken:
            del self._asleep[run.run_id]
        for run in tired:
            self._asleep[run.run_id] = self._runs.pop(run.run_id)
        self._enter(woken)
        return min((min(run.due, run.plan.deadline) for run in self._asleep.values()), default=inf)

    def remove(self, run: ScheduledRun) -> None:
        """It is expanded."""
        self._runs.pop(run.run_id, None)

    def in_turn(self, waiting: Callable[[ScheduledRun], bool]) -> list[ScheduledRun]:
        """The runs in the order in which they may be served; those `waiting` keep level and save nothing up."""
        ready: list[ScheduledRun] = []
        idle: list[ScheduledRun] = []
        for run in self._runs.values():
            (idle if waiting(run) else ready).append(run)
        ready.sort(key=lambda run: (run.served, run.entry.offset))
        if ready:
            for run in idle:
                run.served = max(run.served, ready[0].served)
        return ready
