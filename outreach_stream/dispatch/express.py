"""The short way of small runs: their recipients came with the trigger, so there is no query and no chunk."""

from collections import defaultdict
from collections.abc import Mapping, Sequence

from outreach_stream.dispatch.planning import LONGEST_ERROR
from outreach_stream.dispatch.ports import CannotPlan, LeftOut, Materials, Person
from outreach_stream.domain.clock import Clock
from outreach_stream.domain.events import RunPlanReported, RunRequested, SendRequested
from outreach_stream.domain.identity import lane_of
from outreach_stream.domain.triggers import InlineRecipient

SPEC_PATIENCE = 0.5
"""Seconds that a spec may lag behind its run; one that does not come then holds up none of the others."""


async def plan_express(
    run: RunRequested, materials: Materials, clock: Clock,
) -> tuple[RunPlanReported, Mapping[int, Sequence[bytes]]]:
    """The report and the requests by lane; every recipient has one, at the index of its place in the list.

    The same, however often it is planned, also when the run was cancelled meanwhile: some may have been mailed already.
    Whoever is not to be mailed is requested with `skip`, and ends in the lane like the others. A plan with an error has
    no requests. Raises `CannotPlan` if the same may succeed soon.
    """
    recipients = run.recipients or []
    try:
        decided = await _decide(run, recipients, materials)
    except CannotPlan as error:
        if error.retriable:
            raise
        return unplanned(run, str(error), clock), {}
    requests: defaultdict[int, list[bytes]] = defaultdict(list)
    for index, (given, decision) in enumerate(zip(recipients, decided, strict=True)):
        skip = decision[1] if len(decision) == 2 else None  # noqa: PLR2004 - left out: an address and a reason
        requests[lane_of(run.run_id, 0, index, run.lanes)].append(_request(run, given, index, decision[0], skip))
    return RunPlanReported(run_id=run.run_id, total=len(recipients), at=clock()), requests


def cancelled(run: RunRequested, clock: Clock) -> RunPlanReported:
    """The report of a run that was cancelled before it could be planned."""
    return RunPlanReported(run_id=run.run_id, total=0, cancelled=True, at=clock())


def unplanned(run: RunRequested, error: str, clock: Clock) -> RunPlanReported:
    """The report of a run that cannot be planned."""
    return RunPlanReported(run_id=run.run_id, total=0, error=error[:LONGEST_ERROR], at=clock())


async def _decide(
    run: RunRequested, recipients: Sequence[InlineRecipient], materials: Materials,
) -> list[Person | LeftOut]:
    material = await materials.gather(run, patience=SPEC_PATIENCE)
    columns = sorted({name for recipient in recipients for name in recipient.variables})
    if missing := material.missing(columns):
        raise CannotPlan("; ".join(missing))
    return await material.decide(recipients)


def _request(run: RunRequested, given: InlineRecipient, index: int, email: str, skip: str | None) -> bytes:
    variables = {**run.parameters, **given.variables}
    return SendRequested(run_id=run.run_id, chunk=0, index=index, email=email, name=given.name, variables=variables,
                         spec=run.spec, engine=run.engine, deadline=run.deadline, skip=skip,
                         doubted=index in run.doubted).encode()
