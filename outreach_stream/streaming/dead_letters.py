"""Records that no agent can read: kept whole, with the reason, instead of lost or looped."""

from aiokafka import AIOKafkaProducer

from outreach_stream import topics
from outreach_stream.streaming.batch import Batch
from outreach_stream.streaming.produce import Record, RecordTooLarge, produce

KEPT_OF_LARGE = 256 * 1024
"""Bytes kept of a record that is too large for the dead letters."""

LONGEST_REASON = 1_000
"""Characters kept of a reason: it may quote what was wrong, which may be of any length."""


async def bury(producer: AIOKafkaProducer, batch: Batch, i: int, reason: str) -> None:
    """Copies record i to the dead letters, and returns when that is durable: only then call `batch.done(i)`.

    Key, value and headers stay as they came; `source_topic`, `source_partition`, `source_offset` and `reason` are
    added as headers. `reason` must not contain addresses. Buried again after a crash, a record is there twice.
    Foreign producers' records may be larger than ours: of one that does not fit, the value's beginning is kept, with
    `truncated` among the headers; the rest is to be found at its source.
    """
    record = batch.records[i]
    told = [("source_topic", batch.tp.topic), ("source_partition", str(batch.tp.partition)),
            ("source_offset", str(record.offset)), ("reason", reason[:LONGEST_REASON])]
    origin = [(name, text.encode(errors="replace")) for name, text in told]
    whole = Record(record.key, record.value, [*record.headers, *origin])
    try:
        await produce(producer, topics.DEAD_LETTER.name, 0, [whole])
    except RecordTooLarge:
        beginning = Record(None, (record.value or b"")[:KEPT_OF_LARGE], [*origin, ("truncated", b"true")])
        await produce(producer, topics.DEAD_LETTER.name, 0, [beginning])
