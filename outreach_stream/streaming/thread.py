"""Faust's consumer thread, made to keep the lease and to give commits and the stop a limit."""

import asyncio
from collections.abc import Mapping
from time import monotonic
from typing import TYPE_CHECKING, Any, override

from aiokafka.errors import KafkaError
from aiokafka.structs import OffsetAndMetadata
from faust.transport.drivers import aiokafka as driver
from faust.types import TP

from outreach_stream.streaming.limits import COMMIT_RESERVE, LEAVE_RESERVE
from outreach_stream.streaming.rest import Rest

if TYPE_CHECKING:
    from outreach_stream.streaming.app import StreamApp

REJOIN_PAUSE = 0.2
"""Seconds before the group is asked for another assignment: what was missing is on its way."""
PREFETCH_PAUSE = 0.005
"""Seconds in which the broker is asked for nothing, after a fetch of which some is still to be taken. aiokafka waits
for 0.1, and with it a hurried record that has come meanwhile. Not everywhere: the fetch passes over what is still to be
taken, and if nothing else comes the broker holds it for `fetch_wait`, in which more is not asked for."""
LEASE_SHARE = 0.8
"""Part of the session timeout for which an accepted heartbeat is trusted."""


class LeasedThread(driver.AIOKafkaConsumerThread):
    """The thread in which aiokafka's consumer fetches, beats and commits."""

    app: "StreamApp"

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.rest = Rest(self.app.unhurried_topics, self.app.limits.fetch_wait)

    @override
    def _create_worker_consumer(self, transport: driver.Transport) -> Any:
        # stock: no setting for the first two; without tables it takes an assignor that does not co-locate topics
        consumer = super()._create_worker_consumer(transport)
        consumer._fetch_max_wait_ms = int(self.app.limits.fetch_wait * 1000)
        consumer._isolation_level = "read_committed" if self.app.read_committed else "read_uncommitted"
        consumer._partition_assignment_strategy = [self.app.assignor]
        return consumer

    @override
    async def _fetch_records(self, consumer: Any, *args: Any, **kwargs: Any) -> Any:
        # stock: fetches again at once, however little there is to come
        records = await super()._fetch_records(consumer, *args, **kwargs)
        if records:
            self.rest.fetched(consumer, records)
        return records

    @override
    async def on_start(self) -> None:           # stock: a longer prefetch pause; heartbeats are told to nobody
        await super().on_start()
        consumer = self._ensure_consumer()
        if self.app.hurried_topics:
            consumer._fetcher._prefetch_backoff = PREFETCH_PAUSE
        lease, coordinator = self.app.lease, consumer._coordinator
        lease.seconds, send = LEASE_SHARE * self.app.conf.broker_session_timeout, coordinator._send_req

        async def send_and_note(request: Any) -> Any:
            asked_at = monotonic()
            response = await send(request)
            if type(request).__name__.startswith(("HeartbeatRequest", "SyncGroupRequest")):
                lease.heard(asked_at, response.error_code)
            return response

        coordinator._send_req = send_and_note

    async def join_again(self) -> None:
        """Ask for another assignment, made with what the broker knows by then. Called from the main thread."""
        await self.call_thread(self._join_again)

    async def _join_again(self) -> None:
        consumer = self._ensure_consumer()
        await asyncio.sleep(REJOIN_PAUSE)
        await consumer._client.force_metadata_update()
        consumer._coordinator.request_rejoin()

    @override
    async def _commit(self, offsets: Mapping[TP, int]) -> bool:
        # stock: waits without limit, notes the commit before it is made, and a failure crashes the worker
        assigned = self.assignment()
        wanted = {driver.ensure_aiokafka_TP(tp): OffsetAndMetadata(offset, "")
                  for tp, offset in offsets.items() if tp in assigned}
        try:
            left = self.app.stop_clock.left(self.app.limits.commit, reserve=COMMIT_RESERVE)
            await asyncio.wait_for(self._ensure_consumer().commit(wanted), left)
        except (KafkaError, TimeoutError) as exc:
            self.log.warning("Commit failed, the next one covers it: %r", exc)
            return False
        self.tp_last_committed_at.update(dict.fromkeys(wanted, monotonic()))
        return True

    @override
    async def on_thread_stop(self) -> None:     # stock: leaves the group and closes without limit; passed over here
        await super(driver.AIOKafkaConsumerThread, self).on_thread_stop()   # ends the queue of calls
        self.app.lease.end()                    # after a crash the drain still runs, but the partitions are gone
        if self._consumer is None:
            return
        left = self.app.stop_clock.left(self.app.limits.commit, reserve=LEAVE_RESERVE)
        try:
            await asyncio.wait_for(self._consumer.stop(), left)
        except (KafkaError, TimeoutError, asyncio.CancelledError) as exc:
            # The last is aiokafka's, which awaits fetches that it has cancelled; it would keep the thread from ending.
            self.log.warning("The group was not left in order, its session will time out: %r", exc)
