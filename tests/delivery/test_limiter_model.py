"""The limiter against a simple model: any orders, in any sequence, with mails that come, wait and give up meanwhile."""

import asyncio
from itertools import islice
from typing import NamedTuple

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from outreach_stream.delivery.bucket import Bucket
from outreach_stream.delivery.turns import PRICE
from tests.delivery.simulated import SimulatedLoop

EPSILON = 1e-6


class Granted(NamedTuple):
    """A token: how many had been earned until then in all, and how many could be saved up."""

    earned: float
    capacity: float


class Model:
    """What may be: tokens are earned at the pace in force, none in a pause, and saved up to the capacity."""

    def __init__(self) -> None:
        self.pace = self.capacity = self.tokens = self.earned = 0.0
        self.at = self.paused_until = 0.0

    def run(self, now: float) -> None:
        """Earn until now."""
        earned = max(0.0, now - max(self.at, self.paused_until)) * self.pace
        self.earned, self.tokens, self.at = self.earned + earned, min(self.capacity, self.tokens + earned), now


class LimiterMachine(RuleBasedStateMachine):
    """One engine's bucket in a process to which anything may be ordered."""

    @initialize(rate=st.floats(0.5, 50), burst=st.floats(1, 20), late=st.lists(st.sampled_from([0.0, 0.01, 2.5])))
    def begin(self, rate: float, burst: float, late: list[float]) -> None:
        self.loop = SimulatedLoop([0.0, *late])
        self.rate, self.burst, self.fraction, self.factor = rate, burst, 0.0, 1.0
        self.bucket = Bucket(rate, burst, self.loop.time)
        self.model = Model()
        self.granted: list[Granted] = []
        self.waiting: dict[asyncio.Task[None], bool] = {}
        self.tasks: list[asyncio.Task[None]] = []
        self.bulk_in_a_row = 0

    async def _mail(self, express: bool) -> None:
        await self.bucket.take(express)
        task = asyncio.current_task()
        assert task
        of_its_kind = [other for other, kind in self.waiting.items() if kind == express]
        assert of_its_kind[0] is task, "first come, first served, on either side"
        del self.waiting[task]
        self.bulk_in_a_row = self.bulk_in_a_row + 1 if not express and True in self.waiting.values() else 0
        assert self.bulk_in_a_row <= PRICE, "a fifth is reserved for express that waits"
        self.model.run(self.loop.now)
        self.model.tokens -= 1
        self.granted.append(Granted(self.model.earned, self.model.capacity))
        self._check_windows()

    def _check_windows(self) -> None:
        """From any mail to this one: no more than what is earned in between, and what may be saved up."""
        last, capacity = self.granted[-1], 0.0
        for count, first in enumerate(islice(reversed(self.granted), 200), 1):
            capacity = max(capacity, first.capacity)
            assert count <= last.earned - first.earned + capacity + EPSILON

    def _come(self, count: int, express: bool) -> None:
        for _ in range(count):
            task = self.loop.create_task(self._mail(express))
            self.tasks.append(task)
            self.waiting[task] = express

    # --- what happens ---
    @rule(count=st.integers(1, 12), express=st.booleans())
    def mails_come(self, count: int, express: bool) -> None:
        self.loop.do(self._come, count, express)

    @rule(which=st.integers(0, 100))
    def one_gives_up(self, which: int) -> None:
        if self.waiting:
            task = list(self.waiting)[which % len(self.waiting)]
            del self.waiting[task]
            self.loop.do(task.cancel)

    @rule(seconds=st.sampled_from([0.001, 0.02, 0.3, 1.0, 7.0, 100.0]))
    def time_passes(self, seconds: float) -> None:
        self.loop.advance(seconds)

    @rule(fraction=st.sampled_from([0.0, 0.1, 0.25, 0.5, 1.0]))
    def lanes_come_and_go(self, fraction: float) -> None:
        self.fraction = fraction
        self._ordered(tokens=0.0)
        self.loop.do(self.bucket.share, fraction)

    @rule(factor=st.sampled_from([0.05, 0.3, 0.5, 0.99, 1.0]))
    def pace_changes(self, factor: float) -> None:
        self.factor = factor
        self._ordered()
        self.loop.do(self.bucket.scale, factor)

    @rule(rate=st.floats(0.5, 50), burst=st.floats(1, 20))
    def limits_change(self, rate: float, burst: float) -> None:
        self.rate, self.burst = rate, burst
        self._ordered(tokens=0.0)
        self.loop.do(lambda: (self.bucket.limit(rate, burst), self.bucket.share(self.fraction)))

    @rule(seconds=st.sampled_from([0.0, 0.2, 3.0, 50.0]))
    def provider_asks_for_a_pause(self, seconds: float) -> None:
        self._ordered()
        self.model.paused_until = max(self.model.paused_until, self.loop.now + seconds)
        self.loop.do(self.bucket.pause, seconds)

    @rule()
    def operator_resumes(self) -> None:
        self._ordered()
        self.model.paused_until = min(self.model.paused_until, self.loop.now)
        self.loop.do(self.bucket.resume)

    def _ordered(self, tokens: float | None = None) -> None:
        """Orders count from now on; one that changes the share leaves so many tokens."""
        self.model.run(self.loop.now)
        self.model.pace = self.rate * self.fraction * self.factor
        self.model.capacity = max(1.0, self.burst * self.fraction / 2)
        if tokens is not None:
            self.model.tokens = tokens

    # --- what must hold ---
    @invariant()
    def no_mail_saw_anything_wrong(self) -> None:
        """What each mail asserted at its token."""
        for task in self.tasks:
            if task.done() and not task.cancelled():
                task.result()

    @invariant()
    def nobody_waits_beside_a_token(self) -> None:
        """Nor is it slower than it may be."""
        self.loop.do(lambda: None)
        self.model.run(self.loop.now)
        if self.waiting and self.loop.now >= self.model.paused_until:
            assert self.model.tokens < 1 + EPSILON
            assert self.bucket.wait_time() > 0

    def teardown(self) -> None:
        if hasattr(self, "loop"):
            self.loop.end()


LimiterMachine.TestCase.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
TestLimiter = LimiterMachine.TestCase
