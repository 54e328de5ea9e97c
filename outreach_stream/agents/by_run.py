"""Writing to the topics whose partition follows from the run."""

import asyncio
from collections import defaultdict
from collections.abc import Iterable
from itertools import groupby
from operator import itemgetter

from outreach_stream.domain.identity import partition_of
from outreach_stream.streaming.app import StreamApp
from outreach_stream.streaming.produce import Record, produce


async def produce_by_run(app: StreamApp, topic: str, partitions: int, records: Iterable[tuple[str, Record]]) -> None:
    """Each record, given with its run id, to the run's partition; those of a run stay in order.

    Returns when all are durable; raises what `produce` raises, and then some may have been written.
    """
    by_partition: defaultdict[int, list[Record]] = defaultdict(list)
    for run_id, of_run in groupby(records, key=itemgetter(0)):
        by_partition[partition_of(run_id, partitions)].extend(record for _, record in of_run)
    await asyncio.gather(*(produce(app.aiokafka_producer, topic, partition, of_partition)
                           for partition, of_partition in by_partition.items()))
