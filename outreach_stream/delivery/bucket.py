"""The rate of one engine in this process: a token bucket that a stall cannot fill."""

import asyncio
import sys
from collections.abc import Callable
from math import inf
from time import monotonic
from typing import NamedTuple

from outreach_stream.delivery.turns import Turns

WIRE_SHARE = 0.5
"""Part of the burst kept back for the wire: the promise is counted where mails arrive, and a hand-over takes a
varying time. The other part makes up for tokens that were taken late."""


class Gauge(NamedTuple):
    """A bucket as it stands."""

    tokens: float
    """Mails that could go at once."""
    rate: float
    """Mails per second that this process may send."""
    factor: float
    """The part of its share that this is."""
    pause: float
    """Seconds for which nothing goes."""


class Bucket:
    """At most rate + burst mails in any one-second window, for this process's share of the engine's lanes.

    Each mail waits for its token in turn, and the token is the last thing it waits for. Whose turn it is, express or
    bulk, is decided when the token is there: an express mail need not wait for the one that came before it.
    """

    def __init__(self, rate: float | None, burst: float | None, clock: Callable[[], float] = monotonic) -> None:
        """`rate` in mails per second, `burst` in mails; a rate of None is no limit."""
        self._clock = clock
        self.limit(rate, burst)
        self._rate, self._factor, self._capacity = 0.0, 1.0, 1.0
        self._tokens, self._at = 0.0, clock()
        self._paused_until = self._at
        self._turns = Turns(self._given_up)
        self._called = False  # somebody whose turn it is has not run yet
        self._timer: asyncio.TimerHandle | None = None

    def gauge(self) -> Gauge:
        """Where it stands now; without a limit, tokens and rate mean nothing."""
        self._settle(now := self._clock())
        return Gauge(self._tokens, self._rate * self._factor, self._factor, max(0.0, self._paused_until - now))

    # --- what is ordered ---
    def limit(self, rate: float | None, burst: float | None) -> None:
        """The engine's limits have changed; to be followed by `share`."""
        self._engine_rate, self._engine_burst = rate, burst or 1.0
        self.unlimited = rate is None
        """Whether the engine has no rate."""

    def share(self, fraction: float) -> None:
        """Own this part of the engine's lanes from now on; begins empty, since a former owner may just have sent."""
        self._rate = (self._engine_rate or 0.0) * fraction
        self._capacity = max(1.0, self._engine_burst * fraction * WIRE_SHARE)
        self._tokens, self._at = 0.0, self._clock()
        self._changed()

    def scale(self, factor: float) -> None:
        """Use this part of the share from now on, more than 0 and 1 at most; what is saved up stays as it is."""
        if factor != self._factor:
            self._settle(self._clock())
            self._factor = factor
            self._changed()

    def pause(self, seconds: float) -> None:
        """Give no token for so long from now: the provider asked for it. Pauses do not add up, and save nothing up."""
        now = self._clock()
        self._settle(now)
        self._paused_until = max(self._paused_until, now + seconds)
        self._changed()

    def resume(self) -> None:
        """End the pause: an operator says that the engine may go on."""
        self._paused_until = min(self._paused_until, self._clock())
        self._changed()

    # --- what mails ask for ---
    def wait_time(self) -> float:
        """Seconds until there may be a token; 0: now. Infinite without a lane."""
        now = self._clock()
        if now < self._paused_until:
            return self._paused_until - now
        if self.unlimited:
            return 0.0
        self._settle(now)
        if self._tokens >= 1:
            return 0.0
        rate = self._rate * self._factor
        return (1 - self._tokens) / rate if rate else inf

    @property
    def paused(self) -> bool:
        """Whether the provider has asked for a pause that is not over."""
        return self._clock() < self._paused_until

    def within(self, seconds: float) -> int:
        """How many mails may go within so long, if nobody else wants to; without a limit, any number."""
        if self.unlimited:
            return sys.maxsize
        self._settle(self._clock())
        return int(self._tokens + seconds * self._rate * self._factor)

    @property
    def contended(self) -> bool:
        """Whether somebody waits for a token by `take`."""
        return self._called or self._turns.waiting

    @property
    def free(self) -> bool:
        """Whether `take` would not wait."""
        return not (self.contended or self.wait_time() > 0)

    async def take(self, express: bool = False) -> None:
        """Wait for a token and take it. Nothing is awaited between the taking and the return."""
        if self.take_nowait(express=express):
            return
        await self._turn(express)
        if not self.unlimited:
            self._tokens -= 1
        self._look()

    def take_nowait(self, *, express: bool = False) -> bool:
        """Take a token, if there is one and nobody waits for it."""
        if not self.free:
            return False
        self._turns.count(express)
        if not self.unlimited:
            self._tokens -= 1
        return True

    def put_back(self) -> None:
        """The token that was taken last is not used: whoever is next may have it."""
        if not self.unlimited:
            self._tokens = min(self._capacity, self._tokens + 1)
        self._look()

    def _settle(self, now: float) -> None:
        """Fill in the tokens up to now, but for the pause."""
        since = max(self._at, self._paused_until)
        if now > since:
            self._tokens = min(self._capacity, self._tokens + (now - since) * self._rate * self._factor)
        self._at = now

    async def _turn(self, express: bool) -> None:
        """Wait until it is our turn and there is a token."""
        called = False
        while not called or self.wait_time() > 0:  # when called too: a pause may have come in between
            if self._timer is None:
                self._set_timer()
            await self._turns.wait(express, first=called)
            called, self._called = True, False

    def _look(self) -> None:
        """Call the next if there is a token, else look again when there is."""
        if self._called or not self._turns.waiting:
            return
        if self.wait_time() > 0:
            self._set_timer()
        else:
            self._called = self._turns.call()

    def _changed(self) -> None:
        """The next token comes at another time."""
        if self._turns.waiting:
            self._set_timer()

    def _set_timer(self) -> None:
        if self._timer:
            self._timer.cancel()
        wait = self.wait_time()
        self._timer = None if wait == inf else asyncio.get_running_loop().call_later(wait, self._due)

    def _due(self) -> None:
        self._timer = None
        self._look()

    def _given_up(self) -> None:
        self._called = False
        self._look()
