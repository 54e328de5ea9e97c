"""`/api/v1/runs`: look at runs, and give orders about them."""

from typing import Annotated

from fastapi import APIRouter, HTTPException, Query, Request

from outreach_stream.domain.clock import Moment
from outreach_stream.domain.events import RunStatus
from outreach_stream.domain.identity import canonical_workflow_id
from outreach_stream.domain.states import RecipientStatus, RunState
from outreach_stream.gateway.models import Ordered, Replayed, ReplayRequest, Runs
from outreach_stream.gateway.runs.listing import Choice
from outreach_stream.gateway.runs.orders import Order
from outreach_stream.gateway.runs.outcomes import Outcomes
from outreach_stream.gateway.runs.paging import RecipientPlace, RunPlace
from outreach_stream.gateway.runs.recipients import Recipients, Wanted
from outreach_stream.gateway.runs.recipients import recipients as page_of_recipients
from outreach_stream.gateway.runs.replays import recipients
from outreach_stream.gateway.runs.results import ResultsUnavailableError
from outreach_stream.gateway.served import Served
from outreach_stream.gateway.service import Gateway

router = APIRouter(prefix="/api/v1/runs")

Cursor = Annotated[str | None, Query(max_length=600, description="`next` of the page before")]


async def _order(order: Order, run: str, gateway: Gateway, request: Request) -> Ordered:
    await gateway.order(order, run)
    return Ordered(run_id=run, ordered=order, status_url=str(request.url_for("run", run_id=run)))


@router.get("")
async def runs(
    gateway: Served,
    state: Annotated[list[RunState], Query(description="In one of these; may be repeated")] = [],  # noqa: B006
    workflow: Annotated[str | None, Query(description="Id of their workflow")] = None,
    since: Annotated[Moment | None, Query(description="Began then or later")] = None,
    until: Annotated[Moment | None, Query(description="Began before")] = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 50,
    cursor: Cursor = None,
) -> Runs:
    """Runs, those that began last first, page by page. Runs that begin meanwhile do not shift the pages."""
    choice = Choice(frozenset(state), None if workflow is None else canonical_workflow_id(workflow),
                    None if since is None else since.timestamp(), None if until is None else until.timestamp())
    words, following = gateway.statuses.page(choice, limit, None if cursor is None else RunPlace.at(cursor))
    return Runs(runs=[word.status for word in words], next=following and following.cursor)


@router.get("/{run_id}", name="run", responses={404: {}, 503: {}})
async def run(run_id: str, gateway: Served) -> RunStatus:
    """Where a run stands."""
    return gateway.status(run_id)


@router.get("/{run_id}/recipients", responses={404: {}, 503: {}})
async def run_recipients(
    run_id: str,
    gateway: Served,
    status: Annotated[list[RecipientStatus], Query(description="Ended so; may be repeated")] = [],  # noqa: B006
    search: Annotated[str, Query(max_length=320, description="Part of the address, in whatever case")] = "",
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    cursor: Cursor = None,
) -> Recipients:
    """How it ended for each recipient, page by page, in constant memory; those without an end are not listed.

    A page is what was found within a second: it may have fewer entries than asked for, even none, with `next` set.
    """
    wanted = Wanted(frozenset(status), search)
    place = None if cursor is None else RecipientPlace.at(cursor)
    try:
        return await page_of_recipients(gateway.reads.scans, gateway.status(run_id), wanted, limit, place)
    except ResultsUnavailableError as error:
        raise _not_now(error) from error


@router.get("/{run_id}/outcomes", responses={404: {}, 503: {}})
async def run_outcomes(run_id: str, gateway: Served) -> Outcomes:
    """How many recipients ended how, why, and when.

    Each request reads on for a second at most: ask again until it is `complete`.
    """
    try:
        return await gateway.reads.outcomes.ask(gateway.status(run_id))
    except ResultsUnavailableError as error:
        raise _not_now(error) from error


def _not_now(error: ResultsUnavailableError) -> HTTPException:
    return HTTPException(503, str(error), headers={"Retry-After": "1"})


@router.post("/{run_id}/cancel", status_code=202, responses={404: {}, 409: {}, 503: {}})
async def cancel(run_id: str, gateway: Served, request: Request) -> Ordered:
    """Mail nobody of the run any more, for good: whoever has not been mailed ends as `cancelled`.

    Answers when Kafka has the order for sure; may be repeated. 409: the run has ended.
    """
    return await _order("cancel", run_id, gateway, request)


@router.post("/{run_id}/pause", status_code=202, responses={404: {}, 409: {}, 503: {}})
async def pause(run_id: str, gateway: Served, request: Request) -> Ordered:
    """Mail nobody of the run until it is resumed. Its deadline goes on. 409: it has ended, or is cancelled."""
    return await _order("pause", run_id, gateway, request)


@router.post("/{run_id}/resume", status_code=202, responses={404: {}, 409: {}, 503: {}})
async def resume(run_id: str, gateway: Served, request: Request) -> Ordered:
    """Go on with a paused run. 409: it is not paused, is cancelled, or has ended."""
    return await _order("resume", run_id, gateway, request)


@router.post("/{run_id}/replay", status_code=202, responses={404: {}, 409: {}, 503: {}})
async def replay(run_id: str, asked: ReplayRequest, gateway: Served, request: Request) -> Replayed:
    """Mail some of an ended run's recipients, by how they ended, as a run of its own that names this one.

    409: it has not ended, nobody ended so, or an earlier replay has some of them already.
    """
    parent, new = await gateway.replay(run_id, asked)
    return Replayed(run_id=new, parent=run_id, workflow_id=parent.workflow_id,
                    recipients=recipients(parent, asked.statuses),
                    status_url=str(request.url_for("run", run_id=new)))
