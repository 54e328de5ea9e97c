"""Killed after the mail and before its record: whatever happens then, it is not denied."""

import asyncio
import time
from datetime import UTC, datetime, timedelta

from outreach_stream import topics
from outreach_stream.domain.control import RunOrder, Subject, control_key
from outreach_stream.inbox.modes import Mode
from outreach_stream.streaming.produce import Record, produce

from ..scenario import Stage, scenario
from ..verdict import Figures, check, count
from .kills import begun


@scenario("all killed until the deadline has passed")
async def expired(stage: Stage) -> Figures:
    """Everybody has an end: the unsent expire, and whoever may have been mailed never does."""
    running = await stage.system()
    people = running.people(stage.size.people)
    running.people(1, workflow=2, table="first")
    running.start()
    await running.completed(await running.trigger(2))  # so that the deadline's time is for the run, not for the start
    deadline = datetime.now(UTC) + timedelta(seconds=stage.of(7, 20))
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


@scenario("kill -9 of the sender, then a cancel")
async def cancelled(stage: Stage) -> Figures:
    """The rest ends as cancelled, and never who may have been mailed."""
    running, people, run = await begun(stage)
    await running.until_sent(stage.moment())
    running.kill("sender")
    order = RunOrder(at=time.time(), by="chaos")
    await produce(running.producer, topics.CONTROL.name, 0,
                  [Record(control_key(Subject("run", run), "cancel"), order.encode())])
    running.start("sender")
    status = await running.completed(run)
    figures = count(running, status, people, stage.size.places)
    check(figures)
    assert status.state == "CANCELLED" and status.counts.cancelled > 0
    assert status.counts.ended == len(people)
    return figures


@scenario("kill -9 of the sender, then 550 for half")
async def refused(stage: Stage) -> Figures:
    """Refused is refused, but never for who may have been mailed before."""
    running, people, run = await begun(stage)
    await running.until_sent(stage.moment())
    running.kill("sender")
    running.mode(Mode.HALF)
    running.start("sender")
    status = await running.completed(run)
    figures = count(running, status, people, stage.size.places)
    check(figures)
    assert status.counts.failed > 0 and status.counts.ended == len(people)
    return figures
