"""Time as an argument: what decides asks a clock, so that no test sleeps."""

import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import lru_cache
from typing import Annotated

from pydantic import AfterValidator, AwareDatetime, BeforeValidator, Field

type Clock = Callable[[], float]
"""Seconds since the epoch."""

wall_clock: Clock = time.time


@lru_cache(maxsize=64)  # what happens in a group happens at one moment
def iso(seconds: float) -> str:
    """A moment as RFC 3339 in UTC with milliseconds."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _aware(value: object) -> object:
    """A time without a zone is UTC: foreign producers forget it, and a local guess would make two runs of one."""
    try:
        moment = datetime.fromisoformat(value) if isinstance(value, str) else value
    except ValueError:
        raise ValueError("must be a time like 2026-03-01T09:00Z") from None     # python's own repeats the value
    return moment.replace(tzinfo=UTC) if isinstance(moment, datetime) and moment.tzinfo is None else moment


def _in_utc(moment: datetime) -> datetime:
    """At both ends of the calendar there are local times that UTC has none for."""
    try:
        moment.astimezone(UTC)
    except OverflowError:
        raise ValueError("must be a time between the years 1 and 9999 in UTC") from None
    return moment


Moment = Annotated[AwareDatetime, BeforeValidator(_aware), AfterValidator(_in_utc)]
"""An instant in an event."""
Stamp = Annotated[str, Field(json_schema_extra={"format": "date-time"})]
"""An instant in an event of ours that others read, as `iso` writes it."""
