"""Senders that come and go, under a limit."""

import asyncio

from ..scenario import Stage, scenario
from ..verdict import Figures, check_whole
from .kills import begun

RATE, BURST = 200, 20


@scenario("senders 1 to 3 to 1, by SIGTERM")
async def scaled(stage: Stage) -> Figures:
    """No mail is repeated, none is in doubt, and the limit holds with one, with three, and across each change."""
    running, people, run = await begun(stage, people=int(stage.of(3_000, 9_000)), rate=RATE, burst=BURST,
                                       concurrency=20, latency_ms=5)
    await running.until_sent(int(stage.of(200, 500)))
    others = ["sender-2", "sender-3"]
    for name in others:
        running.start("sender", name=name)
        await asyncio.sleep(stage.random.uniform(0, stage.of(1, 8)))
    for name in others:
        await running.working(name)
    await asyncio.sleep(stage.of(2, 8))
    stage.random.shuffle(others)
    for name in others:
        await asyncio.to_thread(running.terminate, name)
        await asyncio.sleep(stage.random.uniform(0, stage.of(1, 5)))
    assert running.received() < len(people), "it was not in mid-run"
    status = await running.completed(run)
    assert running.arrived().max_in_window(1.0) <= RATE + BURST
    assert status.counts.possible_duplicates == status.counts.in_doubt == 0
    return check_whole(running, status, people, in_flight=0)


@scenario("five minutes of senders that come, go, freeze and thaw", limit=480, in_table=False)
async def five_minutes(stage: Stage) -> Figures:
    """The limit holds in each second of it."""
    running, people, run = await begun(stage, people=RATE * 280, rate=RATE, burst=BURST, concurrency=20, latency_ms=5,
                                       session_timeout=3.0)
    freezes, running_now = 0, ["sender"]
    await running.until_sent(1)
    loop = asyncio.get_running_loop()
    end = loop.time() + 300
    while loop.time() < end and running.received() < len(people):
        match stage.random.choice(("come", "go", "freeze")):
            case "come" if len(running_now) < 3:
                name = next(n for n in ("sender", "sender-2", "sender-3") if n not in running_now)
                running.start("sender", name=name)
                await running.working(name)
                running_now.append(name)
            case "go" if len(running_now) > 1:
                name = running_now.pop(stage.random.randrange(len(running_now)))
                await asyncio.to_thread(running.terminate, name)
            case "freeze":
                name = stage.random.choice(running_now)
                running.workers.freeze(name)
                await asyncio.sleep(stage.random.uniform(0.5, 6))
                running.workers.thaw(name)
                freezes += 1
        await asyncio.sleep(stage.random.uniform(1, 10))
    status = await running.completed(run, 150)
    assert running.arrived().max_in_window(1.0) <= RATE + BURST
    return check_whole(running, status, people, in_flight=20 * freezes)
