"""The broker dies, is away, or stands still."""

import asyncio
import os
import signal

from ..gateway import Caller
from ..scenario import Stage, scenario
from ..verdict import Figures, check_whole
from .kills import begun

RATE, BURST = 200, 20


@scenario("kill -9 of the broker, and a restart")
async def broker_killed(stage: Stage) -> Figures:
    """The workers wait for it and go on by themselves."""
    running, people, run = await begun(stage)
    await running.until_sent(stage.moment())
    stage.only_broker.kill()
    await stage.only_broker.start()
    return check_whole(running, await running.completed(run), people, stage.size.places)


@scenario("broker away for 60 s, a gateway beside")
async def broker_away(stage: Stage) -> Figures:
    """The run goes on by itself; the gateway answers 503 meanwhile, and each of its 202 is a run afterwards."""
    running, people, run = await begun(stage, people=int(stage.of(400, 1_000)))  # the absence takes most of the time
    async with Caller(running) as caller:
        await caller.until_answered(202, 30)
        await running.until_sent(int(len(people) * stage.random.uniform(0.1, 0.5)))
        stage.only_broker.kill()
        back = asyncio.create_task(asyncio.sleep(stage.of(3, 60)))
        await caller.until_answered(503, 30)
        await back
        await stage.only_broker.start()
        await caller.until_answered(202, 30)
    await caller.check()
    return check_whole(running, await running.completed(run), people, stage.size.places)


@scenario("broker stalled for 2 s at 200/s, 200 in flight")
async def broker_stalled(stage: Stage) -> Figures:
    """What piled up meanwhile makes no burst afterwards."""
    running, people, run = await begun(stage, people=int(stage.of(1_200, 5_000)), concurrency=200, rate=RATE,
                                       burst=BURST, latency_ms=100)
    for i in range(int(stage.of(1, 4))):
        await running.until_sent(int(stage.random.uniform(200, 500)) + 1_100 * i)
        os.kill(stage.only_broker.pid, signal.SIGSTOP)
        await asyncio.sleep(2)
        os.kill(stage.only_broker.pid, signal.SIGCONT)
    status = await running.completed(run)
    assert running.arrived().max_in_window(1.0) <= RATE + BURST
    return check_whole(running, status, people, in_flight=0)


@scenario("SIGTERM of all while the broker is down")
async def stopped_without_a_broker(stage: Stage) -> Figures:
    """Each ends within 30 s, or less for a shorter drain; what they could not write down may be repeated, labelled."""
    running, people, run = await begun(stage, drain_timeout=stage.of(4, 25))
    await running.until_sent(stage.moment())
    stage.only_broker.kill()
    await asyncio.sleep(stage.random.uniform(0, stage.of(1, 8)))
    await asyncio.to_thread(running.terminate, grace=stage.of(12, 30))
    await stage.only_broker.start()
    running.start()
    return check_whole(running, await running.completed(run), people, stage.size.places)
