"""The rate that the inbox takes, as a provider has one."""

from collections import deque

_WINDOW = 1.0


class Limit:
    """So many mails in any second, and a refusal for those above: at once, or for a while.

    `wait`: seconds during which nothing more is taken, once there were too many; the refusals tell how many remain.
    """

    def __init__(self, rate: float, wait: float | None = None) -> None:
        self._rate, self._wait = rate, wait
        self._taken: deque[float] = deque()
        self._closed_until = 0.0

    def refusal(self, now: float) -> str | None:
        """The reply to a mail that is too many at `now`, in seconds; None: it is taken, and counted."""
        while self._taken and self._taken[0] <= now - _WINDOW:
            self._taken.popleft()
        if now >= self._closed_until and len(self._taken) < self._rate:
            self._taken.append(now)
            return None
        if self._wait is None:
            return "454 4.7.0 Throttling failure: Maximum sending rate exceeded."
        if now >= self._closed_until:
            self._closed_until = now + self._wait
        return f"451 4.7.1 rate limit exceeded, try again in {max(1, round(self._closed_until - now))} seconds"
