"""A mail on its way to a courier."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from outreach_stream.delivery.deliver import Delivery, First
from outreach_stream.delivery.item import Item
from outreach_stream.delivery.recorder import Delivered
from outreach_stream.domain.message import OutgoingMessage
from outreach_stream.domain.policy import Policy
from outreach_stream.domain.ports import Brief


class Lookout(Protocol):
    """Knows what is ordered, and is told what is on the wire: a lane's `Knowledge`."""

    def halting(self, item: Item, policy: Policy) -> bool:
        """Whether an order, the engine's state, or the recipient's own word keeps it from going out now."""

    def on_wire(self, item: Item) -> None:
        """It may have been sent from now on."""

    def unit(self) -> bool:
        """Take one of the engine's hourly and daily mails that are ready, if there are any."""


@dataclass(slots=True)
class Parcel:
    """A mail that holds a place, is covered, and was never attempted."""

    item: Item
    brief: Brief
    lookout: Lookout
    delivery: Delivery
    delivered: Callable[[Item, Delivered], None]
    """It was accepted."""
    given_back: Callable[["Parcel", First | None], None]
    """It cannot go at once, or the first attempt came to something else."""
    message: OutgoingMessage | None = None
    started: float = 0.0
    """When its message was composed."""
    began: float = 0.0
    """When it was begun, later when its message was handed over."""
    kept: bool = False
    """Something came up after it was begun: its message was not handed over."""

    def give_back(self, first: First | None = None) -> None:
        """Have it go by itself."""
        if first is None:
            self.item.batch.release(self.item.i)    # a drain need not wait for what is not under way
        self.given_back(self, first)
