"""`/api/v1/schedules` and `/api/v1/workflows`: what the catalog has, and a workflow's mail before anybody gets it."""

from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.concurrency import run_in_threadpool

from outreach_stream.domain.identity import canonical_workflow_id
from outreach_stream.gateway.catalog.schedules import MOST_SLOTS, Schedules, schedule_states
from outreach_stream.gateway.catalog.workflows import (
    PreviewRequest,
    ShownMail,
    TrialRequest,
    Workflows,
    workflow_entries,
)
from outreach_stream.gateway.models import Accepted
from outreach_stream.gateway.served import Served

router = APIRouter(prefix="/api/v1")

_LOOKS: dict[int | str, dict[str, Any]] = {status: {"description": said} for status, said in {
    404: "There is no such workflow", 409: "The query finds nobody", 422: "The parameters, the query or the template "
    "are wrong: it says what", 429: "Too many look at databases at the moment", 503: "The catalog or the database "
    "cannot be used", 504: "The database takes too long"}.items()}


@router.get("/schedules", responses={503: {}})
async def schedules(gateway: Served, n: Annotated[int, Query(ge=0, le=MOST_SLOTS)] = 5) -> Schedules:
    """All schedules, each with its next `n` slots."""
    return await run_in_threadpool(schedule_states, await gateway.current(), datetime.now(UTC), n)


@router.get("/workflows", responses={503: {}})
async def workflows(gateway: Served) -> Workflows:
    """All workflows: their engines, parameters, and what triggers them."""
    return workflow_entries(await gateway.current())


@router.post("/workflows/{workflow_id}/preview", responses=_LOOKS)
async def preview(workflow_id: str, asked: PreviewRequest, gateway: Served) -> ShownMail:
    """The mail that a recipient would get now, made as a sender makes it. Nobody is mailed.

    Without `recipient` it is that of the first whom the query finds.
    """
    return await gateway.previews.preview(await gateway.current(), workflow_id, asked)


@router.post("/workflows/{workflow_id}/test", status_code=202, responses=_LOOKS)
async def test(workflow_id: str, asked: TrialRequest, gateway: Served, request: Request) -> Accepted:
    """Mail a recipient's mail to an address of yours: an express run of one, which counts as no slot's run.

    Answers when Kafka has it for sure. What cannot be rendered, or is not known, is refused here.
    """
    run = await gateway.trial(workflow_id, asked)
    return Accepted(run_id=run, workflow_id=canonical_workflow_id(workflow_id),
                    status_url=str(request.url_for("run", run_id=run)))
