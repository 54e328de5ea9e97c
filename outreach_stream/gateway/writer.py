"""Writes records of ours, and returns only when every replica that counts has them."""

import asyncio
from contextlib import suppress
from typing import Self

from aiokafka import AIOKafkaProducer
from aiokafka.errors import MessageSizeTooLargeError

from outreach_stream.broker.access import kafka_access
from outreach_stream.broker.errors import KAFKA_TROUBLE
from outreach_stream.streaming.produce import Record

ACK_TIMEOUT = 5.0
"""Seconds until the broker must have acknowledged a record."""


class BrokerAwayError(Exception):
    """The broker did not acknowledge in time. It may have the record all the same: what is written can be repeated."""


class RecordTooLargeError(Exception):
    """It does not fit into one record."""


class Writer:
    """An idempotent producer that connects when it is needed, and again after trouble.

    Use as an async context manager, or `stop` it.
    """

    def __init__(self, bootstrap: str) -> None:
        self._bootstrap = bootstrap
        self._producer: AIOKafkaProducer | None = None
        self._connecting = asyncio.Lock()
        self._closing: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def write(self, topic: str, record: Record, partition: int | None = None) -> None:
        """Returns once the broker has acknowledged the record (acks=all).

        Raises `BrokerAwayError` after ACK_TIMEOUT at the latest, `RecordTooLargeError` at once.
        """
        try:
            async with asyncio.timeout(ACK_TIMEOUT):
                producer = await self._connected()
                await producer.send_and_wait(topic, record.value, key=record.key, partition=partition,
                                             headers=list(record.headers))
        except MessageSizeTooLargeError as error:
            raise RecordTooLargeError("it is larger than a record may be") from error
        except KAFKA_TROUBLE as error:
            self._abandon()
            raise BrokerAwayError(f"no acknowledgement within {ACK_TIMEOUT:.0f} s") from error

    async def _connected(self) -> AIOKafkaProducer:
        async with self._connecting:
            if self._producer is None:
                producer = AIOKafkaProducer(
                    bootstrap_servers=self._bootstrap, acks="all", enable_idempotence=True,
                    request_timeout_ms=int(ACK_TIMEOUT * 1000), **kafka_access())
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
        """Close the connection; what was written stays written."""
        producer, self._producer = self._producer, None
        if producer is not None:
            await _closed(producer)
        await asyncio.gather(*self._closing)


async def _closed(producer: AIOKafkaProducer) -> None:
    with suppress(*KAFKA_TROUBLE):
        async with asyncio.timeout(ACK_TIMEOUT):
            await producer.stop()
