"""What came of a run in all: its ends by reason, and how many there were when. A fold over its results."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson
from pydantic import BaseModel

from outreach_stream.domain.clock import iso
from outreach_stream.domain.identity import CHUNK_SIZE
from outreach_stream.domain.marks import STATUS_OF
from outreach_stream.domain.states import SENDING_ENDS, RecipientStatus
from outreach_stream.gateway.runs.results import Found
from outreach_stream.runs.results import MalformedResultError, read_result

GROUPS = 200
"""Reasons that are told apart; those beyond are one group for each status."""

OTHERS = "other reasons"
"""The reason of that group."""

REASON_LIMIT = 100
"""Characters of a reason that names a group."""

BUCKETS = 120
"""Points of a chart at most; what comes beyond makes them wider."""

WIDTHS = (1, 2, 10, 20, 60, 120, 600, 1_200, 3_600, 7_200, 14_400, 43_200, 86_400)
"""Seconds of a point: each is a multiple of the one before. Beyond the last they double."""

_EARLIEST, _LATEST = 1e9, 4e9
_STRENGTH = {status: place for place, status in enumerate(STATUS_OF.values())}


class OutcomeGroup(BaseModel):
    """Recipients that ended alike."""

    status: RecipientStatus
    reason: str | None
    """The short code before the provider's words; null: none was given."""
    count: int
    example_send_id: str
    """One of them."""


class Point(BaseModel):
    """How many recipients came to their ends in `seconds` from `at` on."""

    at: str
    seconds: int
    sent: int = 0
    failed: int = 0
    in_doubt: int = 0
    expired: int = 0
    cancelled: int = 0


class Outcomes(BaseModel):
    """What came of a run so far."""

    groups: list[OutcomeGroup]
    """The largest first. Each recipient is counted once, under the strongest of what was said of it."""
    timeline: list[Point]
    """Without gaps. Each recipient is counted once, under what was said of it first."""
    complete: bool
    """Whether all is read that there was; else ask again, and more is."""


class Timeline:
    """Counts ends by when they came, in BUCKETS points of equal width at most."""

    def __init__(self) -> None:
        self._width = WIDTHS[0]
        self._points: dict[int, dict[RecipientStatus, int]] = {}
        self._first = self._last = 0

    def add(self, status: RecipientStatus, at: float) -> None:
        """One more end, at that moment (seconds since the epoch)."""
        number = int(at // self._width)
        if not self._points:
            self._first = self._last = number
        self._first, self._last = min(self._first, number), max(self._last, number)
        while self._last - self._first >= BUCKETS:
            self._widen()
        point = self._points.setdefault(int(at // self._width), {})
        point[status] = point.get(status, 0) + 1

    def _widen(self) -> None:
        wider = next((width for width in WIDTHS if width > self._width), 2 * self._width)
        factor, narrow = wider // self._width, self._points
        self._width, self._points = wider, {}
        self._first, self._last = self._first // factor, self._last // factor
        for number, counts in narrow.items():
            point = self._points.setdefault(number // factor, {})
            for status, count in counts.items():
                point[status] = point.get(status, 0) + count

    def points(self) -> list[Point]:
        """From the first end to the last one."""
        if not self._points:
            return []
        return [Point(at=iso(number * self._width), seconds=self._width,
                      **{status.value: count for status, count in self._points.get(number, {}).items()})
                for number in range(self._first, self._last + 1)]


@dataclass(slots=True)
class _Group:
    status: RecipientStatus
    reason: str | None
    example: str
    count: int = 0


class Tallied:
    """Folds a run's results, in their order. Its memory is a byte for each recipient, and GROUPS groups."""

    def __init__(self, run: str) -> None:
        self._run = run
        self._groups: list[_Group] = []
        self._numbers: dict[tuple[RecipientStatus, str | None], int] = {}
        self._group_of: dict[int, bytearray] = {}       # by chunk: for each recipient its group's number + 1; 0: none
        self._timeline = Timeline()

    def take(self, batch: Sequence[Found]) -> None:
        """Count these results; those that cannot be read are passed over."""
        for found in batch:
            try:
                result = read_result(found.value, found.offset)
            except MalformedResultError:
                continue
            if result.run_id == self._run:
                body = orjson.loads(found.value)
                self._count(STATUS_OF[result.mark], result.chunk, result.index, body)

    def _count(self, status: RecipientStatus, chunk: int, index: int, body: dict[str, Any]) -> None:
        groups = self._group_of.get(chunk)
        if groups is None:
            groups = self._group_of[chunk] = bytearray(CHUNK_SIZE)
        if before := groups[index]:
            weaker = self._groups[before - 1]
            if _STRENGTH[weaker.status] <= _STRENGTH[status]:
                return
            weaker.count -= 1
        elif status in SENDING_ENDS and (at := _seconds(body.get("finished_at"))) is not None:
            self._timeline.add(status, at)
        number = self._number(status, _code(body.get("reason")), str(body.get("send_id")))
        self._groups[number].count += 1
        groups[index] = number + 1

    def _number(self, status: RecipientStatus, reason: str | None, send_id: str) -> int:
        number = self._numbers.get((status, reason))
        if number is None and len(self._groups) >= GROUPS:
            reason = OTHERS
            number = self._numbers.get((status, reason))
        if number is None:
            number = self._numbers[status, reason] = len(self._groups)
            self._groups.append(_Group(status, reason, send_id))
        return number

    def outcomes(self, *, complete: bool) -> Outcomes:
        """What came of it so far."""
        groups = sorted((group for group in self._groups if group.count), key=lambda group: -group.count)
        return Outcomes(complete=complete, timeline=self._timeline.points(), groups=[
            OutcomeGroup(status=group.status, reason=group.reason, count=group.count, example_send_id=group.example)
            for group in groups])


def _code(reason: object) -> str | None:
    """The short code before the provider's words."""
    return reason.partition(": ")[0][:REASON_LIMIT] if isinstance(reason, str) and reason else None


def _seconds(stamp: object) -> float | None:
    """None for what is no time, or is far off: it would leave a chart one point for all others."""
    try:
        at = datetime.fromisoformat(stamp).timestamp() if isinstance(stamp, str) else 0.0
    except ValueError:
        return None
    return at if _EARLIEST < at < _LATEST else None
