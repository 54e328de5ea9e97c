"""How a run goes on, by what is ordered about it and about the engines that may send it."""

import math
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache

from outreach_stream.dispatch.pacing import LARGEST_SLICE, LEAST_WINDOW, OPEN_WINDOW, Pace
from outreach_stream.dispatch.ports import Orders
from outreach_stream.domain.clock import Clock
from outreach_stream.domain.events import RunPlanned

RATE_KEPT = 1.0
"""Seconds after which a catalog that was changed must be noticed; to look at it costs a visit to its files."""
TRICKLE = 1 / 60
"""Requests a second and lane for an engine that the catalog does not have: its lanes are to notice when it is back,
and to be left alone until then."""


@dataclass(frozen=True, slots=True)
class Course:
    """How much of a run goes at once, how far ahead, and how fast if that is not left to the lanes."""

    pace: Pace
    rate: float = math.inf
    """Recipients a second of all runs with the same `engine` together: lanes that put off or hand on what they are
    given are done with it at once, so that their progress is no measure."""
    engine: str = ""
    """Whose rate it is."""


HURRY = Course(Pace(LARGEST_SLICE, OPEN_WINDOW))
"""Of a run whose rest is to end in the lanes without touching the engine: its rate is no measure."""


@lru_cache(256)
def _paced(rate: float | None, lanes: int, ahead: float) -> Course:
    """Kept: it is asked for every run before every slice."""
    return Course(Pace.of(rate, lanes, ahead))


class Rates:
    """The catalog's rates of engines, each looked up once a second at most."""

    def __init__(self, rate_of: Callable[[str], float | None], clock: Clock) -> None:
        self._rate_of, self._clock = rate_of, clock
        self._known: dict[str, float | None] = {}
        self._ask_again: dict[str, float] = {}

    def of(self, engine: str) -> float | None:
        """Mails a second of an engine that the catalog knows, None: unlimited."""
        return self._known[engine]

    def knows(self, engine: str) -> bool:
        """Whether it is in the catalog now."""
        if (now := self._clock()) >= self._ask_again.get(engine, -math.inf):
            self._ask_again[engine] = now + RATE_KEPT
            self._known.pop(engine, None)
            with suppress(LookupError):
                self._known[engine] = self._rate_of(engine)
        return engine in self._known


@dataclass(frozen=True, slots=True)
class Courses:
    """Decides."""

    orders: Orders
    rates: Rates
    ahead: float
    """Seconds of its rate that an engine's lanes are kept ahead."""

    def of(self, plan: RunPlanned, now: float, due: float = 0.0) -> Course | None:
        """The run's course as things stand; None: it waits. Neither stops its deadline, nor a cancellation.

        `due`: when its next recipients are. Whatever becomes of the engine before then is nothing to them.
        """
        if plan.deadline <= now or self.orders.cancelled(plan.run_id):
            return HURRY
        if due > now or self.orders.paused(plan.run_id):
            return None
        if self._takes(plan.engine):
            return _paced(self.rates.of(plan.engine), len(plan.lanes), self.ahead)
        return self._without_engine(plan)

    def asleep(self, plan: RunPlanned, now: float, due: float) -> bool:
        """Whether it waits for its time, and nothing but its time, its deadline or a cancellation ends that."""
        return due > now and plan.deadline > now and not self.orders.cancelled(plan.run_id)

    def _without_engine(self, plan: RunPlanned) -> Course | None:
        """By the workflow's policy: its engine has stopped, or was taken out of the catalog."""
        if plan.on_engine_stopped == "fail":
            return HURRY
        if plan.on_engine_stopped == "failover" and (engine := next(filter(self._takes, plan.failover), None)):
            rate = self.rates.of(engine)
            slice_ = Pace.of(rate, len(plan.lanes), self.ahead).slice
            return HURRY if rate is None else Course(Pace(slice_, OPEN_WINDOW), rate, engine)
        if self.orders.fuse(plan.engine):
            return None
        return Course(Pace(1, LEAST_WINDOW), TRICKLE * len(plan.lanes), plan.engine)

    def _takes(self, engine: str) -> bool:
        return self.rates.knows(engine) and self.orders.fuse(engine) is None


class Turnstile:
    """Lets so many a second through on each engine's account, and what `ahead` seconds bring at once."""

    def __init__(self, ahead: float) -> None:
        self._ahead = ahead
        self._open_from: dict[str, float] = {}

    def open(self, course: Course, now: float) -> bool:
        """Whether somebody on this course may go now."""
        return self._open_from.get(course.engine, -math.inf) <= now

    def passed(self, course: Course, count: int, now: float) -> None:
        """So many went."""
        if course.rate != math.inf:
            begun = max(self._open_from.get(course.engine, -math.inf), now - self._ahead)
            self._open_from[course.engine] = begun + count / course.rate
