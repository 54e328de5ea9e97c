"""kill -9 and SIGTERM of workers, and their restart."""

import asyncio

from ..scenario import Stage, scenario
from ..system import System
from ..verdict import Figures, check, check_whole, count
from ..workers import ROLES


async def begun(stage: Stage, *, people: int | None = None, extra: str = "", **options) -> tuple[System, set[str], str]:
    """A system with all its workers, and a run on its way: the system, whom the run is for, and its id."""
    running = await stage.system(**options)
    everybody = running.people(people or stage.size.people, extra=extra)
    running.start()
    return running, everybody, await running.trigger()


@scenario("kill -9 of the {role}", role=ROLES)
async def killed(stage: Stage, role: str) -> Figures:
    """Only a sender's death can repeat a mail."""
    running, people, run = await begun(stage)
    await running.until_sent(stage.moment())
    running.kill(role)
    await asyncio.sleep(stage.random.uniform(0, stage.of(0, 3)))
    running.start(role)
    return check_whole(running, await running.completed(run), people, stage.size.places if role == "sender" else 0)


@scenario("kill -9 of all at once, twice")
async def all_killed(stage: Stage) -> Figures:
    """Whoever dies with whom: what a dead sender had on the wire may be repeated, at each of its deaths."""
    running, people, run = await begun(stage)
    for earliest, latest in ((0.1, 0.3), (0.4, 0.6)):
        await running.until_sent(stage.moment(earliest, latest))
        running.kill()
        running.start()
    return check_whole(running, await running.completed(run), people, 2 * stage.size.places)


@scenario("kill -9 every 3 s for a minute")
async def killed_again_and_again(stage: Stage) -> Figures:
    """By chance one of them, or all; at a rate that keeps the run going for that long."""
    kills, pause = int(stage.of(2, 20)), stage.of(1.5, 3)
    places = 20
    running, people, run = await begun(stage, people=int(stage.of(600, 1_500)), concurrency=places,
                                       rate=stage.of(150, 30))
    await running.until_sent(1)
    victims = stage.random.choices([("aggregator",), ("dispatcher",), ("sender",), ROLES], k=kills)
    for i, names in enumerate(victims):
        await asyncio.sleep(pause if i else 0)
        running.kill(*names)
        running.start(*names)
    running.content.relay(concurrency=places)  # no limit any more: the rest has to fit into the time
    return check_whole(running, await running.completed(run, 60), people,
                       places * sum("sender" in names for names in victims))


@scenario("kill -9 of the sender, in doubt: hold")
async def killed_and_held(stage: Stage) -> Figures:
    """Nobody is mailed twice: those who may have been mailed end in doubt."""
    running, people, run = await begun(stage, extra="in_doubt: hold\n")
    deaths = int(stage.of(1, 3))
    for i in range(deaths):
        await running.until_sent(stage.moment(0.1 + 0.2 * i, 0.2 + 0.2 * i))
        running.kill("sender")
        running.start("sender")
    status = await running.completed(run)
    figures = count(running, status, people, deaths * stage.size.places)
    check(figures)
    assert figures.duplicates == 0, "held is not mailed again"
    assert status.counts.sent + status.counts.in_doubt == len(people)
    return figures


@scenario("SIGTERM of all, and a restart")
async def deployed(stage: Stage) -> Figures:
    """No duplicate, and none that might be one."""
    running, people, run = await begun(stage)
    await running.until_sent(stage.moment())
    await asyncio.to_thread(running.terminate)
    running.start()
    status = await running.completed(run)
    assert status.counts.possible_duplicates == 0
    return check_whole(running, status, people, in_flight=0)
