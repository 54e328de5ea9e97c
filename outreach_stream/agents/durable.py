"""How an agent makes what it decided durable, and when it gives up."""

import asyncio
from collections.abc import Awaitable, Callable

import structlog
from aiokafka.errors import KafkaError

from outreach_stream.streaming.app import StreamApp
from outreach_stream.streaming.batch import Batch
from outreach_stream.streaming.dead_letters import bury
from outreach_stream.streaming.tables import PartitionNotOwned

log = structlog.get_logger()

RETRY = 1.0
"""Seconds between two tries to write what the broker refused."""


async def make_durable(batch: Batch, effects: Callable[[], Awaitable[None]]) -> None:
    """Repeat `effects` until they succeed, then finish the batch; or give it back when its partition leaves.

    `effects` must be harmless to repeat, as a whole or in part. Never raises: nothing may leave an agent.
    """
    while await batch.claim():
        try:
            await effects()
        except PartitionNotOwned:
            break
        except KafkaError as error:
            log.warning("effects_not_written", topic=batch.tp.topic, partition=batch.tp.partition, error=repr(error))
        except Exception:
            # A bug, or something never thought of: nothing is lost by trying again, and much by going on.
            log.exception("effects_failed", topic=batch.tp.topic, partition=batch.tp.partition)
        else:
            if await batch.owned():
                batch.done()
                return
            break
        batch.release()
        await asyncio.sleep(RETRY)
    batch.release()


async def bury_all(app: StreamApp, batch: Batch, reasons: dict[int, str]) -> None:
    """Copy the records of these indexes to the dead letters, with the reason of each."""
    for i, reason in reasons.items():
        log.warning("record_buried", topic=batch.tp.topic, partition=batch.tp.partition,
                    offset=batch.records[i].offset, reason=reason)
        await bury(app.aiokafka_producer, batch, i, reason)
