"""Admission: what a trigger asks for, frozen as a run, or the reason why there is none."""

import hashlib
from dataclasses import dataclass

import orjson
from pydantic import JsonValue

from outreach_stream.catalog.snapshot import Catalog, CatalogErrors, UnknownWorkflow
from outreach_stream.catalog.spec import LARGEST_SPEC, WorkflowSpec, WrongParameters, freeze
from outreach_stream.domain.clock import iso
from outreach_stream.domain.events import ReplayRequested, RunRefused, RunRequested
from outreach_stream.domain.identity import canonical_time, canonical_workflow_id, run_id
from outreach_stream.domain.triggers import EXPRESS_LIMIT, Priority, WorkflowTriggered
from outreach_stream.recipients.unsubscribing import NOT_SET_UP

REQUEST_LIMIT = 384 * 1024
"""Bytes of a run's request at most: it must fit into one record, with what is noted beside it later."""


REASON_LIMIT = 1_000
"""Characters of a refusal's reason at most: it repeats what the trigger names, which may be of any length."""


@dataclass(frozen=True, slots=True)
class Arrival:
    """What is known of a trigger besides its contents, and where it has come to."""

    trigger_id: str
    """The trigger's own id, else its CloudEvents id, else its place in the topic."""
    sent_at: float
    """When its record was written."""
    now: float
    lanes: int
    """Lanes there are (partitions of `send.requested`)."""
    longest_run: float
    """Seconds a run may last."""
    unsubscribing: bool = False
    """Links to unsubscribe can be made."""


@dataclass(frozen=True, slots=True)
class Admission:
    """A run with the spec that its request names (asked for directly, or of the run that it replays), or a refusal."""

    event: RunRequested | ReplayRequested | RunRefused
    spec: WorkflowSpec | None = None


class Refused(Exception):  # noqa: N818 - named as it is said
    """Why no run comes of a trigger; said to whoever asks for the run."""


def admit(trigger: WorkflowTriggered, catalog: Catalog | CatalogErrors, arrival: Arrival) -> Admission:
    """Decide on a trigger. The same trigger gets the same run id, whenever and wherever it is decided on."""
    run = run_id(trigger.workflow_id, slot=trigger.slot, key=trigger.run_key, trigger_id=arrival.trigger_id)
    try:
        if isinstance(catalog, CatalogErrors):
            raise Refused(f"the catalog cannot be used: {catalog.problems[0]}")  # noqa: TRY301 - one way out
        return _freeze(run, trigger, catalog, arrival)
    except (Refused, UnknownWorkflow, WrongParameters) as why:
        return Admission(RunRefused(
            run_id=run, workflow_id=canonical_workflow_id(trigger.workflow_id), source=trigger.source,
            reason=str(why)[:REASON_LIMIT], slot=_slot(trigger), at=arrival.now))


def _freeze(run: str, trigger: WorkflowTriggered, catalog: Catalog, arrival: Arrival) -> Admission:
    spec = freeze(catalog, trigger.workflow_id, arrival.lanes)
    _check_people(trigger, spec)
    if spec.workflow.unsubscribe is not None and not arrival.unsubscribing:
        raise Refused(f"workflow {spec.workflow.id}: {NOT_SET_UP}")
    # A producer whose clock is ahead must not make its run last longer.
    triggered_at = min(trigger.triggered_at.timestamp() if trigger.triggered_at else arrival.sent_at, arrival.now)
    engine = catalog.engine(spec.engine)
    request = RunRequested(
        run_id=run, trigger_id=arrival.trigger_id, source=trigger.source, workflow_id=spec.workflow.id,
        workflow_name=spec.workflow.name, workflow_version=spec.workflow.version, template_id=spec.template.id,
        template_version=spec.template.version, spec=spec.digest, engine=engine.id,
        lanes=spec.lanes[engine.id], priority=_priority(trigger, spec),
        weight=spec.workflow.weight, slot=_slot(trigger), idempotency_key=trigger.run_key,
        parameters=_parameters(trigger, spec), recipients=trigger.recipients, body=body_digest(trigger),
        triggered_at=triggered_at, admitted_at=arrival.now, deadline=_deadline(trigger, spec, triggered_at, arrival),
        replay=trigger.replay)
    _check_size("the trigger's recipients and parameters", len(request.encode()), REQUEST_LIMIT,
                "use a query for many people")
    _check_size(f"workflow {spec.workflow.id} and its template", len(spec.encoded), LARGEST_SPEC,
                "shorten the bodies")
    if trigger.replay is None:
        return Admission(request, spec)
    own = bool(trigger.parameters)
    return Admission(ReplayRequested(run_id=trigger.replay.run_id, request=request, own_parameters=own), spec)


def _check_people(trigger: WorkflowTriggered, spec: WorkflowSpec) -> None:
    replay = trigger.replay
    if replay is None:
        if trigger.recipients is None and spec.workflow.recipients is None:
            raise Refused(f"workflow {spec.workflow.id} has no query, and the trigger brings no recipients")
        return
    if trigger.recipients is not None:
        raise Refused("a replay mails recipients of the earlier run: leave out those of the trigger")
    if "in_doubt" in replay.statuses and not replay.accept_duplicates:
        raise Refused("those in doubt may have got the mail already: accept duplicates, or leave out in_doubt")


def _parameters(trigger: WorkflowTriggered, spec: WorkflowSpec) -> dict[str, JsonValue]:
    """Of a replay that brings none: the defaults, beneath what the earlier run was given."""
    if trigger.replay and not trigger.parameters:
        return {name: it.default for name, it in spec.workflow.parameters.items() if not it.required}
    return spec.bind(trigger.parameters)


def _priority(trigger: WorkflowTriggered, spec: WorkflowSpec) -> Priority:
    """Express is for few recipients that need no query; whoever asks for it with more goes in bulk, as replays do.

    It waits for no `local_time`: of a workflow with one, it must be asked for.
    """
    few = trigger.recipients is not None and len(trigger.recipients) <= EXPRESS_LIMIT
    asked = trigger.priority or spec.workflow.priority or ("bulk" if spec.workflow.local_time else None)
    return "express" if few and asked != "bulk" else "bulk"


def _deadline(trigger: WorkflowTriggered, spec: WorkflowSpec, triggered_at: float, arrival: Arrival) -> float:
    deadline = trigger.deadline.timestamp() if trigger.deadline else triggered_at + spec.workflow.deadline
    if deadline <= arrival.now:
        raise Refused(f"its deadline, {iso(deadline)}, has passed")
    if deadline > arrival.now + arrival.longest_run:
        raise Refused(f"its deadline, {iso(deadline)}, is more than {arrival.longest_run / 86_400:g} days away")
    return deadline


def _check_size(what: str, size: int, most: int, advice: str) -> None:
    if size > most:
        raise Refused(f"{what} are too large: {size:,} bytes, {most:,} at most; {advice}")


def _slot(trigger: WorkflowTriggered) -> str | None:
    return canonical_time(trigger.slot) if trigger.slot else None


def body_digest(trigger: WorkflowTriggered) -> str:
    """SHA-256 of what is asked for, not of who asks when: tells a repeated trigger from another under its key."""
    body = trigger.model_dump(mode="json", include={"parameters", "recipients", "priority", "deadline"})
    if trigger.deadline:
        body["deadline"] = canonical_time(trigger.deadline)
    if trigger.replay:
        body["replay"] = trigger.replay.model_dump() | {"statuses": sorted(set(trigger.replay.statuses))}
    return hashlib.sha256(orjson.dumps(body, option=orjson.OPT_SORT_KEYS)).hexdigest()
