"""The numbers of a stream app: how much is in work at once, and how long each part of a stop may take."""

from dataclasses import dataclass
from time import monotonic
from typing import Self

NEVER = float("inf")

DRAIN_RESERVE, COMMIT_RESERVE, CLOSE_RESERVE, LEAVE_RESERVE = 5.0, 3.0, 2.0, 1.0
"""Seconds before a stop's deadline by which must have ended: the claimed work; the hooks before the commit; the commit
and every flush; leaving the group."""

FORCE_RESERVE = 1.0
"""Seconds from that deadline to the moment at which the process is ended by force: `Limits.stop`."""

LONGEST_STOP = 28.0
"""Seconds of a whole stop: two less than those after which supervisors usually kill."""

BATCH_BYTES = 512 * 1024
"""Bytes of one produced batch at most, and so of one record. A run's chunk (256 KiB) fits with all around it."""

LINGER_MS = 2
"""Milliseconds a producer waits for company before it sends a record."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of one app. Times in seconds."""

    batch_records: int = 500
    """Records in one batch at most."""
    batch_bytes: int = 256 * 1024
    """Bytes of values in one batch at most (one record may be larger)."""
    load_high: int = 4000
    """Unfinished records of a partition at which it is no longer fetched."""
    load_low: int = 2000
    """Unfinished records of a partition at which it is fetched again."""
    load_bytes: int = 16 * 1024 * 1024
    """Bytes of values of a partition's unfinished records at which it is no longer fetched, until half is finished."""
    drain: float = 25.0
    """Claimed work may take so long to end when partitions leave: longer than the slowest call."""
    commit: float = 10.0
    """A flush and a commit may take so long together. With `drain` it must fit into the rebalance timeout."""
    stop: float = LONGEST_STOP
    """A stop as a whole: drain, commit, leaving the group, closing connections, and by force if need be."""
    fetch_wait: float = 0.25
    """The broker may hold a fetch back so long while it has little to give."""

    @classmethod
    def of_drain(cls, seconds: float) -> Self:
        """A drain of so long, and a stop that takes no longer than it needs for that."""
        return cls(drain=seconds, stop=min(LONGEST_STOP, seconds + DRAIN_RESERVE + FORCE_RESERVE))


class StopClock:
    """One deadline for a whole stop: every part asks it how long it may still take."""

    def __init__(self) -> None:
        self.deadline = NEVER

    def start(self, seconds: float) -> None:
        """The stop begins now; later calls change nothing."""
        if not self.started():
            self.deadline = monotonic() + seconds

    def started(self) -> bool:
        """True once the stop has begun."""
        return self.deadline != NEVER

    def left(self, limit: float, *, reserve: float) -> float:
        """Seconds a part may take: its own `limit`, and no later than `reserve` seconds before the deadline."""
        return max(0.0, min(limit, self.deadline - reserve - monotonic()))
