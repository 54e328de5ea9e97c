"""The HTTP API. It serves while the broker is away, says so, and recovers by itself."""

from typing import Annotated

from fastapi import APIRouter, FastAPI, Header, HTTPException, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse

from outreach_stream.domain.identity import canonical_workflow_id
from outreach_stream.domain.triggers import Name
from outreach_stream.gateway import page_routes
from outreach_stream.gateway.catalog import routes as catalog_routes
from outreach_stream.gateway.catalog.workflows import DryRun
from outreach_stream.gateway.door import routes as access_routes
from outreach_stream.gateway.door.access import Door, Guarded, names_of, tokens_of
from outreach_stream.gateway.door.bodies import WholeBodies
from outreach_stream.gateway.door.described import Described
from outreach_stream.gateway.door.methods import not_this_method
from outreach_stream.gateway.door.security import SecureHeaders
from outreach_stream.gateway.engines import routes as engine_routes
from outreach_stream.gateway.health import routes as health_routes
from outreach_stream.gateway.health.counted import Counted, Counts
from outreach_stream.gateway.health.readings import registry_of
from outreach_stream.gateway.models import Accepted, TriggerRequest
from outreach_stream.gateway.runs import event_routes
from outreach_stream.gateway.runs import routes as run_routes
from outreach_stream.gateway.served import Served
from outreach_stream.gateway.service import Gateway
from outreach_stream.gateway.unsubscribing import routes as unsubscribe_routes
from outreach_stream.gateway.unsubscribing import suppression_routes

MOST_PROBLEMS = 20
"""Of a request that is not understood, that are told: a thousand wrong fields need no thousand answers."""

router = APIRouter()


def build(gateway: Gateway) -> FastAPI:
    """The web application in front of `gateway`. Raises `TokenErrors`."""
    settings = gateway.settings
    # No /docs: it loads scripts from elsewhere. No redirects to paths with or without a slash: a path is right or not.
    api = Described(title="outreach-stream", version="1", lifespan=gateway.running, docs_url=None, redoc_url=None,
                    redirect_slashes=False,
                    description="Trigger outreach runs, look at them, and give orders about them.")
    api.state.gateway = gateway
    # From the inside out: what is let in is limited, what is answered is secured, and all of it counts.
    api.add_middleware(WholeBodies)
    api.add_middleware(Guarded, door=Door(tokens_of(settings), names_of(settings), settings.gateway_rate))
    api.add_middleware(SecureHeaders, https=(settings.public_url or "").startswith("https:"))
    counts = Counts()
    api.state.metrics = registry_of(gateway, counts)
    api.add_middleware(Counted, counts=counts)
    for each in (router, health_routes.router, access_routes.router, run_routes.router, engine_routes.router,
                 event_routes.router, catalog_routes.router, suppression_routes.router, unsubscribe_routes.router,
                 page_routes.router):
        api.include_router(each)
    api.add_exception_handler(RequestValidationError, _not_understood)
    api.add_exception_handler(405, not_this_method)
    return api


async def _not_understood(_: Request, error: Exception) -> JSONResponse:
    """What is wrong and where, without the values: what was put in the wrong place may be a secret."""
    assert isinstance(error, RequestValidationError)
    problems = [{name: each[name] for name in ("type", "loc", "msg")} for each in error.errors()[:MOST_PROBLEMS]]
    return JSONResponse({"detail": problems}, 422)


@router.post("/api/v1/trigger", status_code=202, response_model=Accepted, responses={
    200: {"model": DryRun, "description": "With `dry_run`: what it would do"}, 404: {}, 413: {}, 429: {}, 503: {},
    504: {}})
async def trigger(asked: TriggerRequest, gateway: Served, request: Request,
                  idempotency_key: Annotated[Name | None, Header(min_length=1)] = None) -> Accepted | JSONResponse:
    """Start a run. Answers when Kafka has it for sure; the same slot or key is the same run, however often."""
    if len(set(request.headers.getlist("idempotency-key"))) > 1:
        raise HTTPException(422, "There is more than one Idempotency-Key.")
    if idempotency_key:
        if asked.idempotency_key not in {None, idempotency_key}:
            raise HTTPException(422, "The header Idempotency-Key and the body's idempotency_key differ.")
        asked = asked.model_copy(update={"idempotency_key": idempotency_key})
    if asked.dry_run:
        return JSONResponse((await gateway.dry_run(asked)).model_dump(mode="json"))
    run = await gateway.trigger(asked)
    return Accepted(run_id=run, workflow_id=canonical_workflow_id(asked.workflow_id),
                    status_url=str(request.url_for("run", run_id=run)))
