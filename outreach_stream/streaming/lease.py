"""Until when the broker has certainly not given our partitions to somebody else."""

from time import monotonic

RENEWING = frozenset({0, 27})
"""Kafka's error codes of a reply that keeps us a member: accepted; accepted, but rejoin (a rebalance has begun)."""

EXPELLING = frozenset({22, 25, 82})
"""Error codes of a reply that says we are out: illegal generation, unknown member, fenced instance."""

LOST = float("-inf")


class Lease:
    """Valid for `seconds` after the last request that the group's coordinator accepted.

    Three states: valid; stale (too long without a reply: wait, it may come back); lost (the broker answered that we are
    out: drop the work at once). Written by the consumer's thread, read by the main one: one float, so no lock.
    """

    __slots__ = ("seconds", "until")

    def __init__(self, seconds: float = 0.0) -> None:
        self.seconds = seconds
        self.until = LOST

    def heard(self, asked_at: float, error_code: int) -> None:
        """Notes the coordinator's reply to a request sent at `asked_at` (monotonic seconds).

        Not the time of the reply: that may have waited in our socket while the process was frozen.
        """
        if error_code in RENEWING:
            self.until = asked_at + self.seconds
        elif error_code in EXPELLING:
            self.until = LOST

    def end(self) -> None:
        """We leave the group by ourselves: nothing is ours any more, and a reply still under way renews nothing."""
        self.seconds = self.until = LOST

    def valid(self) -> bool:
        """True while nobody else can own our partitions."""
        return monotonic() < self.until

    def lost(self) -> bool:
        """True once the broker said that we are out (and before it ever let us in)."""
        return self.until == LOST
