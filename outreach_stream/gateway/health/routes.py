"""`/health` for people, `/health/live` and `/health/ready` for what runs the process, `/metrics` for Prometheus."""

from fastapi import APIRouter, Request, Response
from prometheus_client.exposition import choose_encoder

from outreach_stream.gateway.models import Broker, Health, Probe
from outreach_stream.gateway.served import Served

router = APIRouter()


@router.get("/health", responses={503: {"model": Health}})
async def health(gateway: Served, response: Response) -> Health:
    """Whether Kafka is reachable, how many workers of each role it knows, and how far they are behind."""
    pulse, reachable = gateway.pulse, bool(gateway.pulse.reachable)
    response.status_code = 200 if reachable else 503
    return Health(status="ok" if reachable else "unavailable", roles=pulse.roles, lag=pulse.lag,
                  broker=Broker(bootstrap=pulse.bootstrap, reachable=reachable))


@router.get("/health/live", response_model_exclude_none=True)
async def live() -> Probe:
    """200 while the gateway serves: if there is no answer, start it again. Kafka's absence is no reason to."""
    return Probe(status="ok")


@router.get("/health/ready", response_model_exclude_none=True, responses={503: {"model": Probe}})
async def ready(gateway: Served, response: Response) -> Probe:
    """200 when it can do all that is asked of it: Kafka is reachable, and the states of the runs are read."""
    if not gateway.pulse.reachable:
        reason = "Kafka is away"
    elif not gateway.statuses.complete:
        reason = "the states of the runs are being read"
    else:
        return Probe(status="ok")
    response.status_code = 503
    return Probe(status="unavailable", reason=reason)


@router.get("/metrics", response_class=Response, responses={200: {
    "content": {"text/plain": {"schema": {"type": "string"}}}, "description": "docs/metrics.md has each of them"}})
async def metrics(request: Request) -> Response:
    """The gateway's metrics, in the text format of Prometheus or OpenMetrics, as is asked for."""
    encode, kind = choose_encoder(request.headers.get("accept", ""))
    return Response(encode(request.app.state.metrics), headers={"Content-Type": kind})
