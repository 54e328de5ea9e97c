"""One engine at work in this process: its connections, its pace, its places, and whether it takes anything at all."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

import structlog

from outreach_stream.delivery.bucket import Bucket
from outreach_stream.delivery.fuse import Fuse
from outreach_stream.delivery.throttle import factor_at, throttled
from outreach_stream.delivery.turns import Places
from outreach_stream.delivery.work import Work
from outreach_stream.domain.clock import Clock, wall_clock
from outreach_stream.domain.control import Control, EngineFuse, EngineThrottle
from outreach_stream.domain.lanes import default_burst
from outreach_stream.domain.outcomes import EngineStopped, Failure, Outcome, Refusal, Throttled, Transient
from outreach_stream.domain.ports import Connection, Engine

log = structlog.get_logger()

SECONDS_AHEAD = 5.0
"""Mails that wait for a token hold a connection; a slow engine's would be idle too long and be closed on us."""
UNREACHABLE_SECONDS = 1.0
"""Between two attempts to connect, for each place."""

EXPRESS_SHARE = 50
"""Of so many places one is kept for express: with fewer none, where one would be missed."""

UNREACHABLE_TOLD = 60.0
"""Between two lines of the log that say so."""

UNKNOWN = "engine_unknown"
"""The reason of an engine that the catalog does not have: it needs no operator's word to go on when it is there."""

type Tell = Callable[[str, EngineFuse | EngineThrottle], None]
"""Has an engine's order published, by the engine's id; must not wait."""


class Allowance(NamedTuple):
    """What all processes together may use of an engine."""

    rate: float | None
    """Mails per second; None: no limit."""
    burst: float | None
    """Mails at once."""
    lanes: list[int]
    """The partitions that its mails are spread over."""
    hourly: int | None = None
    """Mails in any hour; None: no cap."""
    daily: int | None = None


