"""admit: takes triggers, freezes what they ask for, and forwards it to the run's own partition."""

import asyncio
from collections.abc import Callable
from typing import Any

from aiokafka import ConsumerRecord
from pydantic import ValidationError

from outreach_stream import topics
from outreach_stream.agents.by_run import produce_by_run
from outreach_stream.agents.cloud_events import cloud_id
from outreach_stream.agents.durable import bury_all, make_durable
from outreach_stream.agents.unreadable import problem
from outreach_stream.catalog.snapshot import Catalog, CatalogErrors
from outreach_stream.catalog.spec import LARGEST_SPEC
from outreach_stream.domain.clock import Clock, wall_clock
from outreach_stream.domain.triggers import WorkflowTriggered
from outreach_stream.runs.admission import REQUEST_LIMIT, Admission, Arrival, admit
from outreach_stream.streaming.app import StreamApp
from outreach_stream.streaming.batch import Batch
from outreach_stream.streaming.produce import Record, RecordTooLarge, produce

type CatalogProvider = Callable[[], Catalog]
"""The catalog as it stands now; raises `CatalogErrors`, may block."""


BREATH = 50
"""Triggers decided on between two chances for others in the loop: each freezes its workflow anew."""


class Admit:
    """The agent of `workflow.triggered`."""

    def __init__(self, app: StreamApp, catalog: CatalogProvider, layout: topics.Layout, *,
                 clock: Clock = wall_clock, unsubscribing: bool = False) -> None:
        """`unsubscribing`: links to unsubscribe can be made."""
        self._app, self._catalog, self._layout, self._clock = app, catalog, layout, clock
        self._unsubscribing = unsubscribing
        self._known_specs: set[str] = set()     # digests that this process has published

    def register(self) -> None:
        """Have the app admit triggers."""
        topic = self._app.batch_topic(topics.WORKFLOW_TRIGGERED.name)
        self._app.agent(topic, name="admit")(self._agent)

    async def _agent(self, stream: Any) -> None:
        async for batch in self._app.batches(stream):
            await make_durable(batch, lambda batch=batch: self._admit(batch))   # type: ignore[misc]

    async def _admit(self, batch: Batch) -> None:
        catalog = await asyncio.to_thread(self._current_catalog)
        admitted, unreadable = [], {}
        for i, record in enumerate(batch.records):
            try:
                admitted.append(self._decide(record, catalog))
            except ValidationError as error:
                unreadable[i] = problem("WorkflowTriggered", error)
            except Exception as error:  # noqa: BLE001 - no trigger, however odd, may stop those behind it
                unreadable[i] = f"cannot be admitted: {type(error).__name__}"
            if i % BREATH == BREATH - 1:
                await asyncio.sleep(0)
        await bury_all(self._app, batch, unreadable)
        await self._publish_specs(admitted)
        await self._publish(admitted)

    def _current_catalog(self) -> Catalog | CatalogErrors:
        try:
            return self._catalog()
        except CatalogErrors as errors:
            return errors

    def _decide(self, record: ConsumerRecord, catalog: Catalog | CatalogErrors) -> Admission:
        trigger = WorkflowTriggered.model_validate_json(record.value or b"")
        trigger_id = trigger.trigger_id or cloud_id(record.headers)
        place = f"{record.topic}:{record.partition}:{record.offset}"
        decided = admit(trigger, catalog, Arrival(
            trigger_id=trigger_id or place, sent_at=record.timestamp / 1000, now=self._clock(),
            lanes=self._layout.lanes, longest_run=topics.LONGEST_RUN, unsubscribing=self._unsubscribing))
        if len(decided.event.encode()) > REQUEST_LIMIT:
            raise RecordTooLarge("its ids alone are")
        return decided

    async def _publish_specs(self, admitted: list[Admission]) -> None:
        """Before the runs that name them: whoever reads a digest may rely on finding its spec."""
        specs = {it.spec.digest: it.spec for it in admitted if it.spec}
        new = {digest: spec for digest, spec in specs.items() if digest not in self._known_specs}
        if new:
            records = [Record(digest.encode(), spec.encoded) for digest, spec in new.items()]
            await produce(self._app.aiokafka_producer, topics.WORKFLOW_SPEC.name, 0, records, largest=LARGEST_SPEC)
            self._known_specs |= new.keys()

    async def _publish(self, admitted: list[Admission]) -> None:
        """A replay goes to the partition of the run that it is of, which knows the recipients."""
        events = (it.event for it in admitted)
        await produce_by_run(self._app, topics.RUN_EVENT.name, self._layout.runs, (
            (event.run_id, Record(event.run_id.encode(), event.encode())) for event in events))
