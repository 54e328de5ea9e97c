"""How an agent makes what it decided durable, and when it gives up."""

import asyncio
from collections.abc import Awaitable, Callable, Collection

import structlog
from aiokafka.errors import KafkaError

from outreach_stream.streaming.app import StreamApp
from outreach_stream.streaming.batch import Batch
from outreach_stream.streaming.dead_letters import bury
from outreach_stream.streaming.tables import PartitionNotOwned

log = structlog.get_logger()

RETRY = 1.0
"""Seconds between two tries to write what the broker refused."""

type Effects = Callable[[], Awaitable[Collection[int] | None]]
"""Harmless to repeat, as a whole or in part. Returns the indexes of records that it leaves for later, if any."""


async def make_durable(batch: Batch, effects: Effects, i: int | None = None) -> Collection[int]:
    """Repeat `effects` until they succeed, then finish the batch, or its record `i` alone.

    Or give it back, when its partition leaves or the caller is cancelled. Returns the indexes that `effects` left.
    Never raises: nothing may leave an agent.
    """
    try:
        while await batch.claim(i):
            try:
                left = await effects() or ()
            except PartitionNotOwned:
                break
            except KafkaError as error:
                log.warning("effects_not_written", topic=batch.tp.topic, partition=batch.tp.partition,
                            error=repr(error))
            except Exception:
                # A bug, or something never thought of: nothing is lost by trying again, and much by going on.
                log.exception("effects_failed", topic=batch.tp.topic, partition=batch.tp.partition)
            else:
                return left if await _finish(batch, i, left) else ()
            batch.release(i)
            await asyncio.sleep(RETRY)
    finally:
        batch.release(i)    # Changes nothing for what is done.
    return ()


async def _finish(batch: Batch, i: int | None, left: Collection[int]) -> bool:
    """False: the partition may have a new owner, and nothing counts."""
    if not await batch.owned():
        return False
    if not left:
        batch.done(i)
    else:
        for index in range(len(batch.records)):
            if index not in left:
                batch.done(index)
    return True


async def bury_all(app: StreamApp, batch: Batch, reasons: dict[int, str]) -> None:
    """Copy the records of these indexes to the dead letters, with the reason of each."""
    for i, reason in reasons.items():
        log.warning("record_buried", topic=batch.tp.topic, partition=batch.tp.partition,
                    offset=batch.records[i].offset, reason=reason)
        await bury(app.aiokafka_producer, batch, i, reason)
        app.buried[batch.tp.topic] += 1
