"""The places at a desk that a lane's requests hold."""

from outreach_stream.delivery.desk import Desk
from outreach_stream.delivery.item import ItemKey


class Slot:
    """A place at a desk, given up while nothing is on the wire."""

    __slots__ = ("_desk", "_express", "_held")

    def __init__(self, desk: Desk, *, express: bool = False) -> None:
        self._desk, self._express, self._held = desk, express, False

    @property
    def at_hand(self) -> bool:
        """Whether it need not be waited for."""
        return self._desk.places.at_hand(express=self._express)

    async def take(self) -> None:
        """Wait for a place."""
        await self._desk.places.take(express=self._express)
        self._held = True

    def take_nowait(self) -> bool:
        """Take a place, if one need not be waited for."""
        self._held = self._desk.places.take_nowait(express=self._express)
        return self._held

    def give(self) -> None:
        """Leave the place; nothing if there is none."""
        if self._held:
            self._held = False
            self._desk.places.give()


class Slots:
    """Those of one lane, by request."""

    def __init__(self, desk: Desk, *, express: bool) -> None:
        self._desk, self._express = desk, express
        self._of: dict[ItemKey, Slot] = {}

    async def take(self, key: ItemKey) -> Slot:
        """Wait for a place for a request."""
        slot = self._of[key] = Slot(self._desk, express=self._express)
        await slot.take()
        return slot

    def take_nowait(self, key: ItemKey) -> bool:
        """Take a place for a request, if one need not be waited for."""
        slot = Slot(self._desk, express=self._express)
        if taken := slot.take_nowait():
            self._of[key] = slot
        return taken

    def of(self, key: ItemKey) -> Slot | None:
        """What the request has; None: it has none, or the lane was closed."""
        return self._of.get(key)

    def leave(self, key: ItemKey) -> None:
        """Give up a request's place, if it has one."""
        if slot := self._of.pop(key, None):
            slot.give()

    def leave_all(self) -> None:
        """Give up all."""
        for key in list(self._of):
            self.leave(key)
