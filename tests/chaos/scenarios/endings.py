"""Runs that come to their end without anybody there."""

import asyncio
from datetime import UTC, datetime, timedelta

from ..scenario import Stage, scenario
from ..verdict import Figures, check, count


@scenario("all killed until the deadline has passed")
async def expired(stage: Stage) -> Figures:
    """Everybody has an end: the unsent expire, and whoever may have been mailed never does."""
    running = await stage.system()
    people = running.people(stage.size.people)
    running.people(1, workflow=2, table="first")
    running.start()
    await running.completed(await running.trigger(2))  # so that the deadline's time is for the run, not for the start
    deadline = datetime.now(UTC) + timedelta(seconds=stage.of(10, 20))
    run = await running.trigger(deadline=deadline)
    await running.until_sent(stage.moment(0.1, 0.4))
    running.kill()
    assert datetime.now(UTC) < deadline, "it began too slowly"
    await asyncio.sleep((deadline - datetime.now(UTC)).total_seconds() + 0.1)
    running.start()
    status = await running.completed(run)
    figures = count(running, status, people, stage.size.places)
    check(figures)  # above all: nobody who was mailed is said to have expired
    counts = status.counts
    assert counts.sent + counts.in_doubt + counts.expired == len(people), counts
    assert counts.expired > 0 and status.deadline_passed
    return figures
