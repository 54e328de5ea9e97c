import asyncio
from typing import Protocol

from outreach_stream.inbox.modes import Mode
from outreach_stream.inbox.rules import Fate


class Guest(Protocol):
    """Whoever holds a connection."""

    transport: asyncio.Transport


class Mailroom(Protocol):
    """What a session asks of the inbox it belongs to."""

    extensions: tuple[str, ...]
    max_size: int
    latency: float
    """Seconds by which every reply is late."""
    pace: float
    """Seconds between the bytes of `trickle` and the pieces of `sip`."""
    credentials: tuple[str, str] | None
    """Name and password; None: everybody may send."""
    attempts: int
    """How often a mail was offered so far; a session counts it."""

    def current_mode(self) -> Mode:
        """How everybody is treated now."""

    def judge(self, recipient: str) -> Fate:
        """What happens to mail for `recipient`, this time."""

    def receive(self, began: float, sender: str, recipient: str, content: bytes, *, answered: bool) -> int:
        """Record a mail, and return its number."""

    def now(self) -> float:
        """Seconds since the epoch."""

    def opened(self, session: Guest) -> None:
        """A connection was made."""

    def closed(self, session: Guest) -> None:
        """It is gone."""
