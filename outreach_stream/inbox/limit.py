"""The rate that the inbox takes, as a provider has one."""

from collections import deque
from typing import NamedTuple

_WINDOW = 1.0


class TooMany(NamedTuple):
    """A refusal because of the rate."""

    wait: float | None
    """Seconds during which nothing is taken; None: the sender is not told."""

    @property
    def reply(self) -> str:
        """In SMTP."""
        if self.wait is None:
            return "454 4.7.0 Throttling failure: Maximum sending rate exceeded."
        return f"451 4.7.1 rate limit exceeded, try again in {round(self.wait)} seconds"


class Limit:
    """So many mails in any second, and a refusal for those above: at once, or for a while.

    `wait`: seconds during which nothing more is taken, once there were too many; the refusals tell how many remain.
    """

    def __init__(self, rate: float, wait: float | None = None) -> None:
        self.rate, self._wait = rate, wait
        self._taken: deque[float] = deque()
        self._closed_until = 0.0

    def refusal(self, now: float) -> str | None:
        """The SMTP reply to a mail that is too many at `now`, in seconds; None: it is taken, and counted."""
        too_many = self.over(now)
        return too_many.reply if too_many else None

    def over(self, now: float) -> TooMany | None:
        """The same, in no protocol's words."""
        while self._taken and self._taken[0] <= now - _WINDOW:
            self._taken.popleft()
        if now >= self._closed_until and len(self._taken) < self.rate:
            self._taken.append(now)
            return None
        if self._wait is None:
            return TooMany(None)
        if now >= self._closed_until:
            self._closed_until = now + self._wait
        return TooMany(max(1.0, self._closed_until - now))
