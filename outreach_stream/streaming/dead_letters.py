"""Records that no agent can read: kept whole, with the reason, instead of lost or looped."""

import asyncio

import structlog
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from outreach_stream import topics
from outreach_stream.streaming.batch import Batch
from outreach_stream.streaming.produce import Record, RecordTooLarge, batch_limit, check_size, produce
from outreach_stream.telemetry.redaction import redact

log = structlog.get_logger()

KEPT_OF_LARGE = 256 * 1024
"""Bytes kept of a record that is too large for the dead letters."""

LONGEST_REASON = 1_000
"""Characters kept of a reason: it may quote what was wrong, which may be of any length."""

RETRY = 1.0
"""Seconds before a letter is written again that the broker refused."""


async def bury(producer: AIOKafkaProducer, batch: Batch, i: int, reason: str) -> None:
    """Copies record i to the dead letters, and returns when that is durable: only then call `batch.done(i)`.

    Waits for a broker that is away, until the batch is dead, and then nothing that is said of it counts.
    Key, value and headers stay as they came; `source_topic`, `source_partition`, `source_offset` and `reason` are
    added as headers. Addresses in `reason` are masked. Buried again after a crash, a record is there twice.
    Foreign producers' records may be larger than ours: of one that does not fit, the value's beginning is kept, with
    `truncated` among the headers; the rest is to be found at its source.
    """
    letter = _letter(batch, i, reason, batch_limit(producer))
    while batch.live:
        try:
            await produce(producer, topics.DEAD_LETTER.name, 0, [letter])
        except KafkaError as error:
            log.warning("letter_not_written", topic=batch.tp.topic, partition=batch.tp.partition, error=repr(error))
            await asyncio.sleep(RETRY)
        else:
            return


def _letter(batch: Batch, i: int, reason: str, limit: int) -> Record:
    record = batch.records[i]
    told = [("source_topic", batch.tp.topic), ("source_partition", str(batch.tp.partition)),
            ("source_offset", str(record.offset)), ("reason", str(redact(reason))[:LONGEST_REASON])]
    origin = [(name, text.encode(errors="replace")) for name, text in told]
    whole = Record(record.key, record.value, [*record.headers, *origin])
    try:
        check_size(whole, limit)
    except RecordTooLarge:
        return Record(None, (record.value or b"")[:KEPT_OF_LARGE], [*origin, ("truncated", b"true")])
    return whole
