"""Saying what happens to runs."""

import asyncio
from collections import defaultdict
from dataclasses import dataclass

from outreach_stream.domain.events import RunInitializing, RunPlanReported
from outreach_stream.domain.identity import partition_of
from outreach_stream.streaming.app import StreamApp
from outreach_stream.streaming.produce import Record, produce
from outreach_stream.topics import RUN_EVENT


@dataclass(frozen=True, slots=True)
class RunEvents:
    """`run.event`, as the dispatcher writes it."""

    app: StreamApp
    partitions: int

    async def report(self, *events: RunInitializing | RunPlanReported) -> None:
        """Returns when all are durable; raises aiokafka's `KafkaError`."""
        records: defaultdict[int, list[Record]] = defaultdict(list)
        for event in events:
            records[partition_of(event.run_id, self.partitions)].append(Record(event.run_id.encode(), event.encode()))
        await asyncio.gather(*(produce(self.app.aiokafka_producer, RUN_EVENT.name, partition, of_partition)
                               for partition, of_partition in records.items()))
