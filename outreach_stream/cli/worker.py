"""`outreach worker`: one role in this process, or a process for each of several."""

import asyncio
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import structlog
import typer

from outreach_stream.broker.errors import NoBrokerError
from outreach_stream.catalog.source import catalog_at
from outreach_stream.cli.exits import CommandError, Exit
from outreach_stream.cli.kafka import find_kafka, kafka_for, prepare
from outreach_stream.cli.listening import metrics_place, waiting
from outreach_stream.cli.process import service
from outreach_stream.cli.signals import on_stop
from outreach_stream.cli.supervisor import Program, Supervisor, outreach
from outreach_stream.settings import Settings
from outreach_stream.topics import Layout

if TYPE_CHECKING:
    from outreach_stream.telemetry.endpoint import Listening


class Role(StrEnum):
    """What a worker can do, in the order in which a mail meets it."""

    AGGREGATOR = "aggregator"
    DISPATCHER = "dispatcher"
    SENDER = "sender"
    ALL = "all"


ROLES = (Role.AGGREGATOR, Role.DISPATCHER, Role.SENDER)

GRACE = 15.0
"""Seconds a stopping worker has beyond its drain, to commit and leave its group, before it is killed."""

LAST_PORT = 65_535

ALONE = {"OUTREACH_AGGREGATORS": "1", "OUTREACH_DISPATCHERS": "1", "OUTREACH_SENDERS": "1"}
"""Set for a worker that works by itself, whatever we were told: else it would start as many as we did."""

_log = structlog.get_logger()


def worker(
    roles: Annotated[list[Role], typer.Argument(
        help="What to do: aggregator, dispatcher, sender; several, or all, get a process each.")],
    data_dir: Annotated[Path | None, typer.Option(
        help="Folder of the local tables, one below it for each role.", show_default="OUTREACH_STATE_DIR")] = None,
    instance: Annotated[str | None, typer.Option(
        help="Name of this worker, if there are several of a role on this machine: a state folder and a static "
             "membership of its own, so that a quick restart moves no partitions.")] = None,
) -> None:
    """Work in one or more roles, until Ctrl-C or SIGTERM.

    Several roles get a process each, or as many as OUTREACH_AGGREGATORS, OUTREACH_DISPATCHERS and OUTREACH_SENDERS say,
    and one that dies is started again. Without OUTREACH_KAFKA_BOOTSTRAP the embedded Kafka of the state folder is used,
    and started if it isn't running.
    """
    settings = service(**({"instance": instance} if instance else {}))
    catalog_at(settings).load()      # each role reads it again; said once, and before anything is begun
    wanted = processes(roles, settings)
    folder = _folder(settings, data_dir, instance)
    look_at_counts(wanted, settings)
    listening = metrics_place(settings) if len(wanted) == 1 else None
    single = asyncio.run(_single(wanted[0], settings, listening)) if len(wanted) == 1 else None
    if single is None:
        if listening:
            listening.server_close()    # it is the worker's, which is another process
        sys.exit(asyncio.run(_supervise(wanted, settings, folder)))
    settings = settings.model_copy(update={"kafka_bootstrap": single, "state_dir": folder})
    sys.exit(_work(wanted[0], settings, listening))


def processes(roles: Sequence[str], settings: Settings) -> list[Role]:
    """The role of each process that is to run, in flow order: a role is named as often as it has processes."""
    counts = {Role.AGGREGATOR: settings.aggregators, Role.DISPATCHER: settings.dispatchers,
              Role.SENDER: settings.senders}
    return [role for role in ROLES if role in roles or Role.ALL in roles for _ in range(counts[role])]


def useful(role: str, layout: Layout) -> int:
    """Processes of a role that can have work: each partition number of topics with equal counts has one owner."""
    return {Role.AGGREGATOR: max(layout.triggers, layout.runs), Role.DISPATCHER: max(layout.runs, layout.engines),
            Role.SENDER: layout.lanes}[Role(role)]


def look_at_counts(wanted: Sequence[Role], settings: Settings) -> None:
    """Warns of processes that can have no work. Raises `CommandError` if there are fewer ports than processes."""
    if settings.metrics_port and settings.metrics_port + len(wanted) - 1 > LAST_PORT:
        raise CommandError(f"{len(wanted)} processes tell their metrics on the ports from {settings.metrics_port} on, "
                           f"and {LAST_PORT} is the last: choose a lower OUTREACH_METRICS_PORT.", Exit.USAGE)
    for role, count in Counter(wanted).items():
        if count > (partitions := useful(role, settings.layout())):
            _log.warning("workers_without_partitions", role=role, processes=count, partitions=partitions)


def _folder(settings: Settings, data_dir: Path | None, instance: str | None) -> Path:
    folder = (data_dir or settings.state_dir).absolute()
    if instance is None:
        return folder
    if not instance.replace("-", "").replace("_", "").isalnum():
        raise CommandError("--instance becomes the name of a folder: letters, digits, - and _ only.", Exit.USAGE)
    return folder / instance


async def _single(role: str, settings: Settings, listening: "Listening | None") -> str | None:
    """The broker that one role in this process works with; None: it must be started, so somebody must look after it."""
    async with waiting(role, listening, "Kafka is waited for"):
        try:
            bootstrap = await find_kafka(settings)
        except NoBrokerError:
            return None
        await prepare(bootstrap, settings, create=not settings.kafka_bootstrap)
        return bootstrap


def _work(role: str, settings: Settings, listening: "Listening | None") -> int:
    from outreach_stream.streaming.instance import FolderInUse  # noqa: PLC0415 - Faust, only where it is run
    from outreach_stream.wiring import run_role  # noqa: PLC0415

    try:
        return run_role(role, settings, listening=listening)
    except FolderInUse as error:
        raise CommandError(f"{error} (--instance NAME does).", Exit.USAGE) from error


async def _supervise(roles: Sequence[str], settings: Settings, folder: Path) -> int:
    async with kafka_for(settings) as bootstrap:
        programs = role_programs(roles, {"OUTREACH_KAFKA_BOOTSTRAP": bootstrap}, folder,
                                 metrics_port=settings.metrics_port)
        supervisor = Supervisor(programs, grace=settings.drain_timeout + GRACE)
        on_stop(supervisor.stop)
        await supervisor.run()
    return Exit.USAGE if supervisor.refused else Exit.OK


def role_programs(roles: Sequence[str], env: Mapping[str, str], folder: Path,
                  output: Path | None = None, metrics_port: int = 0) -> list[Program]:
    """One program for each role, with its state in `folder`; with `output`, its log in a file in that folder.

    A role that is named again gets a further process, an instance of its own: `sender`, `sender-2`, `sender-3`.
    The first tells its metrics on `metrics_port`, the others on those that follow; 0: none of them does.
    """
    env = {**env, **ALONE, "OUTREACH_STATE_DIR": str(folder)}
    ports = [str(metrics_port and metrics_port + number) for number in range(len(roles))]
    return [outreach(name, "worker", role, *(() if name == role else ("--instance", name)),
                     env={**env, "OUTREACH_METRICS_PORT": port}, output=output and output / f"{name}.log")
            for role, name, port in zip(roles, process_names(roles), ports, strict=True)]


def process_names(roles: Sequence[str]) -> list[str]:
    """What the process of each role is called: as the role is, and those after it with a number."""
    seen: Counter[str] = Counter()
    names = []
    for role in roles:
        seen[role] += 1
        names.append(f"{role}-{seen[role]}" if seen[role] > 1 else str(role))
    return names
