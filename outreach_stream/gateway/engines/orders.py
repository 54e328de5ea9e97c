"""Orders about engines: what makes sense when, in the words of the command line and the API alike."""

from collections.abc import Awaitable, Callable
from typing import Annotated, Literal, NamedTuple

import structlog
from fastapi import HTTPException
from pydantic import BaseModel, ConfigDict, Field

from outreach_stream.catalog.snapshot import Catalog, UnknownEngine
from outreach_stream.domain.clock import wall_clock
from outreach_stream.domain.control import Control
from outreach_stream.gateway.door.caller import source
from outreach_stream.gateway.runs.orders import resume_records, stop_record
from outreach_stream.gateway.writer import BrokerAwayError, Writer
from outreach_stream.streaming.produce import Record
from outreach_stream.topics import CONTROL

_log = structlog.get_logger()


class StopRequest(BaseModel):
    """Why the engine is to stop; whoever looks at it or its runs reads that."""

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)
    reason: Annotated[str, Field(min_length=1, max_length=300, examples=["the relay is being moved"])]


class EngineOrdered(BaseModel):
    """The broker has the order; the senders heed it within a second."""

    engine: str
    ordered: Literal["stopped", "resumed"]
    detail: str
    """The same in words."""


class EngineOrder(NamedTuple):
    """What an order comes to."""

    records: list[Record]
    """To be written to `control`; none: nothing is to be done."""
    told: str
    """What whoever gave it is told, once they are written."""


def stop_order(engine: str, reason: str, control: Control, *, by: str, at: float) -> EngineOrder:
    """Stop an engine. One that is stopped keeps the reason it has: whoever got no answer may repeat the order."""
    if before := control.fuse(engine):
        return EngineOrder([], f"Engine {engine} is stopped already: {before.reason}")
    return EngineOrder([stop_record(engine, reason, by=by, at=at)], f"Engine {engine} is stopped.")


def resume_order(engine: str, control: Control, now: float) -> EngineOrder:
    """Take back what stops or slows the engine. Without records it makes no sense."""
    if records := resume_records(engine, control, now):
        return EngineOrder(records, f"Engine {engine} goes on.")
    return EngineOrder([], f"Engine {engine} is neither stopped nor throttled: there is nothing to take back.")


class EngineOrders:
    """Gives such orders. Every refusal is an HTTPException."""

    def __init__(self, catalog: Callable[[], Awaitable[Catalog | None]], control: Callable[[], Awaitable[Control]],
                 writer: Writer) -> None:
        """`catalog` is the last good one, None if there was none yet; `control` all that was ordered before."""
        self._catalog, self._control, self._writer = catalog, control, writer

    async def stop(self, engine: str, reason: str) -> EngineOrdered:
        """Stop an engine of the catalog; returns when the broker has it for sure."""
        await self._known(engine)
        order = stop_order(engine, reason, await self._control(), by=source(), at=wall_clock())
        await self._write(engine, order)
        return EngineOrdered(engine=engine, ordered="stopped", detail=order.told)

    async def resume(self, engine: str) -> EngineOrdered:
        """Let an engine go on, one that has left the catalog, too; returns when the broker has it for sure."""
        order = resume_order(engine, await self._control(), wall_clock())
        if not order.records:
            await self._known(engine)
            raise HTTPException(409, order.told)
        await self._write(engine, order)
        return EngineOrdered(engine=engine, ordered="resumed", detail=order.told)

    async def _known(self, engine: str) -> None:
        """Nobody can tell while no catalog was good: then the order is for that id, whichever it is."""
        try:
            if (catalog := await self._catalog()) is not None:
                catalog.engine(engine)
        except UnknownEngine as error:
            raise HTTPException(404, f"Unknown engine: {error}.") from error

    async def _write(self, engine: str, order: EngineOrder) -> None:
        try:
            for record in order.records:
                await self._writer.write(CONTROL.name, record, partition=0)
        except BrokerAwayError as error:
            _log.warning("engine_order_not_acknowledged", engine=engine)
            raise HTTPException(503, "Kafka does not acknowledge. The order may have been given all the same: repeat "
                                "it, that does no harm.", headers={"Retry-After": "2"}) from error
        if order.records:
            _log.info("engine_order_given", engine=engine, told=order.told)
