"""Publishes triggers, and returns only when every replica that counts has them."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from uuid import uuid4

import structlog
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError, MessageSizeTooLargeError

from outreach_stream.domain.clock import Clock, iso, wall_clock
from outreach_stream.domain.identity import run_id
from outreach_stream.domain.triggers import WorkflowTriggered
from outreach_stream.topics import WORKFLOW_TRIGGERED

ACK_TIMEOUT = 5.0
"""Seconds until the broker must have acknowledged a trigger."""

_log = structlog.get_logger()


class BrokerAwayError(Exception):
    """The broker did not acknowledge in time. The trigger may be accepted all the same: repeat it under its key."""


class TriggerTooLargeError(Exception):
    """The trigger does not fit into one record: it brings too many recipients."""


def identified(trigger: WorkflowTriggered) -> tuple[WorkflowTriggered, str]:
    """The trigger with an id of its own, if it has none, and the id of the run that it asks for."""
    trigger_id = trigger.trigger_id or str(uuid4())
    run = run_id(trigger.workflow_id, slot=trigger.slot, key=trigger.idempotency_key, trigger_id=trigger_id)
    return trigger.model_copy(update={"trigger_id": trigger_id}), run


def cloud_headers(trigger: WorkflowTriggered, at: float) -> Sequence[tuple[str, bytes]]:
    """Headers of CloudEvents 1.0 in its Kafka binding's binary mode: `content-type` and `ce_` attributes."""
    assert trigger.trigger_id, "identified first"
    attributes = {
        "content-type": "application/json", "ce_specversion": "1.0", "ce_id": trigger.trigger_id,
        "ce_type": "outreach.workflow.triggered", "ce_source": trigger.source, "ce_time": iso(at),
    }
    return [(name, value.encode()) for name, value in attributes.items()]


class TriggerPublisher:
    """Publishes to `workflow.triggered` with an idempotent producer; connects when needed, and again after trouble."""

    def __init__(self, bootstrap: str, clock: Clock = wall_clock) -> None:
        self._bootstrap, self._clock = bootstrap, clock
        self._producer: AIOKafkaProducer | None = None
        self._connecting = asyncio.Lock()
        self._closing: set[asyncio.Task[None]] = set()

    async def publish(self, trigger: WorkflowTriggered) -> str:
        """Returns the run's id once the broker has acknowledged the trigger (acks=all).

        Raises `BrokerAwayError` after ACK_TIMEOUT at the latest, `TriggerTooLargeError` at once.
        """
        trigger, run = identified(trigger)
        try:
            async with asyncio.timeout(ACK_TIMEOUT):
                producer = await self._connected()
                await producer.send_and_wait(
                    WORKFLOW_TRIGGERED.name, trigger.encode(), key=run.encode(),
                    headers=cloud_headers(trigger, self._clock()))
        except MessageSizeTooLargeError as error:
            raise TriggerTooLargeError("the trigger is larger than a record may be") from error
        except (KafkaError, OSError) as error:      # a TimeoutError is an OSError
            _log.warning("trigger_not_acknowledged", run_id=run, error=type(error).__name__)
            self._abandon()
            raise BrokerAwayError(f"no acknowledgement within {ACK_TIMEOUT:.0f} s") from error
        _log.info("trigger_published", run_id=run, workflow_id=str(trigger.workflow_id), source=trigger.source)
        return run

    async def _connected(self) -> AIOKafkaProducer:
        async with self._connecting:
            if self._producer is None:
                producer = AIOKafkaProducer(
                    bootstrap_servers=self._bootstrap, acks="all", enable_idempotence=True,
                    request_timeout_ms=int(ACK_TIMEOUT * 1000))
                try:
                    await producer.start()
                except BaseException:
                    await producer.stop()
                    raise
                self._producer = producer
            return self._producer

    def _abandon(self) -> None:
        """Drop a producer in trouble: what waits in it must not be sent long after its caller was told otherwise."""
        producer, self._producer = self._producer, None
        if producer is None:
            return
        # There is no public way to close without sending the rest, which waits for a broker that is away.
        if task := producer._sender.sender_task:  # noqa: SLF001
            task.cancel()
        closing = asyncio.create_task(_closed(producer))
        self._closing.add(closing)
        closing.add_done_callback(self._closing.discard)

    async def stop(self) -> None:
        """Close the connection; what was published stays published."""
        producer, self._producer = self._producer, None
        if producer is not None:
            await _closed(producer)
        await asyncio.gather(*self._closing)


async def _closed(producer: AIOKafkaProducer) -> None:
    with suppress(KafkaError, OSError):
        async with asyncio.timeout(ACK_TIMEOUT):
            await producer.stop()
