"""The lanes of an engine: which partitions of `send.requested` its mails are spread over."""

from typing import Protocol

from outreach_stream.domain.identity import lanes_of_engine


class Limits(Protocol):
    """What lanes depend on; an engine's configuration has it."""

    @property
    def id(self) -> str:
        """The engine."""

    @property
    def lanes(self) -> int | None:
        """Lanes asked for; None: as many as the layout has."""

    @property
    def effective_burst(self) -> float | None:
        """Mails that may go at once; None: no limit."""

    @property
    def hourly(self) -> int | None:
        """Mails in any hour; None: no cap."""

    @property
    def daily(self) -> int | None:
        """Mails in any day; None: no cap."""


def default_burst(rate: float) -> float:
    """Mails that may go at once above a rate, unless a catalog says otherwise."""
    return max(1.0, rate / 10)


def lanes_for(engine: Limits, partitions: int) -> list[int]:
    """The engine's lanes in a layout of so many partitions. It is layout: change it only when drained.

    Every lane may come to be served by a process of its own, which then has the lane's share of the burst, of which
    half is for the wire (see `delivery.bucket`), and its share of the caps. A share below one mail could not be kept:
    fewer lanes then, one at least.
    """
    count = min(cap for cap in (engine.lanes or partitions, engine.hourly, engine.daily) if cap is not None)
    if engine.effective_burst is not None:
        count = min(count, max(1, int(engine.effective_burst / 2)))
    return lanes_of_engine(engine.id, partitions, count)
