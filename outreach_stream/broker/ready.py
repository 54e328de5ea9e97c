"""Whether a broker answers, and lets us in."""

import asyncio

from aiokafka.conn import AIOKafkaConnection, create_conn
from aiokafka.errors import KafkaError
from aiokafka.protocol.metadata import MetadataRequest

from outreach_stream.broker.access import kafka_access
from outreach_stream.broker.errors import AccessRefusedError, BrokerError
from outreach_stream.broker.refusals import refusal
from outreach_stream.settings import load_settings

ANSWER_TIMEOUT = 2.0
"""Seconds an answer may take."""


async def reached(bootstrap: str) -> bool:
    """Whether one of the brokers at `bootstrap` serves clients: it lists at least one live broker.

    Raises `AccessRefusedError` when none does, and one is there that does not let us in; `AccessSettingError`.
    """
    access, refused = kafka_access(), None
    for address in bootstrap.split(","):
        host, _, port = address.strip().rpartition(":")
        try:
            # A connection of our own: aiokafka's client logs an error for each refused one, and does not raise it.
            async with asyncio.timeout(ANSWER_TIMEOUT):
                connection = await create_conn(host.strip("[]"), int(port), **access)
        except (KafkaError, OSError, ValueError) as error:      # a TimeoutError is an OSError
            refused = refused or refusal(error, address, load_settings())
            continue
        if await _serves(connection):
            return True
    if refused:
        raise AccessRefusedError(refused)
    return False


async def _serves(connection: AIOKafkaConnection) -> bool:
    try:
        async with asyncio.timeout(ANSWER_TIMEOUT):
            return bool((await connection.send(MetadataRequest([]))).brokers)
    except (KafkaError, OSError):
        return False
    finally:
        connection.close()


async def answers(bootstrap: str) -> bool:
    """Whether the broker at `bootstrap` serves us, for whom it does not matter why it does not. Never raises."""
    try:
        return await reached(bootstrap)
    except BrokerError:
        return False
