"""Folders that disappear, or cannot be written."""

import asyncio

from ..scenario import Stage, scenario
from ..verdict import Figures, check_whole
from .kills import begun


@scenario("state folders deleted after a clean stop")
async def forgotten_after_a_stop(stage: Stage) -> Figures:
    """All is in the changelogs: nothing is repeated."""
    running, people, run = await begun(stage, session_timeout=3.0)
    await running.until_sent(stage.moment())
    await asyncio.to_thread(running.terminate)
    running.workers.forget()
    running.start()
    status = await running.completed(run)
    assert status.counts.possible_duplicates == 0
    return check_whole(running, status, people, in_flight=0)


@scenario("state folders deleted after kill -9")
async def forgotten_after_a_kill(stage: Stage) -> Figures:
    """What was on the wire may be repeated, labelled; nothing else."""
    running, people, run = await begun(stage, session_timeout=3.0)
    await running.until_sent(stage.moment())
    running.kill()
    running.workers.forget()
    running.start()
    return check_whole(running, await running.completed(run), people, stage.size.places)


@scenario("the output folder cannot be written at the end")
async def unwritable_output(stage: Stage) -> Figures:
    """The run is over, its log comes when it can."""
    running, people, run = await begun(stage)
    await running.until_sent(stage.moment(0.0, 0.5))
    if running.output.exists():
        running.output.rmdir()
    running.output.write_text("a file where the folder should be")
    await running.until_state(run, "COMPLETED")
    await asyncio.sleep(stage.random.uniform(0.5, stage.of(1, 5)))
    assert running.status(run).log is None
    running.output.unlink()
    return check_whole(running, await running.completed(run), people, in_flight=0)
