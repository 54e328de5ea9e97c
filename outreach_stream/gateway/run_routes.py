"""`/api/v1/runs`: look at runs, and give orders about them."""

from typing import Annotated

from fastapi import APIRouter, Query, Request

from outreach_stream.domain.events import RunStatus
from outreach_stream.gateway.models import Ordered, Replayed, ReplayRequest, Runs
from outreach_stream.gateway.orders import Order
from outreach_stream.gateway.replays import recipients
from outreach_stream.gateway.served import Served
from outreach_stream.gateway.service import Gateway

router = APIRouter(prefix="/api/v1/runs")


async def _order(order: Order, run: str, gateway: Gateway, request: Request) -> Ordered:
    await gateway.order(order, run)
    return Ordered(run_id=run, ordered=order, status_url=str(request.url_for("run", run_id=run)))


@router.get("", response_model_exclude_none=True)
async def runs(gateway: Served, limit: Annotated[int, Query(ge=1, le=1000)] = 50) -> Runs:
    """The newest runs."""
    return Runs(runs=gateway.statuses.newest(limit))


@router.get("/{run_id}", name="run", responses={404: {}, 503: {}})
async def run(run_id: str, gateway: Served) -> RunStatus:
    """Where a run stands."""
    return gateway.status(run_id)


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
