"""How far ahead the lanes of an engine are kept: enough never to wait, and little enough for others to get in."""

import math
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Self

from outreach_stream.dispatch.ports import Span
from outreach_stream.domain.identity import CHUNK_SIZE

SLICES_PER_SECOND = 4
LARGEST_SLICE = CHUNK_SIZE
"""Recipients of one run expanded at a time, however fast the engine: a chunk, milliseconds of work between two turns.
Smaller ones cost more: each is a record batch for every lane and a note in the table, and one is awaited at a time."""
OPEN_WINDOW = 2_000
"""Requests per lane ahead of an engine without a limit, or of those that are to end without touching the engine."""
LEAST_WINDOW = 2
"""Requests per lane ahead of a slow engine: one in work, one ready."""
PROBE_AFTER = 10.0
"""Seconds without any progress after which one request per lane goes all the same, to be told how far the lane is:
the report of its last owner may have died with it."""


@dataclass(frozen=True, slots=True)
class Pace:
    """How much at once, and how far ahead."""

    slice: int
    window: int
    """Unfinished requests per lane."""

    @classmethod
    def of(cls, rate: float | None, lanes: int, ahead: float) -> Self:
        """For an engine of `rate` mails a second (None: unlimited) whose lanes are kept `ahead` seconds ahead."""
        if rate is None:
            return cls(LARGEST_SLICE, OPEN_WINDOW)
        return cls(max(1, min(LARGEST_SLICE, int(rate / SLICES_PER_SECOND))),
                   max(LEAST_WINDOW, math.ceil(rate * ahead / lanes)))


@dataclass(frozen=True, slots=True)
class _Unfinished:
    end: int
    count: int
    until: float = math.inf
    """When it is believed to be finished whatever is reported."""


class Backlog:
    """What lies unfinished in the lanes of one engine, as far as this process knows."""

    def __init__(self, finished: Callable[[int], int | None]) -> None:
        self._finished = finished
        self._lanes: dict[int, deque[_Unfinished]] = {}
        self._counts: dict[int, int] = {}
        self._moved_at = -math.inf

    def unfinished(self, lane: int, now: float) -> int:
        """Requests in the lane that were not yet sent, nor otherwise ended or put off."""
        spans, finished = self._lanes.get(lane), self._finished(lane)
        while spans and ((finished is not None and spans[0].end <= finished) or spans[0].until <= now):
            self._counts[lane] -= spans.popleft().count
            self._moved_at = now
        return self._counts.get(lane, 0)

    def put(self, lane: int, span: Span, count: int, *, inherited: int, inherited_until: float, now: float) -> None:
        """Note requests just appended to the lane.

        With the first ones it is seen whether a predecessor left some unfinished: nobody knows how many, so they
        count as `inherited`, until they are finished or `inherited_until`, by which time the engine has sent them.
        """
        if lane not in self._lanes:
            self._lanes[lane], self._counts[lane] = deque(), 0
            finished = self._finished(lane)
            if finished is not None and finished < span.first:
                self._note(lane, _Unfinished(span.first, inherited, inherited_until))
        self._note(lane, _Unfinished(span.end, count))
        self._moved_at = now

    def _note(self, lane: int, unfinished: _Unfinished) -> None:
        self._lanes[lane].append(unfinished)
        self._counts[lane] += unfinished.count

    def stuck(self, now: float) -> bool:
        """Nothing was put or finished for so long that a report may have been lost."""
        return now - self._moved_at >= PROBE_AFTER

    def room(self, lanes: Sequence[int], most: int, window: int, now: float) -> int:
        """How many of the next requests, `most` at most, fit when they go to `lanes`, all different, again and again.

        A lane with room for n is met too often after n rounds, at its place in the next.
        """
        return min(most, *(max(0, window - self.unfinished(lane, now)) * len(lanes) + place
                           for place, lane in enumerate(lanes)))
