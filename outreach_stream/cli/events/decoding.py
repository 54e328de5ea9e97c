"""Every topic's records, decoded by the models, as what they say or as why they cannot be read."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from aiokafka import ConsumerRecord
from pydantic import BaseModel, ValidationError

from outreach_stream import topics
from outreach_stream.agents.cloud_events import cloud_id
from outreach_stream.agents.unreadable import problem
from outreach_stream.catalog.spec import WorkflowSpec
from outreach_stream.cli.dead_letters.letter import DeadLetter, text_or_hex
from outreach_stream.domain.control import read_order
from outreach_stream.domain.events import (
    RUN_EVENT,
    LaneProgress,
    RunChunk,
    RunPlanned,
    RunRequested,
    RunStatus,
    SendRequested,
    SendResult,
)
from outreach_stream.domain.identity import run_id
from outreach_stream.domain.triggers import WorkflowTriggered
from outreach_stream.domain.unsubscribing import Unsubscribed

_READERS: Mapping[str, tuple[str, Callable[[bytes], BaseModel]]] = {
    topics.RUN_EVENT.name: ("RunEvent", RUN_EVENT.validate_json),
    topics.WORKFLOW_SPEC.name: ("WorkflowSpec", WorkflowSpec.read),
    **{topic.name: (model.__name__, model.model_validate_json) for topic, model in (
        (topics.WORKFLOW_TRIGGERED, WorkflowTriggered), (topics.RUN_ADMITTED, RunRequested),
        (topics.RUN_ADMITTED_EXPRESS, RunRequested), (topics.RUN_CHUNK, RunChunk), (topics.RUN_PLANNED, RunPlanned),
        (topics.SEND_REQUESTED, SendRequested), (topics.SEND_REQUESTED_EXPRESS, SendRequested),
        (topics.LANE_PROGRESS, LaneProgress), (topics.SEND_RESULT, SendResult), (topics.RUN_STATUS, RunStatus),
        (topics.SUPPRESSION, Unsubscribed))},
}


@dataclass(frozen=True, slots=True)
class Decoded:
    """What a record says."""

    kind: str
    """The event's name; what it should have been, if it cannot be read."""
    event: Mapping[str, Any] | None = None
    """Its fields, those that have no value left out; None: the key's value is deleted, or it cannot be read."""
    unreadable: str | None = None
    """Why it cannot be read."""


def decode(record: ConsumerRecord) -> Decoded:
    """The record of any topic of ours. Never raises: what is wrong with it is told."""
    if record.topic == topics.DEAD_LETTER.name:
        return _dead_letter(record)
    kind = "Order" if record.topic == topics.CONTROL.name else _READERS[record.topic][0]
    try:
        model = _read(record)
        return Decoded("Deleted") if model is None else Decoded(type(model).__name__, _fields(record, model))
    except ValidationError as error:
        return Decoded(kind, unreadable=problem(kind, error))
    except Exception as error:  # noqa: BLE001 - whatever it is: the next one can be read
        return Decoded(kind, unreadable=str(error) if type(error) is ValueError else type(error).__name__)


def _read(record: ConsumerRecord) -> BaseModel | None:
    if record.topic == topics.CONTROL.name:
        return read_order(record.key or b"", record.value).order
    return None if record.value is None else _READERS[record.topic][1](record.value)


def _fields(record: ConsumerRecord, model: BaseModel) -> dict[str, Any]:
    fields = model.model_dump(mode="json", exclude_none=True)
    if isinstance(model, WorkflowTriggered):
        fields = {"run_id": _run_of(record, model), **fields}
    return fields


def _run_of(record: ConsumerRecord, trigger: WorkflowTriggered) -> str:
    """The run that is admitted for it."""
    trigger_id = trigger.trigger_id or cloud_id(record.headers) or f"{record.topic}:{record.partition}:{record.offset}"
    return run_id(trigger.workflow_id, slot=trigger.slot, key=trigger.run_key, trigger_id=trigger_id)


def _dead_letter(record: ConsumerRecord) -> Decoded:
    letter = DeadLetter.read(record)
    if letter.source is None:
        return Decoded("DeadLetter", unreadable="it does not say where it came from")
    encoding, value = text_or_hex(letter.value)
    return Decoded("DeadLetter", letter.summary() | {"encoding": encoding, "value": value})


def names_run(record: ConsumerRecord, run: str) -> bool:
    """Whether the record names the run in its key or its value, or is a trigger of it, which need not name it."""
    name = run.encode()
    if name in (record.key or b"") or name in (record.value or b""):
        return True
    event = decode(record).event if record.topic == topics.WORKFLOW_TRIGGERED.name else None
    return event is not None and event["run_id"] == run
