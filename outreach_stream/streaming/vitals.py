"""How a worker's stream stands: why it does not work, and in numbers. Nothing here waits or asks the broker."""

from collections import Counter
from collections.abc import Iterator
from time import time
from typing import TYPE_CHECKING, Any

from faust.types import TP

from outreach_stream.telemetry import metrics
from outreach_stream.telemetry.readings import Reading

if TYPE_CHECKING:
    from outreach_stream.streaming.app import StreamApp
    from outreach_stream.streaming.consumer import BatchConsumer
    from outreach_stream.streaming.ledger import Ledger


def unready(app: "StreamApp") -> str | None:
    """Why the worker does not work at the moment; None: it does, or stands by for partitions that others have."""
    consumer: Any = app._consumer
    if app.should_stop or (consumer is not None and consumer.gate.draining):
        return "stopping, or partitions are leaving"
    if consumer is None or app.lease.lost():
        return "not a member of its group yet"
    if not app.lease.valid():
        return "no heartbeat of late: the broker is away"
    if not consumer.positioned and (app.rebalancing or consumer.assignment()):
        return "partitions are being assigned, or their tables recovered"
    return None


def readings(app: "StreamApp") -> Iterator[Reading]:
    """What any worker says."""
    yield Reading(metrics.LEASE, app.lease.valid())
    for topic in sorted(app.batch_topics):
        yield Reading(metrics.BURIED, app.buried[topic], (topic,))
    consumer: BatchConsumer | None = app._consumer  # type: ignore[assignment]
    if consumer is not None:
        yield Reading(metrics.COMMITTED_AT, consumer.committed_at)
        yield from _of_topics(consumer, sorted(app.batch_topics))


def _of_topics(consumer: "BatchConsumer", topics: list[str]) -> Iterator[Reading]:
    now = time()
    sums: dict[str, Counter[str]] = {topic: Counter() for topic in topics}
    for tp, ledger in consumer.ledgers.items():
        finished = ledger.committable()
        sums[tp.topic] += Counter(
            partitions=1, unfinished=ledger.unfinished(), lag=max(0, _end(consumer, tp) - finished),
            uncommitted=max(0, finished - (consumer._committed_offset[tp] or ledger.start)))
    for topic, summed in sums.items():
        yield Reading(metrics.TAKEN, consumer.taken[topic], (topic,))
        yield Reading(metrics.BATCHES, consumer.batches_taken[topic], (topic,))
        yield Reading(metrics.PARTITIONS, summed["partitions"], (topic,))
        yield Reading(metrics.UNFINISHED, summed["unfinished"], (topic,))
        yield Reading(metrics.LAG, summed["lag"], (topic,))
        yield Reading(metrics.UNCOMMITTED, summed["uncommitted"], (topic,))
        ledgers = [ledger for tp, ledger in consumer.ledgers.items() if tp.topic == topic]
        yield Reading(metrics.OLDEST, _age(ledgers, now), (topic,))


def _end(consumer: "BatchConsumer", tp: TP) -> int:
    """The partition's end, as of the last fetch; 0: not known."""
    try:
        return int(consumer.highwater(tp) or 0)
    except AssertionError:      # aiokafka knows already that the partition has left
        return 0


def _age(ledgers: list["Ledger"], now: float) -> float:
    """Seconds since the oldest record in work was written; 0: none is."""
    written = (at for ledger in ledgers if (at := ledger.oldest()) is not None)
    return max(0.0, now - min(written, default=now))
