"""`outreach doctor`: everything that can be looked at from here, at once, with what to do about it."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Sequence
from typing import Annotated

import typer
from aiokafka.errors import KafkaError
from rich.console import Console
from rich.text import Text

from outreach_stream.broker.errors import BrokerError
from outreach_stream.broker.ready import reached
from outreach_stream.catalog.source import catalog_at
from outreach_stream.cli.doctor import door, here, mail, running, stream
from outreach_stream.cli.doctor.finding import Check, Found, Level, NotThere, Report, Scene, counted, problem
from outreach_stream.cli.exits import CommandError, Exit
from outreach_stream.cli.kafka import check_address, embedded_here
from outreach_stream.cli.process import command
from outreach_stream.cli.progress import busy
from outreach_stream.confidential import hide
from outreach_stream.settings import Settings

CHECKS = (
    Check("settings", here.settings, 5), Check("packages", here.packages, 5), Check("folders", here.folders, 10),
    Check("broker", stream.broker, 10), Check("topics", stream.topics, 30), Check("workers", stream.workers, 20),
    Check("dead letters", stream.dead_letters, 30), Check("runs", running.runs, 40), Check("clock", running.clock, 40),
    Check("catalog", mail.catalog, 60), Check("databases", mail.databases, 120), Check("engines", mail.engines, 240),
    Check("stops", running.stops, 40), Check("gateway", door.gateway, 10),
)
"""What is looked at, in the order in which it is told."""

_MARKS = {Level.OK: ("✓", "green"), Level.WARNING: ("!", "yellow"), Level.PROBLEM: ("✗", "bold red"),
          Level.UNKNOWN: ("–", "dim")}  # noqa: RUF001 - a dash it is


def doctor(
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object, when all is looked at.")] = False,
) -> None:
    """Look at everything that can be wrong here, and say what to do about it.

    Settings, packages and folders; Kafka, topics, workers and what waits for them; dead letters, runs that do not go
    on, clocks; the catalog, the database of each query (read-only, its first rows), each engine's preflight (no mail is
    sent), engines that are stopped; the gateway. Nothing is changed. All of it at once, each within a time limit.

    Exit code 0 if nothing is wrong (a warning is not), 1 if there is a problem, 3 if the Kafka that is named does not
    answer.
    """
    settings = command()
    if settings.kafka_bootstrap:
        check_address(settings.kafka_bootstrap)
    reports = asyncio.run(_looked(settings, as_json=as_json))
    if as_json:
        print(json.dumps(_told(reports), indent=2, ensure_ascii=False))
    raise typer.Exit(verdict(reports))


def verdict(reports: Sequence[Report]) -> Exit:
    """The exit code of what was found."""
    bad = {report.check for report in reports if report.level is Level.PROBLEM}
    return Exit.BROKER_AWAY if "broker" in bad else Exit.FAILED if bad else Exit.OK


async def examined(scene: Scene, checks: Sequence[Check]) -> AsyncIterator[Report]:
    """What each check finds, in their order, though all of them look at the same time. Raises nothing of theirs."""
    tasks = [asyncio.create_task(_report(scene, check)) for check in checks]
    try:
        for task in tasks:
            yield await task
    finally:
        for task in tasks:
            task.cancel()


async def _report(scene: Scene, check: Check) -> Report:
    began = time.monotonic()
    try:
        async with asyncio.timeout(check.seconds):
            found = await check.look(scene)
    except NotThere as error:
        found = [Found(Level.UNKNOWN, str(error))]
    except TimeoutError:
        found = [problem(f"looking takes more than {check.seconds:g} s", "Is something busy, or cut off?")]
    except (BrokerError, CommandError) as error:
        found = [problem(str(error))]
    except (KafkaError, OSError) as error:
        found = [problem(f"Kafka fails ({type(error).__name__})", "outreach topics check")]
    except Exception as error:  # noqa: BLE001 - one check that fails must not hide what the others find
        found = [problem(f"the check has a fault of its own ({type(error).__name__})", "Tell whoever wrote it")]
    hidden = [Found(level, hide(text), then and hide(then)) for level, text, then in found]
    return Report(check.name, hidden, time.monotonic() - began)


async def kafka_of(settings: Settings) -> str | None:
    """Address of the Kafka that is named, or of the embedded one of the state folder, if it answers.

    Raises `AccessRefusedError` for one that does not let us in, `AccessSettingError`.
    """
    if named := settings.kafka_bootstrap:
        return named if await reached(named) else None
    return await embedded_here(settings)


def scene_of(settings: Settings) -> Scene:
    """What is looked at; all that several checks need is begun."""
    kafka = asyncio.create_task(kafka_of(settings))
    return Scene(settings, kafka, asyncio.create_task(running.newest_runs(asyncio.shield(kafka))),
                 asyncio.create_task(asyncio.to_thread(catalog_at(settings).read)))


async def _looked(settings: Settings, *, as_json: bool) -> list[Report]:
    console, reports = Console(highlight=False, soft_wrap=True), []
    scene = scene_of(settings)
    left = [check.name for check in CHECKS]
    with busy(f"Looking at {left[0]} …") as say:
        async for report in examined(scene, CHECKS):
            reports.append(report)
            left.pop(0)
            if not as_json:
                _show(console, report)
            say(f"Looking at {left[0]} …" if left else "Done")
    await asyncio.gather(scene.kafka, scene.runs, scene.catalog, return_exceptions=True)   # a check has said it
    if not as_json:
        _close(console, reports)
    return reports


def _show(console: Console, report: Report) -> None:
    for number, (level, text, then) in enumerate(report.found):
        mark, style = _MARKS[level]
        name = f"{'' if number else report.check:<13}"
        console.print(Text.assemble((mark, style), f" {name}{text}"))
        if then:
            console.print(Text("\n".join(f"{'':<15}{'→' if not line else ' '} {told}"
                                         for line, told in enumerate(then.splitlines())), style="dim"))


def _close(console: Console, reports: Sequence[Report]) -> None:
    counts = {level: sum(found.level is level for report in reports for found in report.found) for level in Level}
    console.print(f"\n{counted(counts[Level.PROBLEM], 'problem')}, {counted(counts[Level.WARNING], 'warning')}.")


def _told(reports: Sequence[Report]) -> dict[str, object]:
    return {"level": max((report.level for report in reports), key=list(Level).index),
            "checks": [{"name": report.check, "level": report.level, "seconds": round(report.seconds, 3),
                        "findings": [found._asdict() for found in report.found]} for report in reports]}
