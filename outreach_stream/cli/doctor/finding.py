"""What a check finds, and what it is given to look at."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from outreach_stream.broker.errors import BrokerError
from outreach_stream.catalog.source import Read
from outreach_stream.domain.events import RunStatus
from outreach_stream.settings import Settings


class Level(StrEnum):
    """How bad it is."""

    OK = "ok"
    UNKNOWN = "unknown"
    """Not looked at: what it needs is not there, and another check says so."""
    WARNING = "warning"
    """It works, or may be meant so; somebody should know."""
    PROBLEM = "problem"
    """Mails do not go out, or what became of them is not known, until it is mended."""


_BADNESS = list(Level)


class Found(NamedTuple):
    """One finding: a sentence, and what to do about it."""

    level: Level
    text: str
    then: str | None = None
    """What to do next; None: nothing."""


def ok(text: str) -> Found:
    """As it should be."""
    return Found(Level.OK, text)


def warning(text: str, then: str | None = None) -> Found:
    """Somebody should know."""
    return Found(Level.WARNING, text, then)


def problem(text: str, then: str | None = None) -> Found:
    """Somebody must do something."""
    return Found(Level.PROBLEM, text, then)


def counted(number: int, noun: str) -> str:
    """`1 record`, `1,000 records`."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def worst(found: list[Found]) -> Level:
    """The level of a whole check."""
    return max((each.level for each in found), key=_BADNESS.index, default=Level.OK)


class NotThere(Exception):  # noqa: N818 - it says what is so
    """What a check needs is not there; another one says why."""


async def address_in(kafka: Awaitable[str | None]) -> str:
    """The broker's address; raises `NotThere` if there is none, or it does not let us in."""
    try:
        address = await kafka
    except BrokerError as error:
        raise NotThere("not looked at: Kafka does not let us in") from error
    if address is None:
        raise NotThere("not looked at: no Kafka answers")
    return address


@dataclass(frozen=True, slots=True)
class Scene:
    """What is looked at. The tasks are shared by all checks and never cancelled by one of them."""

    settings: Settings
    kafka: asyncio.Task[str | None]
    """Address of a broker that answers; None: none does. Raises `BrokerError` for one that does not let us in."""
    runs: asyncio.Task[list[RunStatus]]
    """The last word on each of the newest runs."""
    catalog: asyncio.Task[Read]
    """The catalog as far as it can be read."""

    async def bootstrap(self) -> str:
        """Address of a broker that answers. Raises `NotThere`."""
        return await address_in(asyncio.shield(self.kafka))

    async def newest(self) -> list[RunStatus]:
        """The last word on each of the newest runs. Raises `NotThere`, `BrokerUnreachableError`."""
        return await asyncio.shield(self.runs)

    async def reading(self) -> Read:
        """The catalog as far as it can be read. Raises as its source does."""
        return await asyncio.shield(self.catalog)


class Check(NamedTuple):
    """One thing that is looked at."""

    name: str
    look: Callable[[Scene], Awaitable[list[Found]]]
    seconds: float
    """How long it may take."""


class Report(NamedTuple):
    """What one check found."""

    check: str
    found: list[Found]
    seconds: float

    @property
    def level(self) -> Level:
        """Of its worst finding."""
        return worst(self.found)
