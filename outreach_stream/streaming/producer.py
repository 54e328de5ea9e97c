"""Faust's producer, made idempotent, and its flushes and its stop given a limit."""

import asyncio
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, override

from faust.transport.drivers import aiokafka as driver

from outreach_stream.streaming.limits import CLOSE_RESERVE, LEAVE_RESERVE

if TYPE_CHECKING:
    from outreach_stream.streaming.app import StreamApp

BUFFERED = 5000
"""Messages that may wait in Faust's own buffer: at the stock 100 it stalls the intake of every topic."""


class IdempotentProducer(driver.Producer):
    """A retried request is written once; an outage neither loses nor doubles what was sent before it."""

    app: "StreamApp"

    @override
    def _settings_extra(self) -> Mapping[str, Any]:     # stock: idempotent only with exactly_once
        return {"acks": "all", "enable_idempotence": True}

    @override
    async def on_start(self) -> None:           # stock: a sender that dies leaves every later send failing
        self.buffer.max_messages = BUFFERED
        await super().on_start()
        self._ensure_producer()._sender.sender_task.add_done_callback(self._sender_ended)

    def _sender_ended(self, task: "asyncio.Task[None]") -> None:
        if not task.cancelled() and (exc := task.exception()):
            self.app.spawn(self.app.crash(exc))

    @override
    async def flush(self) -> None:              # stock: no time limit. Agents wait for their own records anyway
        try:
            async with asyncio.timeout(self.app.stop_clock.left(self.app.limits.commit, reserve=CLOSE_RESERVE)):
                await super().flush()
        except TimeoutError:
            self.log.warning("Producer: not flushed in time")

    @override
    async def on_stop(self) -> None:            # stock: waits for every record, during an outage for ever
        try:
            async with asyncio.timeout(self.app.stop_clock.left(self.app.limits.commit, reserve=LEAVE_RESERVE / 2)):
                await super().on_stop()
        except TimeoutError:
            self.log.warning("Producer: closed with records unsent")
