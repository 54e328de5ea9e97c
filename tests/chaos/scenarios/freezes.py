"""Workers that are frozen past their session, and wake to find their partitions given away."""

import asyncio

from outreach_stream import topics

from ..scenario import Stage, scenario
from ..verdict import Figures, check_whole
from ..workers import ROLES
from .kills import begun

SESSION = 3.0
"""Seconds until a dead worker's partitions are given away."""


@scenario("SIGSTOP of the {role} past its session, then SIGCONT", role=ROLES)
async def frozen(stage: Stage, role: str) -> Figures:
    """Whatever the thawed one still has in hand, only what was on the wire at the freeze may be mailed twice."""
    running, people, run = await begun(stage, people=2 * stage.size.people, session_timeout=SESSION)
    await running.until_sent(stage.moment(0.1, 0.3))
    running.workers.freeze(role)
    running.start(role, name=f"{role}-2")
    await asyncio.sleep(SESSION + stage.random.uniform(1, 3))  # the second one owns the partitions now
    running.workers.thaw(role)
    return check_whole(running, await running.completed(run), people, stage.size.places if role == "sender" else 0)


@scenario("a planner frozen after its plan, a second one that fails")
async def frozen_planner(stage: Stage) -> Figures:
    """The plan that is durable is the plan: who plans again and fails meanwhile changes nothing."""
    running, people, run = await begun(stage, session_timeout=SESSION)
    await running.until(lambda: "run_planned" in running.workers.log("dispatcher"), 30, lambda: "no plan")
    running.workers.freeze("dispatcher")
    running.content.drop("people")  # whoever asks again gets an error
    running.start("dispatcher", name="dispatcher-2")
    await asyncio.sleep(SESSION + stage.random.uniform(1, 3))
    running.workers.thaw("dispatcher")
    figures = check_whole(running, await running.completed(run), people, in_flight=0)
    begins = [value for value in await running.records(topics.RUN_EVENT) if b'"initializing"' in value]
    assert len(begins) <= 2, f"{len(begins)} queries for one run"
    return figures
