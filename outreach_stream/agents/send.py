"""send: takes requests, hands them to the sending floor; tells how far each lane is finished."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import structlog
from aiokafka.errors import KafkaError
from faust.types import TP
from pydantic import ValidationError

from outreach_stream import topics
from outreach_stream.agents.by_run import produce_by_run
from outreach_stream.agents.cloud_events import cloud_headers
from outreach_stream.agents.durable import bury_all
from outreach_stream.agents.readings import of_floor
from outreach_stream.agents.unreadable import problem
from outreach_stream.delivery.desk import Allowance, Tell
from outreach_stream.delivery.floor import Floor
from outreach_stream.delivery.item import Item
from outreach_stream.delivery.mover import HandOn
from outreach_stream.domain.control import EngineFuse, EngineThrottle, Matter, Subject, control_key
from outreach_stream.domain.events import LaneProgress, SendRequested
from outreach_stream.domain.told import Told
from outreach_stream.streaming.app import StreamApp
from outreach_stream.streaming.batch import Batch
from outreach_stream.streaming.produce import Record, produce

log = structlog.get_logger()

PROGRESS_SECONDS = 0.1
"""How often the dispatcher hears how far the lanes are."""

LIMITS_SECONDS = 1.0
"""How often engines' limits are looked up."""

RETRY_SECONDS = 0.5
"""Until an order is written again that the broker refused."""


def register(app: StreamApp, floor: Floor, limits: Callable[[], Mapping[str, Allowance]]) -> None:
    """Have `app` send: one agent for each topic of requests, the floor opened and closed with the partitions.

    `limits` are those of all engines as they are now; it may block.
    """
    for topic in (topics.SEND_REQUESTED.name, topics.SEND_REQUESTED_EXPRESS.name):
        hurried = topic == topics.SEND_REQUESTED_EXPRESS.name
        app.agent(app.batch_topic(topic, hurried=hurried), name=f"send:{topic}")(_agent(app, floor))

    def assigned(tps: frozenset[TP]) -> None:
        floor.assigned({tp.partition for tp in tps if tp.topic == topics.SEND_REQUESTED.name})

    app.sources.append(partial(of_floor, floor))
    app.on_assigned.append(assigned)
    app.on_drain.append(floor.rest)
    app.before_release.append(floor.last_words)
    app.on_released.append(floor.close)
    app.on_before_shutdown.connect(_closing(floor), sender=app)  # unfiltered, other apps of the process would call it
    app.task(lambda: _tell_progress(app, floor))
    app.task(lambda: _keep_limits(app, floor, limits))


def _closing(floor: Floor) -> Any:
    async def close_engines(_app: StreamApp, **_: object) -> None:  # everything is drained and committed by now
        await floor.shut()
    return close_engines


def _agent(app: StreamApp, floor: Floor) -> Any:
    async def send(stream: Any) -> None:
        async for batch in app.batches(stream):
            _take(app, floor, batch)
    return send


def _take(app: StreamApp, floor: Floor, batch: Batch) -> None:
    for i, record in enumerate(batch.records):
        try:
            request = SendRequested.model_validate_json(record.value or b"")
        except ValidationError as error:
            app.spawn(_bury(app, batch, i, problem("SendRequested", error)))
        else:
            floor.put(batch.tp.topic, batch.tp.partition, Item(batch, i, record.offset, request, due=request.due))


async def _bury(app: StreamApp, batch: Batch, i: int, reason: str) -> None:
    if await batch.claim(i):
        await bury_all(app, batch, {i: reason})
        batch.done(i)


def publisher(app: StreamApp, partitions: int) -> Any:
    """Publishes results to their runs' partitions of `send.result`."""
    async def publish(results: Sequence[Told]) -> None:
        await produce_by_run(app, topics.SEND_RESULT.name, partitions, (
            (result.run_id, _result_record(result)) for result in results))
    return publish


def hander_on(app: StreamApp) -> HandOn:
    """Appends requests to the lanes of other engines."""
    async def hand_on(lanes: Mapping[tuple[str, int], Sequence[SendRequested]]) -> None:
        await asyncio.gather(*(
            produce(app.aiokafka_producer, topic, lane, (Record(None, request.encode()) for request in requests))
            for (topic, lane), requests in lanes.items()))
    return hand_on


def teller(app: StreamApp) -> Tell:
    """Publishes what engines ask for to `control`, for as long as it takes."""
    async def publish(record: Record) -> None:
        while not app.should_stop:
            try:
                await produce(app.aiokafka_producer, topics.CONTROL.name, 0, [record])
            except KafkaError as error:
                log.warning("order_not_written", error=repr(error))
                await asyncio.sleep(RETRY_SECONDS)
            else:
                return

    def tell(engine: str, order: EngineFuse | EngineThrottle) -> None:
        matter: Matter = "fuse" if isinstance(order, EngineFuse) else "throttle"
        app.spawn(publish(Record(control_key(Subject("engine", engine), matter), order.encode())))
    return tell


def _result_record(result: Told) -> Record:
    headers = cloud_headers("outreach.send.result", f"/runs/{result.run_id}", f"{result.send_id}/{result.status}",
                            result.finished_at)
    return Record(result.run_id.encode(), result.encode(), headers)


async def _keep_limits(app: StreamApp, floor: Floor, limits: Callable[[], Mapping[str, Allowance]]) -> None:
    while not app.should_stop:
        await asyncio.sleep(LIMITS_SECONDS)
        floor.limit(await asyncio.to_thread(limits))


async def _tell_progress(app: StreamApp, floor: Floor) -> None:
    while not app.should_stop:
        await asyncio.sleep(PROGRESS_SECONDS)
        records = [Record(":".join(map(str, lane)).encode(), LaneProgress(finished=finished).encode())
                   for lane, finished in floor.progress()]
        if records:
            await produce(app.aiokafka_producer, topics.LANE_PROGRESS.name, 0, records)
