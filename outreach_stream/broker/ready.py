"""Whether a broker answers."""

import asyncio

from aiokafka.client import AIOKafkaClient
from aiokafka.errors import KafkaError

ANSWER_TIMEOUT = 2.0
"""Seconds an answer may take."""


async def answers(bootstrap: str) -> bool:
    """Whether the broker at `bootstrap` serves clients: it lists at least one live broker. Never raises."""
    host, _, port = bootstrap.split(",", maxsplit=1)[0].rpartition(":")
    try:
        # Knocked on first, because aiokafka logs an error for every connection refused.
        async with asyncio.timeout(ANSWER_TIMEOUT):
            _, writer = await asyncio.open_connection(host, int(port))
        writer.close()
        client = AIOKafkaClient(bootstrap_servers=bootstrap, request_timeout_ms=int(ANSWER_TIMEOUT * 1000))
    except OSError:  # TimeoutError is one
        return False
    try:
        async with asyncio.timeout(ANSWER_TIMEOUT):
            await client.bootstrap()
        return bool(client.cluster.brokers())
    except (KafkaError, OSError):
        return False
    finally:
        await client.close()
