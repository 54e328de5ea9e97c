"""The rate of one engine in this process: a token bucket that a stall cannot fill."""

import asyncio
from collections.abc import Callable
from time import monotonic

WIRE_SHARE = 0.5
"""Part of the burst kept back for the wire: the promise is counted where mails arrive, and a hand-over takes a
varying time. The other part makes up for tokens that were taken late."""

SHARE_POLL = 0.25
"""Seconds after which a waiting mail looks again: the share may have changed."""


class Bucket:
    """At most rate + burst mails in any one-second window, for this process's share of the engine's lanes.

    Each mail waits for its token in turn (first come, first served), and the token is the last thing it waits for.
    """

    def __init__(self, rate: float | None, burst: float | None, clock: Callable[[], float] = monotonic) -> None:
        """`rate` in mails per second, `burst` in mails; a rate of None is no limit."""
        self._engine_rate, self._engine_burst, self._clock = rate, burst or 1.0, clock
        self._rate, self._capacity = 0.0, 1.0
        self._tokens, self._at = 0.0, clock()
        self._paused_until = self._at
        self._turn = asyncio.Lock()

    @property
    def unlimited(self) -> bool:
        """Whether the engine has no rate."""
        return self._engine_rate is None

    def limit(self, rate: float | None, burst: float | None) -> None:
        """The engine's limits have changed; to be followed by `share`."""
        self._engine_rate, self._engine_burst = rate, burst or 1.0

    def share(self, fraction: float) -> None:
        """Own this part of the engine's lanes from now on; begins empty, since a former owner may just have sent."""
        self._rate = (self._engine_rate or 0.0) * fraction
        self._capacity = max(1.0, self._engine_burst * fraction * WIRE_SHARE)
        self._tokens, self._at = 0.0, self._clock()

    def pause(self, seconds: float) -> None:
        """Give no token for so long from now: the provider asked for it. Pauses do not add up."""
        self._paused_until = max(self._paused_until, self._clock() + seconds)

    def wait_time(self) -> float:
        """Seconds until there is a token; 0: now. Infinite without a lane."""
        now = self._clock()
        if now < self._paused_until:
            return self._paused_until - now
        if self.unlimited:
            return 0.0
        self._tokens = min(self._capacity, self._tokens + (now - self._at) * self._rate)
        self._at = now
        if self._tokens >= 1:
            return 0.0
        return (1 - self._tokens) / self._rate if self._rate else float("inf")

    async def take(self) -> None:
        """Wait for a token and take it. Nothing is awaited between the taking and the return."""
        async with self._turn:
            while (wait := self.wait_time()) > 0:  # noqa: ASYNC110 - a time is waited for, no event
                await asyncio.sleep(min(wait, SHARE_POLL))
            if not self.unlimited:
                self._tokens -= 1
