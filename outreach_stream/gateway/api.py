"""The HTTP API. It serves while the broker is away, says so, and recovers by itself."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Annotated

from fastapi import FastAPI, Header, HTTPException, Query, Request, Response
from fastapi.concurrency import run_in_threadpool

from outreach_stream.catalog.snapshot import Catalog, CatalogErrors, UnknownWorkflow
from outreach_stream.domain.clock import wall_clock
from outreach_stream.domain.events import RunStatus
from outreach_stream.domain.identity import canonical_workflow_id
from outreach_stream.domain.triggers import Name
from outreach_stream.gateway.models import Accepted, Broker, Health, Runs, TriggerRequest
from outreach_stream.gateway.publisher import BrokerAwayError, TriggerPublisher, TriggerTooLargeError
from outreach_stream.gateway.pulse import Pulse
from outreach_stream.gateway.statuses import RunStatuses

SOURCE = "gateway"

AWAY = ("Kafka does not acknowledge. The trigger may have been accepted all the same: repeat it with the same slot or "
        "Idempotency-Key, and it is one run.")


class Gateway:
    """The parts behind the API; `catalog` blocks and returns the current one."""

    def __init__(self, bootstrap: str, catalog: Callable[[], Catalog]) -> None:
        self.catalog = catalog
        self.publisher, self.statuses, self.pulse = (
            TriggerPublisher(bootstrap), RunStatuses(bootstrap), Pulse(bootstrap))

    @asynccontextmanager
    async def running(self, _: FastAPI) -> AsyncIterator[None]:
        """Follows the topics while the block lasts."""
        await self.pulse.start()
        await self.statuses.start()
        try:
            yield
        finally:
            await self.pulse.stop()
            await self.statuses.stop()
            await self.publisher.stop()

    async def trigger(self, asked: TriggerRequest) -> str:
        """Publish what is asked for; returns the run's id. Raises HTTPException."""
        await self._known(asked.workflow_id)
        if not self.pulse.reachable and not await self.pulse.look():
            raise HTTPException(503, "Kafka is away: nothing was accepted. Repeat the request in a while.",
                                headers={"Retry-After": "2"})
        event = asked.event(SOURCE, datetime.now(UTC))
        try:
            run = await self.publisher.publish(event)
        except BrokerAwayError as error:
            raise HTTPException(503, AWAY, headers={"Retry-After": "2"}) from error
        except TriggerTooLargeError as error:
            raise HTTPException(413, f"{error}: give fewer recipients, or have a query find them.") from error
        self.statuses.accepted(run, event, wall_clock())
        return run

    async def _known(self, workflow_id: int | str) -> None:
        try:
            catalog = await run_in_threadpool(self.catalog)
        except CatalogErrors as error:
            raise HTTPException(503, f"The catalog cannot be used: {error}") from error
        try:
            catalog.workflow(workflow_id)
        except UnknownWorkflow as error:
            raise HTTPException(404, str(error)) from error

    def status(self, run: str) -> RunStatus:
        """Where a run stands. Raises HTTPException: 404 unknown, 503 not all read yet."""
        if found := self.statuses.get(run):
            return found
        if not self.statuses.complete:
            raise HTTPException(503, "The states of the runs are being read; ask again in a moment.",
                                headers={"Retry-After": "1"})
        raise HTTPException(404, f"There is no run {run!r}.")


def build(gateway: Gateway) -> FastAPI:
    """The web application in front of `gateway`."""
    api = FastAPI(title="outreach-stream", version="1", lifespan=gateway.running,
                  description="Trigger outreach runs and look at them.")

    @api.get("/health", responses={503: {"model": Health}})
    async def health(response: Response) -> Health:
        """Whether Kafka is reachable, and how many workers of each role it knows."""
        pulse, reachable = gateway.pulse, bool(gateway.pulse.reachable)
        response.status_code = 200 if reachable else 503
        return Health(status="ok" if reachable else "unavailable", roles=pulse.roles,
                      broker=Broker(bootstrap=pulse.bootstrap, reachable=reachable))

    @api.post("/api/v1/trigger", status_code=202, responses={404: {}, 413: {}, 503: {}})
    async def trigger(asked: TriggerRequest, request: Request,
                      idempotency_key: Annotated[Name | None, Header()] = None) -> Accepted:
        """Start a run. Answers when Kafka has it for sure; the same slot or key is the same run, however often."""
        if idempotency_key:
            if asked.idempotency_key not in {None, idempotency_key}:
                raise HTTPException(422, "The header Idempotency-Key and the body's idempotency_key differ.")
            asked = asked.model_copy(update={"idempotency_key": idempotency_key})
        run = await gateway.trigger(asked)
        return Accepted(run_id=run, workflow_id=canonical_workflow_id(asked.workflow_id),
                        status_url=str(request.url_for("run", run_id=run)))

    @api.get("/api/v1/runs", response_model_exclude_none=True)
    async def runs(limit: Annotated[int, Query(ge=1, le=1000)] = 50) -> Runs:
        """The newest runs."""
        return Runs(runs=gateway.statuses.newest(limit))

    @api.get("/api/v1/runs/{run_id}", name="run", responses={404: {}, 503: {}})
    async def run(run_id: str) -> RunStatus:
        """Where a run stands."""
        return gateway.status(run_id)

    return api