@dataclass(slots=True)
class Desk:
    """Shared by all lanes of the engine, so that no lane of another engine ever waits for it."""

    id: str
    engine: Engine
    bucket: Bucket
    size: int
    """Mails in work at a time, those included whose end is not on record yet: a crash repeats no more than these."""
    limits: Allowance
    partitions: int
    """Partitions there are, the engine's lanes among them."""
    control: Control = field(default_factory=Control)
    tell: Tell = lambda _engine, _order: None
    clock: Clock = wall_clock
    places: Places = field(init=False)
    work: Work = field(default_factory=Work)
    _own: tuple[set[int], set[int]] = (frozenset(), frozenset())  # type: ignore[assignment]  # until `own` is called
    _learnt: float | None = None
    """Mails per second that the provider said it allows, where the catalog does not say."""
    _fuse: Fuse = field(default_factory=Fuse)
    _tripped: str | None = None
    """Why it stopped, until `control` says so."""
    _told_again: float = 0.0
    """When that it gives no connection may be said once more: so many mails wait for one."""
    _throttle: EngineThrottle | None = None
    _heard: tuple[EngineFuse | None, EngineThrottle | None] = (None, None)
    """The last words of `control`. What we said ourselves and is still on its way there stands meanwhile."""

    def __post_init__(self) -> None:
        self.places = Places(self.size, kept=self.size // EXPRESS_SHARE)

    @classmethod
    def of(cls, engine_id: str, engine: Engine, limits: Allowance, *, concurrency: int, partitions: int) -> "Desk":
        """A desk with as many places as its rate can keep busy."""
        rate = limits.rate
        places = concurrency if rate is None else min(concurrency, max(1, round(rate * SECONDS_AHEAD)))
        return cls(engine_id, engine, Bucket(rate, limits.burst), places, limits, partitions)

    def own(self, owned: set[int], busy: set[int]) -> None:
        """These partitions are ours now: take that share of the rate, beginning with nothing saved up.

        `busy` are those with requests. They may lie in lanes that are the engine's no more, since its limits were
        changed: a process with such and none of today's lanes takes a share by all its partitions, or they would stand
        still for ever. Until they are drained all processes together may come near to twice the rate.
        """
        self._own = owned, busy
        share = len(owned.intersection(self.limits.lanes)) / len(self.limits.lanes)
        self.bucket.share(share or (len(owned) / self.partitions if busy else 0.0))
        self.follow()

    def limit(self, limits: Allowance) -> None:
        """The engine's limits have changed; to be followed by `own`."""
        self.limits = limits
        self._keep_to(limits.rate, limits.burst)

    def _keep_to(self, rate: float | None, burst: float | None) -> None:
        """Where the catalog gives no rate, the provider's counts, once it has said it."""
        self._learnt = self.engine.rate if rate is None else None
        self.bucket.limit(rate or self._learnt, burst if self._learnt is None else burst or default_burst(self._learnt))

    def _learn(self) -> None:
        """A connection stands, so the provider has said what it allows, if it ever does. It takes nothing back."""
        if self.limits.rate is None and self.engine.rate not in (None, self._learnt):
            self._keep_to(None, self.limits.burst)
            log.info("engine_rate_learnt", engine=self.id, rate=self._learnt)
            self.own(*self._own)

    # --- what it hears of the engine ---
    @property
    def stopped(self) -> str | None:
        """Why nothing is handed to the engine; None: it takes mails."""
        if self.control.quiet:
            return self._tripped
        fuse = self.control.fuse(self.id)
        return fuse.reason if fuse else self._tripped

    def heed(self, outcome: Outcome, began: float | None = None) -> None:
        """Pause, slow down or stop, here at once and by an order everywhere, if an answer asks for it.

        `began`: when the attempt was handed over; None: it did not come to that.
        """
        if isinstance(outcome, Throttled):
            self._slow_down(outcome, began)
        if (reason := self._fuse.feel(outcome)) is not None and self.stopped is None:
            log.error("engine_stopped", engine=self.id, reason=reason)
            self._tripped = reason
            if getattr(outcome, "reason", "") != UNKNOWN:
                self.tell(self.id, EngineFuse(reason=reason, at=self.clock(), by="sender"))

    def _slow_down(self, outcome: Throttled, began: float | None) -> None:
        now = self.clock()
        order = throttled(self._throttle, outcome.retry_after, outcome.reason, now, began)
        if order is not None:
            log.warning("engine_throttled", engine=self.id, reason=order.reason, factor=order.factor,
                        seconds=round(order.until - now, 1))
            self._throttle = order
            self.follow()
            self.tell(self.id, order)

    def ordered(self) -> bool:
        """An order about the engine has come: it counts from here on. Returns whether it says: stop, or: go on."""
        fuse, throttle = self.control.fuse(self.id), self.control.throttle(self.id)
        (fuse_before, throttle_before), self._heard = self._heard, (fuse, throttle)
        if fuse != fuse_before:
            self._tripped = None
            self._fuse.reset()
        if throttle is None and throttle_before is not None:
            self._throttle = None
            self.bucket.resume()
        elif throttle is not None and (self._throttle is None or throttle.at >= self._throttle.at):
            self._throttle = throttle
        self.follow()
        return fuse != fuse_before

    def found(self) -> bool:
        """The catalog has the engine (again); returns whether it was missed."""
        missed = self._tripped is not None and self._tripped.startswith(UNKNOWN)
        if missed:
            self._tripped = None
        return missed

    def follow(self) -> None:
        """Keep to the pace that was asked for, as it is now: it climbs back by itself."""
        now = self.clock()
        if self._throttle is not None and self._throttle.until > now:
            self.bucket.pause(self._throttle.until - now)
        self.bucket.scale(factor_at(self._throttle, now))

    # --- connections ---
    async def acquire(self) -> Connection | Refusal:
        """One attempt to get a connection, or why there is none. Raises nothing but `CancelledError`."""
        try:
            connection = await self.engine.acquire()
        except Exception as error:
            log.exception("acquire_failed", engine=self.id)
            return EngineStopped("engine_error", type(error).__name__)
        if not isinstance(connection, Failure):
            self._learn()
        return connection

    async def connect(self, given_up: Callable[[], bool]) -> Connection | Refusal:
        """A connection, or why there is none. What may pass is the engine's trouble and costs no recipient an attempt.

        It is tried again, while the caller keeps its place, so that no more than those wait; until `given_up()`.
        """
        while True:
            connection = await self.acquire()
            if not isinstance(connection, Failure):
                return connection
            self.heed(connection)
            if not isinstance(connection, Transient | Throttled):
                return connection
            if self.clock() >= self._told_again:
                log.warning("engine_unreachable", engine=self.id, reason=connection.reason)
                self._told_again = self.clock() + UNREACHABLE_TOLD
            until = self.clock() + (self.bucket.wait_time() if isinstance(connection, Throttled) else 0.0)
            while not given_up():
                await asyncio.sleep(UNREACHABLE_SECONDS)
                if self.clock() >= until:
                    break
            else:
                return connection
