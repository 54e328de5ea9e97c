"""The log's beginning: everything but the recipients."""

from datetime import UTC, datetime
from typing import Any

from outreach_stream.domain.clock import iso
from outreach_stream.domain.events import RunRequested
from outreach_stream.domain.states import Counts, RunState
from outreach_stream.runs.log_models import (
    LogDurations,
    LogEngine,
    LogHead,
    LogRun,
    LogSummary,
    LogTemplate,
    LogTrigger,
    LogWorkflow,
)
from outreach_stream.runs.record import RunRecord


def log_name(request: RunRequested) -> str:
    """A run's log in its store: by the day of its admission in UTC, so that a rewrite finds the same place."""
    return f"{datetime.fromtimestamp(request.admitted_at, UTC).date().isoformat()}/{request.run_id}.json"


def log_head(record: RunRecord, counts: Counts, engine_config: dict[str, Any] | None) -> LogHead:
    """The head of an admitted run that has ended; secrets in `engine_config` must be references."""
    request = record.request
    if request is None or record.state is None:
        raise ValueError("only an admitted run has a log")
    return LogHead(
        run=_run(request, record, record.state, counts),
        workflow=LogWorkflow(
            id=request.workflow_id, name=request.workflow_name, version=request.workflow_version,
            template=LogTemplate(id=request.template_id, version=request.template_version), spec_digest=request.spec),
        engine=LogEngine(id=request.engine, config=engine_config),
        summary=_summary(request, record, counts))


def _run(request: RunRequested, record: RunRecord, state: RunState, counts: Counts) -> LogRun:
    return LogRun(
        id=request.run_id, state=state, reason=record.reason, warnings=record.warnings,
        trigger=LogTrigger(id=request.trigger_id, source=request.source, at=iso(request.triggered_at)),
        parent=request.replay.run_id if request.replay else None,
        slot=request.slot, lateness=_lateness(request), idempotency_key=request.idempotency_key,
        priority=request.priority,
        states={entered: iso(at) for entered, at in record.states.items()},
        deadline=iso(request.deadline), deadline_passed=bool(counts.expired or record.given_up))


def _lateness(request: RunRequested) -> float | None:
    if request.slot is None:
        return None
    return round(request.triggered_at - datetime.fromisoformat(request.slot).timestamp(), 3)


def _summary(request: RunRequested, record: RunRecord, counts: Counts) -> LogSummary:
    planned_at = record.plan.at if record.plan else None
    to_send = _between(planned_at, record.ended_at)
    return LogSummary(
        **counts.model_dump(),
        durations=LogDurations(to_plan=_between(request.admitted_at, planned_at), to_send=to_send,
                               total=_between(request.triggered_at, record.ending.at if record.ending else None)),
        rate=round(counts.sent / to_send, 3) if to_send else None)


def _between(start: float | None, end: float | None) -> float | None:
    # Clocks of different machines: a plan may seem older than its admission.
    return None if start is None or end is None else round(max(0.0, end - start), 3)
