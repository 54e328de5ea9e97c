"""`/api/v1/engines`: where engines stand, and orders about them."""

from fastapi import APIRouter

from outreach_stream.domain.clock import wall_clock
from outreach_stream.gateway.engines.measured import MeasuredEngine
from outreach_stream.gateway.engines.orders import EngineOrdered, StopRequest
from outreach_stream.gateway.models import Engines
from outreach_stream.gateway.served import Served

router = APIRouter(prefix="/api/v1/engines")


@router.get("", responses={503: {}})
async def engines(gateway: Served) -> Engines:
    """Where each engine of the catalog stands: its limits, what it does, and whether it is throttled or stopped."""
    states, rates = await gateway.engines(), gateway.reads.rates
    return Engines(engines=[MeasuredEngine(**dict(state), measured_rate=rates.rate(state.id, wall_clock()))
                            for state in states])


@router.post("/{engine_id}/stop", status_code=202, responses={404: {}, 503: {}})
async def stop(engine_id: str, asked: StopRequest, gateway: Served) -> EngineOrdered:
    """Stop an engine: nothing is handed to it, by any worker, until it is resumed.

    Of its runs' recipients nobody is lost: they wait, fail, or go to another engine, as their workflows say. Answers
    when Kafka has the order for sure; may be repeated: one that is stopped keeps the reason it has.
    """
    return await gateway.engine_orders.stop(engine_id, asked.reason)


@router.post("/{engine_id}/resume", status_code=202, responses={404: {}, 409: {}, 503: {}})
async def resume(engine_id: str, gateway: Served) -> EngineOrdered:
    """Let a stopped engine go on, when what stopped it is mended; a throttle is taken back, too.

    409: it is neither stopped nor throttled.
    """
    return await gateway.engine_orders.resume(engine_id)
