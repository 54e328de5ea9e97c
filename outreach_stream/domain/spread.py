"""How long things took: counts by upper bound, in plain numbers, cheap enough for every mail."""

from bisect import bisect_left
from collections.abc import Iterator, Sequence

LATENCIES = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
"""Upper bounds for waiting on others, in seconds."""
INSTANTS = (0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.05, 0.25)
"""Upper bounds for work of our own, in seconds."""


class Spread:
    """A histogram. To note a value costs a quarter of a microsecond."""

    __slots__ = ("_counts", "bounds", "total")

    def __init__(self, bounds: Sequence[float] = LATENCIES) -> None:
        """`bounds`: ascending; what is above the last is counted, too."""
        self.bounds = bounds
        self.total = 0.0
        """The sum of all values."""
        self._counts = [0] * (len(bounds) + 1)

    def note(self, value: float, times: int = 1) -> None:
        """Count a value, so many times; one below 0 (a clock that was set back) counts as 0."""
        value = max(value, 0.0)
        self._counts[bisect_left(self.bounds, value)] += times
        self.total += value * times

    def cumulative(self) -> Iterator[tuple[float, int]]:
        """Upper bound, and how many were at most that; the last bound is infinite."""
        count = 0
        for bound, more in zip((*self.bounds, float("inf")), self._counts, strict=True):
            count += more
            yield bound, count

    @property
    def count(self) -> int:
        """How many there were."""
        return sum(self._counts)
