"""An operator's orders in mid-run, by the command line: effective within seconds, whatever is restarted meanwhile."""

import asyncio
import subprocess
import sys
import time

from outreach_stream.domain.states import RunState

from .system import System
from .verdict import check_whole

EFFECTIVE = 5.0
"""Seconds after which no mail of a paused or cancelled run may go out."""
COUNTING = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 400000000) SELECT max(i) FROM n"
"""A subquery that takes SQLite a minute or more."""


async def order(system: System, *arguments: str) -> str:
    """Run the command line; returns what it printed."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "outreach_stream.cli", *arguments, env=system.workers.environment,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    out, err = await asyncio.wait_for(process.communicate(), 60)
    assert process.returncode == 0, err.decode()
    return out.decode()


async def still(system: System, seconds: float) -> int:
    """The mails that came in so many seconds."""
    before = system.received()
    await asyncio.sleep(seconds)
    return system.received() - before


async def test_a_cancelled_run_ends_for_everybody(system):
    """Nobody is mailed five seconds later, each of the rest ends as cancelled, and a restart does not forget it."""
    running = await system(rate=100, concurrency=20)
    people = running.people(3_000)
    running.start()
    run = await running.trigger()
    await running.until_sent(150)

    await order(running, "cancel", run)
    at = time.monotonic()
    running.kill()
    running.start()
    await asyncio.sleep(max(0.0, EFFECTIVE - (time.monotonic() - at)))
    assert await still(running, 2) == 0
    status = await running.completed(run)

    entries = running.log(status)["recipients"]
    mailed = running.arrived().recipients()
    ends = {entry["email"]: entry["status"] for entry in entries}
    assert status.state is RunState.CANCELLED and ends.keys() == people and len(entries) == len(people)
    assert {email for email, end in ends.items() if end == "cancelled"}.isdisjoint(mailed)
    assert set(mailed) <= {email for email, end in ends.items() if end in ("sent", "in_doubt")}
    assert status.counts.cancelled > 2_000 and status.counts.ended == len(people)


async def test_a_paused_run_waits_over_restarts_and_goes_on(system):
    """While it is paused nobody is mailed; resumed, everybody is, once."""
    running = await system(rate=50, concurrency=20)
    people = running.people(600)
    running.people(1, workflow=2, table="others")
    running.start()
    run = await running.trigger()
    await running.until_sent(20)    # the command line may need seconds to start: the run must not be over by then

    await order(running, "pause", run, "--wait")
    await asyncio.sleep(1)
    assert running.status(run).paused
    running.terminate()
    running.start()
    await running.completed(await running.trigger(2))   # so everybody is at work again
    assert await still(running, 1) == 0
    await order(running, "resume", run)
    status = await running.completed(run)

    check_whole(running, status, people, in_flight=0)
    assert not status.paused and status.counts.possible_duplicates == 0


async def test_a_run_is_cancelled_while_it_is_planned(system):
    """A query that takes for ever is stopped; nobody was mailed, and the run says why it ended."""
    running = await system()
    running.people(10, where=f"({COUNTING}) > 0")
    running.start()
    run = await running.trigger()
    await running.until_state(run, RunState.INITIALIZING)

    await order(running, "cancel", run)
    at = time.monotonic()
    status = await running.completed(run)

    assert status.state is RunState.CANCELLED and status.counts.total == 0 and running.received() == 0
    assert time.monotonic() - at < EFFECTIVE + 5
