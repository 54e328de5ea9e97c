"""What the API does, and the words in which it does not: every refusal is an HTTPException."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Protocol

import structlog
from fastapi import HTTPException
from fastapi.concurrency import run_in_threadpool

from outreach_stream.catalog.snapshot import Catalog, CatalogErrors, UnknownWorkflow
from outreach_stream.domain.clock import wall_clock
from outreach_stream.domain.control import Control
from outreach_stream.domain.events import RunStatus
from outreach_stream.domain.triggers import WorkflowTriggered
from outreach_stream.gateway.catalog.previews import Previews
from outreach_stream.gateway.catalog.workflows import DryRun, TrialRequest
from outreach_stream.gateway.controls import Controls
from outreach_stream.gateway.door.caller import source
from outreach_stream.gateway.engines.orders import EngineOrders
from outreach_stream.gateway.engines.states import EngineState, engine_states, ordered_states
from outreach_stream.gateway.health.pulse import Pulse
from outreach_stream.gateway.models import ReplayRequest, TriggerRequest
from outreach_stream.gateway.publisher import TriggerPublisher, identified
from outreach_stream.gateway.runs.orders import Order, objection, run_record
from outreach_stream.gateway.runs.reads import Reads
from outreach_stream.gateway.runs.replays import replay_objection, replay_trigger
from outreach_stream.gateway.runs.statuses import RunStatuses
from outreach_stream.gateway.unsubscribing.suppressions import Suppressions
from outreach_stream.gateway.writer import BrokerAwayError, RecordTooLargeError, Writer
from outreach_stream.settings import Settings
from outreach_stream.topics import CONTROL

CONTROL_PATIENCE = 3.0
"""Seconds that reading what was ordered before may take."""

AWAY = ("Kafka does not acknowledge. The trigger may have been accepted all the same: repeat it with the same slot or "
        "Idempotency-Key, and it is one run.")

_log = structlog.get_logger()


class Part(Protocol):
    """What lives as long as the gateway serves."""

    async def start(self) -> None:
        """Begin; waits for no broker."""

    async def stop(self) -> None:
        """End."""


class Gateway:
    """The parts behind the API; `catalog` blocks and returns the current one."""

    def __init__(self, bootstrap: str, catalog: Callable[[], Catalog], settings: Settings) -> None:
        self.catalog, self.settings = catalog, settings
        self.pulse, self.statuses = Pulse(bootstrap), RunStatuses(bootstrap)
        self._controls, self._writer = Controls(bootstrap), Writer(bootstrap)
        self._publisher = TriggerPublisher(self._writer)
        self.reads = Reads(bootstrap, self.statuses)
        self.engine_orders = EngineOrders(self._keep_catalog, self._ordered, self._writer)
        self.suppressions = Suppressions(bootstrap, self._writer, settings)
        self.previews = Previews(settings, self.suppressions.has)
        self._parts: tuple[Part, ...] = (self.pulse, self.statuses, self._controls, self.suppressions)

    @asynccontextmanager
    async def running(self, _: object = None) -> AsyncIterator[None]:
        """Follows the topics while the block lasts; the catalog as it is now is kept, should it be broken later."""
        await self._keep_catalog()
        for part in self._parts:
            await part.start()
        try:
            yield
        finally:
            for part in self._parts:
                await part.stop()
            await self._writer.stop()

    @property
    def published(self) -> int:
        """Triggers, replays too, that Kafka has for sure."""
        return self._publisher.published

    async def trigger(self, asked: TriggerRequest) -> str:
        """Publish what is asked for; returns the run's id."""
        await self._known(asked.workflow_id, 404)
        await self._reachable()
        return await self._publish(asked.event(source(), datetime.now(UTC)))

    async def dry_run(self, asked: TriggerRequest) -> DryRun:
        """What it would do; nothing is published, and Kafka is not needed."""
        event, run = identified(asked.event(source(), datetime.now(UTC)))
        return await self.previews.dry_run(await self.current(), event, run)

    async def trial(self, workflow: str, asked: TrialRequest) -> str:
        """Publish a test of the workflow's mail; returns the run's id."""
        await self._reachable()
        event = await self.previews.trial(await self.current(), workflow, asked, f"{source()}:test")
        return await self._publish(event)

    async def order(self, order: Order, run: str) -> None:
        """Order something of a run; returns when the broker has it for sure."""
        control = await self._ordered()
        if reason := objection(order, self.status(run), control):
            raise HTTPException(409, reason)
        try:
            await self._writer.write(CONTROL.name, run_record(order, run, by=source(), at=wall_clock()), partition=0)
        except BrokerAwayError as error:
            _log.warning("order_not_acknowledged", run_id=run, order=order)
            raise _away("Kafka does not acknowledge. The order may have been given all the same: repeat it.") from error
        _log.info("order_given", run_id=run, order=order)

    async def replay(self, run: str, asked: ReplayRequest) -> tuple[RunStatus, str]:
        """Publish a replay; returns the earlier run's status and the new run's id."""
        await self._reachable()
        parent = self.status(run)
        if reason := replay_objection(parent, asked.statuses, asked.idempotency_key, self.statuses.get):
            raise HTTPException(409, reason)
        await self._known(parent.workflow_id, 409)
        return parent, await self._publish(replay_trigger(
            parent, asked.statuses, source=source(), at=datetime.now(UTC), accept_duplicates=asked.accept_duplicates,
            key=asked.idempotency_key))

    async def engines(self) -> list[EngineState]:
        """Where each engine of the catalog stands; while none was good yet, those that something is ordered of."""
        catalog = await self._keep_catalog()
        control, now = await self._ordered(), wall_clock()
        return ordered_states(control, now) if catalog is None else engine_states(catalog, control, now)

    def status(self, run: str) -> RunStatus:
        """Where a run stands."""
        if found := self.statuses.get(run):
            return found
        if not self.statuses.complete:
            raise _away("The states of the runs are being read; ask again in a moment.", 1)
        raise HTTPException(404, f"There is no run {run!r}.")

    async def _publish(self, event: WorkflowTriggered) -> str:
        try:
            run = await self._publisher.publish(event)
        except BrokerAwayError as error:
            raise _away(AWAY) from error
        except RecordTooLargeError as error:
            raise HTTPException(413, f"The trigger: {error}. Give fewer recipients, or have a query find them."
                                ) from error
        self.statuses.accepted(run, event, wall_clock())
        return run

    async def _reachable(self) -> None:
        if not self.pulse.reachable and not await self.pulse.look():
            raise _away("Kafka is away: nothing was accepted. Repeat the request in a while.")

    async def _ordered(self) -> Control:
        """All that was ordered before now, by whomever."""
        await self._reachable()
        try:
            async with asyncio.timeout(CONTROL_PATIENCE):
                return await self._controls.caught_up()
        except TimeoutError as error:
            raise _away("Kafka does not say what was ordered before; nothing was accepted. Repeat it.") from error

    async def _known(self, workflow_id: int | str, status: int) -> None:
        try:
            (await self.current()).workflow(workflow_id)
        except UnknownWorkflow as error:
            raise HTTPException(status, str(error)) from error

    async def _keep_catalog(self) -> Catalog | None:
        """The last good catalog; None: there was none yet, which the log says."""
        try:
            return await run_in_threadpool(self.catalog)
        except CatalogErrors as errors:
            _log.warning("catalog_unusable", problems=[str(problem) for problem in errors.problems])
            return None

    async def current(self) -> Catalog:
        """The catalog as it is now, or was when it was last good."""
        try:
            return await run_in_threadpool(self.catalog)
        except CatalogErrors as error:
            raise HTTPException(503, f"The catalog cannot be used: {error}") from error


def _away(reason: str, retry_after: int = 2) -> HTTPException:
    return HTTPException(503, reason, headers={"Retry-After": str(retry_after)})
