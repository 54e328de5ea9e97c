"""When a time of day comes on each recipient's own clock: functions of the time, the zone and a moment."""

from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from typing import Any
from zoneinfo import ZoneInfo, available_timezones

COLUMN = "timezone"
"""What a recipient brings: the name of a zone in the IANA database."""
GRACE = timedelta(hours=1)
"""A time of day that was so short ago is not over yet: a run that is triggered a little late, or right at nine, mails
those whose nine o'clock it is, and does not leave them for tomorrow. As long as a slot may be late by default."""
_DAY = timedelta(days=1)
_REMEMBERED = 4_096
"""Names of zones whose time is kept: there are some 600, and a column may hold anything."""
_LONGEST_SHOWN = 40


@cache
def _names() -> frozenset[str]:
    """The names there are; asking for one that is none is slow, and a column may hold a million of them."""
    return frozenset(available_timezones() - {"localtime"})    # which differs from machine to machine


def zone_named(name: object) -> ZoneInfo | None:
    """The zone of this IANA name; None: it is none."""
    known = isinstance(name, str) and name.strip() in _names()
    return ZoneInfo(str(name).strip()) if known else None


def counted_from(triggered_at: float, slot: str | None, deadline: float) -> datetime:
    """Since when a run's recipients become due: the trigger, or the slot if that is still to come, less `GRACE`.

    A slot that is long over does not make anybody due in the middle of their night. `slot` as the run has it, the times
    in seconds since the epoch. Not later than the deadline, past which it makes no difference.
    """
    begins = datetime.fromtimestamp(triggered_at, UTC)
    if slot is not None:
        begins = max(begins, datetime.fromisoformat(slot))
    return min(begins - GRACE, datetime.fromtimestamp(deadline, UTC))


def next_at(clock: time, zone: ZoneInfo, since: datetime) -> datetime:
    """The first moment from `since` on at which it becomes `clock` in the zone, in UTC.

    Where the clocks change it is as with a schedule: a time of day that is missing on that day comes as soon as the gap
    is over; one that is there twice comes the first time. A date that a zone leaves out (Samoa had no 30 December in
    2011) has no time at all.
    """
    today = since.astimezone(zone).date()
    # From yesterday on: its 23:30 may be the midnight at which a gap ends. To the day after one that is left out.
    return next(at for days in range(-1, 4)
                if (at := _on(today + days * _DAY, clock, zone)) is not None and at >= since)


def _on(day: date, clock: time, zone: ZoneInfo) -> datetime | None:
    """When it becomes `clock` on that date; None: the zone has no such date."""
    first, second = (datetime.combine(day, clock, zone).replace(fold=fold).astimezone(UTC) for fold in (0, 1))
    if first <= second:     # Equal, but where it comes twice.
        return first
    if first - second >= _DAY:
        return None
    # PEP 495: in a gap the two are read by the offsets before and after it, and so lie after and before its moment.
    offset, before, after = first.astimezone(zone).utcoffset(), second, first
    while after - before > timedelta(seconds=1):
        middle = before + timedelta(seconds=(after - before) // timedelta(seconds=2))
        before, after = (before, middle) if middle.astimezone(zone).utcoffset() == offset else (middle, after)
    return after


class LocalTimes:
    """When each recipient of one run is due, and how many had to go by the default zone."""

    def __init__(self, clock: time, default: ZoneInfo, since: datetime) -> None:
        """Due is whoever's clock shows `clock`, from `since` on."""
        self._clock, self._since, self._zone = clock, since, default.key
        self._default = next_at(clock, default, since).timestamp()
        self._known: dict[object, float | None] = {}
        self.without = 0
        """Recipients who brought no zone."""
        self.unknown = 0
        """Recipients whose zone is not known."""
        self._example = ""

    def of(self, variables: Mapping[str, Any]) -> float:
        """Seconds since the epoch from which on a recipient with these variables may be mailed."""
        name = variables.get(COLUMN)
        if not isinstance(name, str):
            name = "" if name is None else str(name)
        try:
            at = self._known[name]
        except KeyError:
            at = self._look_up(name)
        return self._without(name) if at is None else at

    def _look_up(self, name: str) -> float | None:
        if len(self._known) >= _REMEMBERED:
            self._known.clear()
        zone = zone_named(name)
        at = self._known[name] = next_at(self._clock, zone, self._since).timestamp() if zone else None
        return at

    def _without(self, name: str) -> float:
        if name.strip():
            self.unknown += 1
            self._example = self._example or name.strip()[:_LONGEST_SHOWN]
        else:
            self.without += 1
        return self._default

    @property
    def warning(self) -> str | None:
        """What the run's owner is told of those who went by the default zone; None: nobody did."""
        found = [f"{self.without:,} recipients bring no {COLUMN}"] if self.without else []
        if self.unknown:
            found.append(f"{self.unknown:,} bring a {COLUMN} that is not known, such as {self._example!r}")
        return f"{' and '.join(found)}: they go by the clock of {self._zone}" if found else None
