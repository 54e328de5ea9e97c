"""Which slots a schedule has, and which of them are to be triggered now: functions of the schedule and of times.

A slot is the instant that the schedule names. It is *due* then, or at the end of the quiet window that it lies in. A
slot's run is identified by the slot (`domain.identity.run_id`), so triggering one again does no harm: that is why a
ticker needs no memory, and why any number of them may run.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import takewhile
from typing import NamedTuple

from cronsim import CronSim

from outreach_stream.catalog.schedules import WEEKDAYS, QuietWindow, Schedule

ON_TIME = timedelta(seconds=60)
"""A slot that is triggered within this is not late: a ticker may be restarted in the middle of a slot."""
EVER = datetime.min.replace(tzinfo=UTC)
"""Since when somebody has to look who has just started: `ready` knows what is too late."""
_LONGEST_QUIET = timedelta(days=8)
"""Windows one after the other may make a slot wait for a week, and a change of the clocks for an hour more."""


class Slot(NamedTuple):
    """One occasion of a schedule; both in UTC."""

    at: datetime
    due: datetime


def slots(schedule: Schedule, after: datetime) -> Iterator[Slot]:
    """Slots later than `after`, in order, without end for a cron expression.

    Where the clocks change it is as with cron (crontab(5) of Debian): a time of day that is missing on that day comes
    once, as soon as the gap is over; one that is there twice comes once, the first time. An expression whose minutes
    or hours begin with a star goes by the time that passes.
    """
    for at in _instants(schedule, after):
        if schedule.ends and at > schedule.instant(schedule.ends):
            return
        if not schedule.starts or at >= schedule.instant(schedule.starts):
            yield Slot(at.astimezone(UTC), _due(schedule, at).astimezone(UTC))


def to_come(schedule: Schedule, after: datetime) -> Iterator[Slot]:
    """Slots that are due later than `after`, in order; one that waits for the end of a quiet window is among them."""
    back = _LONGEST_QUIET if schedule.quiet else timedelta(0)
    return (slot for slot in slots(schedule, after - back) if slot.due > after)


def ready(schedule: Schedule, since: datetime, now: datetime) -> list[Slot]:
    """Slots to be triggered at `now`, by somebody who last looked at `since`, in order of their times."""
    if not schedule.enabled:
        return []
    lateness = timedelta(seconds=schedule.max_lateness)
    if schedule.catch_up == "none":
        lateness = min(lateness, ON_TIME)
    begun = takewhile(lambda slot: slot.at <= now, to_come(schedule, max(since, now - lateness)))
    found = [slot for slot in begun if slot.due <= now]
    return found[-1:] if schedule.catch_up == "latest" else found


def _instants(schedule: Schedule, after: datetime) -> Iterator[datetime]:
    if schedule.cron is None:
        assert schedule.at is not None
        if (once := schedule.instant(schedule.at)) > after:
            yield once
        return
    last = after
    for at in CronSim(schedule.cron, after.astimezone(schedule.zone)):
        if at.astimezone(UTC) > last.astimezone(UTC):  # each instant once, whatever the clocks do
            last = at
            yield at


def _due(schedule: Schedule, at: datetime) -> datetime:
    """When a slot may begin: after every quiet window that it lies in, or comes to lie in by waiting."""
    due, windows = at.astimezone(schedule.zone), schedule.quiet
    for _ in range(2 * len(WEEKDAYS) * len(windows)):
        ends = [end for window in windows if (end := _end(window, due)) is not None]
        if not ends:
            break
        due = max(ends, key=lambda end: end.astimezone(UTC))
    return due


def _end(window: QuietWindow, at: datetime) -> datetime | None:
    """The end of the window that `at` lies in; None: it lies in none. Compared by the clock on the wall."""
    wall = at.replace(tzinfo=None)
    for back in (0, 1):  # it may have begun yesterday
        day = wall.date() - timedelta(days=back)
        begins, ends = datetime.combine(day, window.begins), datetime.combine(day, window.ends)
        if ends <= begins:
            ends += timedelta(days=1)
        if WEEKDAYS[day.weekday()] in window.days and begins <= wall < ends:
            return ends.replace(tzinfo=at.tzinfo)
    return None
