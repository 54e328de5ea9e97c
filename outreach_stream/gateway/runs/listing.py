"""The list of runs, by when they began: kept in order, so that a page costs what is on it."""

from bisect import bisect_left, insort
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Protocol

from outreach_stream.domain.states import RunState
from outreach_stream.gateway.runs.paging import RunPlace


class Listed(Protocol):
    """What a run is chosen by."""

    @property
    def began(self) -> float:
        """When the run began, in seconds since the epoch."""

    @property
    def workflow(self) -> str:
        """The id of its workflow."""

    @property
    def state(self) -> RunState:
        """Where it stands."""


@dataclass(frozen=True, slots=True)
class Choice:
    """Which runs are wanted."""

    states: Collection[RunState] = ()
    """Those in one of these states; empty: in any."""
    workflow: str | None = None
    since: float | None = None
    until: float | None = None
    """Those that began at `since` or later, and before `until`, in seconds since the epoch; None: whenever."""

    def takes(self, run: Listed) -> bool:
        """Whether a run is wanted that began in that time."""
        return (not self.states or run.state in self.states) and self.workflow in (None, run.workflow)


class Listing:
    """Ids of runs, by when they began.

    Runs that come while somebody pages are newer than his cursor, so that his pages neither repeat nor miss any.
    """

    def __init__(self) -> None:
        self._places: list[RunPlace] = []       # oldest first
        self._began: dict[str, float] = {}

    def put(self, run: str, began: float) -> None:
        """A run, or what is now known of its beginning."""
        if self._began.get(run) != began:
            self.drop(run)
            self._began[run] = began
            insort(self._places, RunPlace(began, run))

    def drop(self, run: str) -> None:
        """Forget a run, if it is known."""
        began = self._began.pop(run, None)
        if began is not None:
            del self._places[bisect_left(self._places, RunPlace(began, run))]

    def page[R: Listed](self, choice: Choice, limit: int, known: Callable[[str], R | None],
                        before: RunPlace | None = None) -> tuple[list[R], RunPlace | None]:
        """The newest wanted runs, of those that come after `before` in the list; and where the next page begins.

        None: there is none. `known` says what is known of a run.
        """
        found = list(islice(self._wanted(choice, known, before), limit + 1))
        page = found[:limit]
        return [run for _, run in page], page[-1][0] if len(found) > limit else None

    def _wanted[R: Listed](self, choice: Choice, known: Callable[[str], R | None], before: RunPlace | None,
                           ) -> Iterator[tuple[RunPlace, R]]:
        last = len(self._places) if before is None else bisect_left(self._places, before)
        if choice.until is not None:
            last = min(last, bisect_left(self._places, RunPlace(choice.until, "")))
        first = 0 if choice.since is None else bisect_left(self._places, RunPlace(choice.since, ""))
        for at in range(last - 1, first - 1, -1):
            place = self._places[at]
            if (run := known(place.run)) is not None and choice.takes(run):
                yield place, run
