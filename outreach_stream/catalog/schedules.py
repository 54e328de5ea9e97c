"""When workflows run by themselves: cron expressions or one moment, in a time zone, with rules for being late."""

import re
from datetime import datetime, time
from functools import cached_property
from typing import Annotated, Literal, get_args
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError
from pydantic import AfterValidator, BeforeValidator, Field, JsonValue

from outreach_stream.rules import Ruled, rule
from outreach_stream.values import Duration, Identifier, Line, Strict

CatchUp = Literal["latest", "all", "none"]
"""Of slots that were missed while nobody ticked: the last one, each one, or none."""

Weekday = Literal["MON", "TUE", "WED", "THU", "FRI", "SAT", "SUN"]
WEEKDAYS: tuple[Weekday, ...] = get_args(Weekday)
_CLOCK = re.compile(r"([01]\d|2[0-3]):([0-5]\d)")
_CRON_FIELDS = 5
_FOR_EXAMPLE = 'write for example "0 9 * * MON-FRI"'


def _check_cron(expression: str) -> str:
    if len(expression.split()) != _CRON_FIELDS:
        raise ValueError(f"must have five fields (minute hour day month weekday): {_FOR_EXAMPLE}")
    try:
        next(CronSim(expression, datetime(2024, 1, 1)))  # noqa: DTZ001 - only whether there ever is a slot
    except (CronSimError, StopIteration) as error:
        raise ValueError(f"is no cron expression: {error or 'it never comes true'}: {_FOR_EXAMPLE}") from error
    return expression


def _check_zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (OSError, ValueError, KeyError) as error:  # ZoneInfoNotFoundError is a KeyError
        raise ValueError(_NO_ZONE) from error
    return name


ZoneName = Annotated[str, AfterValidator(_check_zone)]
_NO_ZONE = 'is no time zone: write a name of the IANA database, for example "Europe/Berlin" or "UTC"'


def _clock(value: object) -> object:
    """`"22:00"` of a file as a time of day. YAML reads 22:00 without quotes as a number, which is refused."""
    if isinstance(value, time):
        return value
    found = _CLOCK.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        raise ValueError('must be a time of day in quotes: write for example "22:00"')
    return time(int(found[1]), int(found[2]))


_CLOCK_WRITTEN = Annotated[str, Field(pattern=f"^{_CLOCK.pattern}$")]
TimeOfDay = Annotated[time, BeforeValidator(_clock, json_schema_input_type=_CLOCK_WRITTEN)]


class QuietWindow(Strict):
    """A time of day in which no run begins, in the schedule's zone; it may go over midnight."""

    begins: TimeOfDay = Field(alias="from")
    ends: TimeOfDay = Field(alias="to")
    """Equal to `from`: the whole day."""
    days: tuple[Weekday, ...] = WEEKDAYS
    """Days on which it begins."""


class Schedule(Ruled):
    """When a workflow runs by itself. Exactly one of `cron` and `at`."""

    id: Identifier
    name: Line = ""
    workflow: Identifier
    """The workflow that runs; its recipients come from its query."""
    cron: Annotated[str, AfterValidator(_check_cron)] | None = None
    """Five fields as in crontab(5), read in `timezone`."""
    at: datetime | None = None
    """One moment; without an offset it is read in `timezone`."""
    timezone: ZoneName = "UTC"
    max_lateness: Duration = "1h"  # type: ignore[assignment]  # defaults are validated as they stand in a file
    """Seconds after which a missed slot is not made up for any more."""
    catch_up: CatchUp = "latest"
    """Of the slots that were missed within `max_lateness`: the `latest`, `all`, or `none`."""
    quiet: tuple[QuietWindow, ...] = ()
    """When no run begins: a slot in here waits until the window's end, and is late from then on only."""
    parameters: dict[str, JsonValue] = Field(default={})
    """Of the workflow."""
    starts: datetime | None = None
    """No slot before it: a new schedule makes up for nothing. Without an offset it is read in `timezone`."""
    ends: datetime | None = None
    """No slot after it."""
    enabled: bool = True

    @cached_property
    def zone(self) -> ZoneInfo:
        """The time zone."""
        return ZoneInfo(self.timezone)

    def instant(self, moment: datetime) -> datetime:
        """`moment` with its offset, or read in the schedule's zone."""
        return moment if moment.tzinfo else moment.replace(tzinfo=self.zone)

    @rule()
    def _has_one_rule(self) -> str | None:
        return "give exactly one of cron and at" if (self.cron is None) == (self.at is None) else None

    @rule("max_lateness")
    def _may_be_late(self) -> str | None:
        return "max_lateness must be more than 0s" if self.max_lateness <= 0 else None

    @rule("quiet")
    def _has_time(self) -> str | None:
        never = any(window.begins == window.ends and len(window.days) == len(WEEKDAYS) for window in self.quiet)
        return "quiet leaves no time at all: a window from and to the same time is the whole day" if never else None
