"""Statuses of runs, said as a worker would; and what is in `control`."""

import asyncio
from collections.abc import Iterable
from typing import Any

from aiokafka import AIOKafkaProducer

from outreach_stream.domain.clock import iso
from outreach_stream.domain.control import Control
from outreach_stream.domain.events import RunStatus, SendResult
from outreach_stream.domain.identity import CHUNK_SIZE, partition_of, send_id
from outreach_stream.domain.states import Counts, RecipientStatus, RunState
from outreach_stream.streaming.orders import feeding
from outreach_stream.streaming.views import View
from outreach_stream.topics import CONTROL, RUN_STATUS, SEND_RESULT


def status(run: str, state: RunState = RunState.SENDING, *, paused: bool = False, reason: str | None = None,
           log: str | None = None, workflow: str = "1", began: str = "2026-01-01T00:00:00Z", ended: str | None = None,
           engine: str | None = None, said: str = "2026-01-01T00:00:00Z", **counts: int) -> RunStatus:
    states = {RunState.QUEUED: began} | ({state: ended} if ended else {})
    return RunStatus(run_id=run, workflow_id=workflow, state=state, source="test", paused=paused, reason=reason,
                     log=log, counts=Counts(**counts), states=states, engine=engine, updated_at=said)


async def say(bootstrap: str, *statuses: RunStatus) -> None:
    """Publish them, in their order."""
    async with AIOKafkaProducer(bootstrap_servers=bootstrap, acks="all") as producer:
        for each in statuses:
            await producer.send_and_wait(RUN_STATUS.name, each.encode(), key=each.run_id.encode())


def result(run: str, number: int, status: RecipientStatus = RecipientStatus.SENT, *, reason: str | None = None,
           email: str | None = None, at: float = 1_767_225_600.0, **fields: Any) -> SendResult:
    """How it ended for the recipient of that number within the run."""
    chunk, index = divmod(number, CHUNK_SIZE)
    return SendResult(run_id=run, send_id=send_id(run, chunk, index), chunk=chunk, index=index,
                      email=email or f"reader-{number}@example.com", status=status, reason=reason, engine="relay",
                      attempts=1, finished_at=iso(at), **fields)


async def publish(bootstrap: str, results: Iterable[SendResult | bytes], run: str) -> None:
    """Publish results under the run's key, in their order; bytes as they are."""
    async with AIOKafkaProducer(bootstrap_servers=bootstrap, acks="all", max_batch_size=500_000) as producer:
        partition = partition_of(run, len(await producer.partitions_for(SEND_RESULT.name)))
        sent = []
        for each in results:
            key = run if isinstance(each, bytes) else each.run_id
            value = each if isinstance(each, bytes) else each.encode()
            sent.append(await producer.send(SEND_RESULT.name, value, key=key.encode(), partition=partition))
        await asyncio.gather(*sent)


async def ordered(bootstrap: str, record: tuple[bytes, bytes | None] | None = None) -> Control:
    """All that is ordered now; with `record`, after that was written."""
    if record:
        async with AIOKafkaProducer(bootstrap_servers=bootstrap, acks="all") as producer:
            await producer.send_and_wait(CONTROL.name, record[1], key=record[0])
    control = Control()
    view: View[Any] = View(bootstrap, CONTROL.name, feeding(control))
    await view.start()
    try:
        await view.catch_up()
    finally:
        await view.stop()
    return control
