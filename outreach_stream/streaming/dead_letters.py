"""Records that no agent can read: kept whole, with the reason, instead of lost or looped."""

from aiokafka import AIOKafkaProducer

from outreach_stream import topics
from outreach_stream.streaming.batch import Batch
from outreach_stream.streaming.produce import Record, produce


async def bury(producer: AIOKafkaProducer, batch: Batch, i: int, reason: str) -> None:
    """Copies record i to the dead letters, and returns when that is durable: only then call `batch.done(i)`.

    Key, value and headers stay as they came; `source_topic`, `source_partition`, `source_offset` and `reason` are
    added as headers. `reason` must not contain addresses. Buried again after a crash, a record is there twice.
    """
    record = batch.records[i]
    origin = [("source_topic", batch.tp.topic), ("source_partition", str(batch.tp.partition)),
              ("source_offset", str(record.offset)), ("reason", reason)]
    headers = [*record.headers, *((name, text.encode()) for name, text in origin)]
    await produce(producer, topics.DEAD_LETTER.name, 0, [Record(record.key, record.value, headers)])
