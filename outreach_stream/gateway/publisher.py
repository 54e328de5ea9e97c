"""Publishes triggers, and returns only when Kafka has them for sure."""

from collections.abc import Sequence
from uuid import uuid4

import structlog

from outreach_stream.domain.clock import Clock, iso, wall_clock
from outreach_stream.domain.identity import run_id
from outreach_stream.domain.triggers import WorkflowTriggered
from outreach_stream.gateway.writer import BrokerAwayError, Writer
from outreach_stream.streaming.produce import Record
from outreach_stream.topics import WORKFLOW_TRIGGERED

_log = structlog.get_logger()


def identified(trigger: WorkflowTriggered) -> tuple[WorkflowTriggered, str]:
    """The trigger with an id of its own, if it has none, and the id of the run that it asks for."""
    trigger_id = trigger.trigger_id or str(uuid4())
    run = run_id(trigger.workflow_id, slot=trigger.slot, key=trigger.run_key, trigger_id=trigger_id)
    return trigger.model_copy(update={"trigger_id": trigger_id}), run


def cloud_headers(trigger: WorkflowTriggered, at: float) -> Sequence[tuple[str, bytes]]:
    """Headers of CloudEvents 1.0 in its Kafka binding's binary mode: `content-type` and `ce_` attributes."""
    assert trigger.trigger_id, "identified first"
    attributes = {
        "content-type": "application/json", "ce_specversion": "1.0", "ce_id": trigger.trigger_id,
        "ce_type": "outreach.workflow.triggered", "ce_source": trigger.source, "ce_time": iso(at),
    }
    return [(name, value.encode()) for name, value in attributes.items()]


class TriggerPublisher:
    """Publishes to `workflow.triggered`."""

    def __init__(self, writer: Writer, clock: Clock = wall_clock) -> None:
        self._writer, self._clock = writer, clock
        self.published = 0
        """Triggers that Kafka has for sure."""

    async def publish(self, trigger: WorkflowTriggered) -> str:
        """Returns the run's id once the broker has acknowledged the trigger. Raises as `Writer.write`.

        One that was not acknowledged may be accepted all the same: repeated under its slot or key, it is one run.
        """
        trigger, run = identified(trigger)
        headers = cloud_headers(trigger, self._clock())
        try:
            await self._writer.write(WORKFLOW_TRIGGERED.name, Record(run.encode(), trigger.encode(), headers))
        except BrokerAwayError as error:
            _log.warning("trigger_not_acknowledged", run_id=run, error=type(error.__cause__).__name__)
            raise
        self.published += 1
        _log.info("trigger_published", run_id=run, workflow_id=str(trigger.workflow_id), source=trigger.source)
        return run
