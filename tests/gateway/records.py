"""Statuses of runs, said as a worker would; and what is in `control`."""

from typing import Any

from aiokafka import AIOKafkaProducer

from outreach_stream.domain.control import Control
from outreach_stream.domain.events import RunStatus
from outreach_stream.domain.states import Counts, RunState
from outreach_stream.streaming.orders import feeding
from outreach_stream.streaming.views import View
from outreach_stream.topics import CONTROL, RUN_STATUS


def status(run: str, state: RunState = RunState.SENDING, *, paused: bool = False, reason: str | None = None,
           log: str | None = None, **counts: int) -> RunStatus:
    return RunStatus(run_id=run, workflow_id="1", state=state, source="test", paused=paused, reason=reason, log=log,
                     counts=Counts(**counts), states={RunState.QUEUED: "2026-01-01T00:00:00Z"},
                     updated_at="2026-01-01T00:00:00Z")


async def say(bootstrap: str, *statuses: RunStatus) -> None:
    """Publish them, in their order."""
    async with AIOKafkaProducer(bootstrap_servers=bootstrap, acks="all") as producer:
        for each in statuses:
            await producer.send_and_wait(RUN_STATUS.name, each.encode(), key=each.run_id.encode())


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
