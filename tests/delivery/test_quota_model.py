"""The quota against a simple model: crashes, restarts, failed writes, new caps, and never too many in a window."""

import asyncio
from bisect import bisect_right

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from outreach_stream.delivery.quota import Caps, Quota
from outreach_stream.delivery.uses import DAY, HOUR, Uses
from tests.delivery.quota_stage import Table

CAPS = st.none() | st.integers(1, 40)


class QuotaMachine(RuleBasedStateMachine):
    """One lane, in one process after another."""

    @initialize(hourly=CAPS, daily=CAPS, block=st.integers(1, 12), began=st.floats(1e9, 1.001e9))
    def begin(self, hourly: int | None, daily: int | None, block: int, began: float) -> None:
        self.now, self.block, self.caps = began, block, Caps(hourly, daily)
        self.durable: dict[bytes, bytes] = {}
        self.used: list[float] = []
        self.lives = 0
        self.runner = asyncio.Runner()
        self._new_process()

    def _new_process(self) -> None:
        self.lives += 1
        self.table = Table(self.durable, b"writer%d" % self.lives)
        self._open()

    def _open(self) -> None:
        self.quota = Quota(self.table, 3, "e", self.caps, lambda: self.now, block=self.block)

    async def _take(self) -> None:
        if await self.quota.take() == 0.0:
            self.used.append(self.now)
            for window, cap in ((HOUR, self.caps.hourly), (DAY, self.caps.daily)):
                within = len(self.used) - bisect_right(self.used, self.now - window.seconds)
                assert cap is None or within <= cap

    # --- what happens ---
    @rule(seconds=st.sampled_from([0.1, 20.0, 149.9, 150.0, 1_000.0, 3_599.0, 3_700.0, 40_000.0, 90_000.0]))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds

    @rule(count=st.integers(1, 30))
    def mails_go(self, count: int) -> None:
        async def go() -> None:
            await asyncio.gather(*(self._take() for _ in range(count)))
        self.runner.run(go())

    @rule(count=st.integers(1, 10), rounds=st.integers(0, 8), seconds=st.sampled_from([0.0, 100.0]))
    def it_crashes_in_the_midst(self, count: int, rounds: int, seconds: float) -> None:
        async def go() -> None:
            tasks = [asyncio.create_task(self._take()) for _ in range(count)]
            for _ in range(rounds):
                await asyncio.sleep(0)
                self.now += seconds
            for task in tasks:
                task.cancel()
            for result in await asyncio.gather(*tasks, return_exceptions=True):
                assert result is None or isinstance(result, asyncio.CancelledError)
        self.runner.run(go())
        self._new_process()

    @rule(count=st.integers(1, 10), rounds=st.integers(0, 8))
    def some_give_up(self, count: int, rounds: int) -> None:
        async def go() -> None:
            tasks = [asyncio.create_task(self._take()) for _ in range(count)]
            for _ in range(rounds):
                await asyncio.sleep(0)
            tasks[0].cancel()
            await asyncio.wait(tasks)
            assert all(task.cancelled() or task.exception() is None for task in tasks)
        self.runner.run(go())

    @rule(same_process=st.booleans(), clean=st.booleans())
    def the_lane_moves(self, same_process: bool, clean: bool) -> None:
        if clean:
            self.runner.run(self.quota.release())
        (self._open if same_process else self._new_process)()

    @rule()
    def it_gives_back_and_goes_on(self) -> None:
        self.runner.run(self.quota.release())

    @rule(failures=st.integers(1, 3))
    def writes_fail(self, failures: int) -> None:
        self.table.failing = failures

    @rule(hourly=CAPS, daily=CAPS)
    def caps_change(self, hourly: int | None, daily: int | None) -> None:
        self.caps = self.quota.caps = Caps(hourly, daily)

    # --- what must hold ---
    @invariant()
    def the_table_knows_of_every_use(self) -> None:
        """What is durable counts at least what was used of late: a crash right now forgets nothing."""
        counted = Uses.sum(Uses.decode(value) for value in self.durable.values()).since(self.now)
        for window, bins in ((HOUR, counted.hour), (DAY, counted.day)):
            assert bins.total() >= len(self.used) - bisect_right(self.used, self.now - window.seconds)

    def teardown(self) -> None:
        if hasattr(self, "runner"):
            self.runner.close()


QuotaMachine.TestCase.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
TestQuota = QuotaMachine.TestCase
