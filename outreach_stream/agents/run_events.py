"""Saying what happens to runs."""

from dataclasses import dataclass

from outreach_stream.agents.by_run import produce_by_run
from outreach_stream.domain.events import RunInitializing, RunPlanReported
from outreach_stream.streaming.app import StreamApp
from outreach_stream.streaming.produce import Record
from outreach_stream.topics import RUN_EVENT


@dataclass(frozen=True, slots=True)
class RunEvents:
    """`run.event`, as the dispatcher writes it."""

    app: StreamApp
    partitions: int

    async def report(self, *events: RunInitializing | RunPlanReported) -> None:
        """Returns when all are durable; raises aiokafka's `KafkaError`."""
        await produce_by_run(self.app, RUN_EVENT.name, self.partitions, (
            (event.run_id, Record(event.run_id.encode(), event.encode())) for event in events))
