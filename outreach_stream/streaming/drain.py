"""The drain: before partitions leave, claimed work may end, the rest is given back, what is finished commits."""

import asyncio
import gc
from time import monotonic
from typing import TYPE_CHECKING

import structlog

from outreach_stream.streaming.limits import CLOSE_RESERVE, COMMIT_RESERVE, DRAIN_RESERVE

if TYPE_CHECKING:
    from outreach_stream.streaming.consumer import BatchConsumer

log = structlog.get_logger()

POLL = 0.01
"""Seconds between two looks at the work that is left."""


class Drain:
    """One drain per rebalance or stop, however often it is asked for."""

    def __init__(self, consumer: "BatchConsumer") -> None:
        self._consumer, self._app = consumer, consumer.app
        self._give_up_at = 0.0
        self._over = False
        self._running = asyncio.Lock()          # a stop that comes during a rebalance waits for its drain

    def begin(self) -> None:
        """No claim succeeds from here on. Tells `on_drain` once. Call in the main loop."""
        gate = self._consumer.gate
        if gate.draining:
            return
        gate.draining, self._over = True, False
        self._give_up_at = monotonic() + self._app.limits.drain
        for hook in self._app.on_drain:
            hook()

    def end(self) -> None:
        """A new assignment has come: claims succeed again, unless the app is stopping."""
        if not self._app.stop_clock.started():
            self._consumer.gate.draining = False

    async def run(self) -> None:
        """Returns when claimed work has ended and is committed, or when the time for it is over. Never raises."""
        self.begin()
        async with self._running:
            if self._over:
                return
            if self._consumer.unacked:
                gc.collect()                    # messages in cleared queues: given back
            await self._wait_for_claimed()
            await self._call_before_release()
            await self._commit()
            self._over = True

    def _in_work(self) -> int:
        self._consumer._clean_unacked_messages()    # ordinary topics
        of_ledgers = sum(ledger.claimed() for ledger in self._consumer.ledgers.values())
        return len(self._consumer.unacked) + of_ledgers + self._consumer.own_work.claimed()

    async def _wait_for_claimed(self) -> None:
        started = monotonic()
        while busy := self._in_work():
            # Asked each time: a stop that comes during a rebalance has less time.
            if not self._app.stop_clock.left(self._give_up_at - monotonic(), reserve=DRAIN_RESERVE):
                log.error("drain_gave_up", records=busy, seconds=round(monotonic() - started, 1))
                return
            await asyncio.sleep(POLL)

    async def _call_before_release(self) -> None:
        try:
            async with asyncio.timeout(self._app.stop_clock.left(self._app.limits.commit, reserve=COMMIT_RESERVE)):
                for hook in self._app.before_release:
                    await hook()
        except Exception:  # the commit must come all the same: what is finished must not be delivered again
            log.exception("before_release_failed")

    async def _commit(self) -> None:
        try:
            async with asyncio.timeout(self._app.stop_clock.left(self._app.limits.commit, reserve=CLOSE_RESERVE)):
                while await self._consumer.maybe_wait_for_commit_to_finish():
                    pass
                await self._consumer.force_commit(start_new_transaction=False)
        except TimeoutError:
            log.warning("drain_commit_timed_out")
        except asyncio.CancelledError:          # handed over from the consumer's thread, which a crash has ended
            if (task := asyncio.current_task()) and task.cancelling():
                raise
            log.warning("drain_commit_cut_off")
