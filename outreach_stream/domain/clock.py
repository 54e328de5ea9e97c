"""Time as an argument: what decides asks a clock, so that no test sleeps."""

import time
from collections.abc import Callable
from datetime import UTC, datetime

type Clock = Callable[[], float]
"""Seconds since the epoch."""

wall_clock: Clock = time.time


def iso(seconds: float) -> str:
    """A moment as RFC 3339 in UTC with milliseconds."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
