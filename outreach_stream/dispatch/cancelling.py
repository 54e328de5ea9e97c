"""Runs that are cancelled while something is done for them."""

import asyncio
from collections.abc import Awaitable, Callable

from outreach_stream.dispatch.ports import Orders
from outreach_stream.domain.control import Subject


class Cancelling:
    """Cuts off what is done for a run as soon as the run is cancelled."""

    def __init__(self, orders: Orders) -> None:
        self._orders = orders
        self._work: dict[asyncio.Timeout, str] = {}
        orders.listeners.append(self._heard)

    async def unless_cancelled[T](self, run_id: str, work: Callable[[], Awaitable[T]]) -> T | None:
        """What `work` returns, which is not None; None: the run is cancelled, and the work was not begun or has ended.

        The work is cut off by a `CancelledError`, at whatever it waits for, and tidies up in its own time.
        """
        if self._orders.cancelled(run_id):
            return None
        try:
            async with asyncio.timeout(None) as scope:
                self._work[scope] = run_id
                return await work()
        except TimeoutError:
            if not scope.expired():     # One of the work's own.
                raise
            return None
        finally:
            self._work.pop(scope, None)

    def _heard(self, subject: Subject) -> None:
        if subject.kind != "run" or not self._orders.cancelled(subject.id):
            return
        for scope, run_id in self._work.items():
            if run_id == subject.id and not scope.expired():
                scope.reschedule(asyncio.get_running_loop().time())
