"""Records as lines: what matters for people, everything for programs."""

import json
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from aiokafka import ConsumerRecord

from outreach_stream.cli.dead_letters.letter import printable, text_or_hex
from outreach_stream.cli.events.decoding import Decoded, decode
from outreach_stream.domain.clock import iso
from outreach_stream.telemetry.redaction import redact

MATTERS = {
    "WorkflowTriggered": "run_id workflow_id slot idempotency_key source priority parameters recipients replay",
    "RunRequested": "workflow_id source slot idempotency_key priority engine recipients replay",
    "RunRefused": "workflow_id source slot reason",
    "RunInitializing": "",
    "RunPlanReported": "total skipped chunks error warning cancelled",
    "RunLogged": "log",
    "ReplayRequested": "request.run_id request.replay",
    "RunChunk": "plan_id chunk rows skipped",
    "RunPlanned": "plan_id engine total skipped chunks error warning cancelled",
    "WorkflowSpec": "workflow.id workflow.name workflow.version template.id",
    "SendRequested": "run_id chunk index email engine skip doubted",
    "LaneProgress": "finished",
    "SendResult": "chunk index email status reason engine attempts possible_duplicate recovered",
    "RunStatus": "state counts reason warnings paused cancelling engine_stopped log",
    "Unsubscribed": "list email how run_id",
    "RunOrder": "by",
    "EngineFuse": "reason by",
    "EngineThrottle": "factor reason",
    "DeadLetter": "topic partition source_offset bytes truncated reason",
}
"""By kind: the fields that a line has, with dots for those within another."""


@dataclass(frozen=True, slots=True)
class Show:
    """How records are printed."""

    addresses: bool = True
    as_json: bool = False

    def line(self, record: ConsumerRecord) -> str:
        """The record as one line; on a terminal cut to its width."""
        decoded = decode(record)
        if self.as_json:
            whole = _whole(record, decoded)
            return json.dumps(whole if self.addresses else _masked(whole))
        said = _said(decoded)
        key = "-" if record.key is None else text_or_hex(record.key)[1]
        if not self.addresses:
            key, said = redact(key), redact(said)
        line = printable(f"{iso(record.timestamp / 1000)} {record.partition}@{record.offset} {key} {said}".rstrip())
        line = " ".join(line.split())
        return line[:shutil.get_terminal_size().columns] if sys.stdout.isatty() else line


def _said(decoded: Decoded) -> str:
    if decoded.unreadable:
        return f"UNREADABLE {decoded.unreadable}"
    pairs = ((name, _field(decoded.event or {}, name)) for name in MATTERS.get(decoded.kind, "").split())
    return " ".join([decoded.kind, *(f"{name}={text}" for name, text in pairs if text)])


def _field(event: Mapping[str, Any], path: str) -> str:
    """Text of a field; nothing for one without a value: false, empty or missing."""
    value: Any = event
    for name in path.split("."):
        value = value.get(name) if isinstance(value, Mapping) else None
    if value is None or value is False or value == "":
        return ""
    if isinstance(value, list):
        return f"[{len(value)}]" if value else ""
    if isinstance(value, Mapping):
        return ",".join(f"{name}:{_plain(each)}" for name, each in value.items() if each)
    return _plain(value)


def _plain(value: Any) -> str:
    return value if isinstance(value, str) and not set(' ="\n') & set(value) else json.dumps(value, ensure_ascii=False)


def _whole(record: ConsumerRecord, decoded: Decoded) -> dict[str, Any]:
    place = {"topic": record.topic, "partition": record.partition, "offset": record.offset,
             "time": iso(record.timestamp / 1000)}
    key = None if record.key is None else text_or_hex(record.key)[1]
    headers = [[name, text_or_hex(value)[1]] for name, value in record.headers]
    whole = {**place, "key": key, "headers": headers, "kind": decoded.kind, "event": decoded.event}
    if decoded.unreadable is None:
        return whole
    encoding, value = text_or_hex(record.value)
    return whole | {"unreadable": decoded.unreadable, "encoding": encoding, "value": value}


def _masked(whole: dict[str, Any]) -> dict[str, Any]:
    """Without addresses. Of what is no text nobody can tell whether it has any: it is left out."""
    masked: dict[str, Any] = redact(whole)
    for part in (masked, masked["event"] or {}):
        if part.get("encoding") == "hex":
            part["value"] = ""
    return masked
