"""Three brokers, of which one may be lost at any time."""

import asyncio

from ..scenario import Stage, scenario
from ..verdict import Figures, check_whole
from .kills import begun

SILENCE = 10.0
"""Seconds without a mail at most."""


@scenario("three brokers: one killed, restarted, then another")
async def one_of_three_killed(stage: Stage) -> Figures:
    """Nobody notices but for some seconds."""
    cluster = await stage.cluster()
    running, people, run = await begun(stage, bootstrap=cluster.bootstrap, replication=3,
                                       people=int(stage.of(2_400, 9_000)), rate=stage.of(200, 250))
    first, second = stage.random.sample(cluster.brokers, 2)
    await running.until_sent(int(stage.random.uniform(200, 400)))
    insync = await cluster.insync()
    assert set(insync.values()) == {"2"}, insync
    assert any(name.endswith("-changelog") for name in insync), insync
    first.kill()
    await asyncio.sleep(stage.of(2, 8))
    await first.start()
    await cluster.until_in_sync()
    second.kill()
    status = await running.completed(run)
    assert running.silence() <= SILENCE, f"no mail for {running.silence():.1f} s"
    return check_whole(running, status, people, in_flight=0)
