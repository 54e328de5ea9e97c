"""What a part of a process says of itself, in numbers."""

from collections.abc import Callable, Iterable
from typing import NamedTuple

from outreach_stream.domain.spread import Spread
from outreach_stream.telemetry.metrics import Metric


class Reading(NamedTuple):
    """One number, or one histogram, as it stands now."""

    metric: Metric
    value: float | Spread
    labels: tuple[str, ...] = ()
    """Values of the metric's labels, in their order."""


type Source = Callable[[], Iterable[Reading]]
"""What a part has to say; called at each scrape, in the part's own event loop. Must not wait."""
