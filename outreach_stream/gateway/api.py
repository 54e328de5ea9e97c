"""The HTTP API. It serves while the broker is away, says so, and recovers by itself."""

from typing import Annotated

from fastapi import APIRouter, FastAPI, Header, HTTPException, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse

from outreach_stream.domain.identity import canonical_workflow_id
from outreach_stream.domain.triggers import Name
from outreach_stream.gateway import run_routes
from outreach_stream.gateway.models import Accepted, Broker, Engines, Health, TriggerRequest
from outreach_stream.gateway.served import Served
from outreach_stream.gateway.service import Gateway

router = APIRouter()


def build(gateway: Gateway) -> FastAPI:
    """The web application in front of `gateway`."""
    api = FastAPI(title="outreach-stream", version="1", lifespan=gateway.running,
                  description="Trigger outreach runs, look at them, and give orders about them.")
    api.state.gateway = gateway
    for each in (router, run_routes.router):
        api.include_router(each)
    api.add_exception_handler(RequestValidationError, _not_understood)
    return api


async def _not_understood(_: Request, error: Exception) -> JSONResponse:
    """What is wrong and where, without the values: what was put in the wrong place may be a secret."""
    assert isinstance(error, RequestValidationError)
    problems = [{name: each[name] for name in ("type", "loc", "msg")} for each in error.errors()]
    return JSONResponse({"detail": problems}, 422)


@router.get("/health", responses={503: {"model": Health}})
async def health(gateway: Served, response: Response) -> Health:
    """Whether Kafka is reachable, and how many workers of each role it knows."""
    pulse, reachable = gateway.pulse, bool(gateway.pulse.reachable)
    response.status_code = 200 if reachable else 503
    return Health(status="ok" if reachable else "unavailable", roles=pulse.roles,
                  broker=Broker(bootstrap=pulse.bootstrap, reachable=reachable))


@router.post("/api/v1/trigger", status_code=202, responses={404: {}, 413: {}, 503: {}})
async def trigger(asked: TriggerRequest, gateway: Served, request: Request,
                  idempotency_key: Annotated[Name | None, Header()] = None) -> Accepted:
    """Start a run. Answers when Kafka has it for sure; the same slot or key is the same run, however often."""
    if idempotency_key:
        if asked.idempotency_key not in {None, idempotency_key}:
            raise HTTPException(422, "The header Idempotency-Key and the body's idempotency_key differ.")
        asked = asked.model_copy(update={"idempotency_key": idempotency_key})
    run = await gateway.trigger(asked)
    return Accepted(run_id=run, workflow_id=canonical_workflow_id(asked.workflow_id),
                    status_url=str(request.url_for("run", run_id=run)))


@router.get("/api/v1/engines", responses={503: {}})
async def engines(gateway: Served) -> Engines:
    """Where each engine of the catalog stands: its limits, and whether it is throttled or stopped."""
    return Engines(engines=await gateway.engines())
