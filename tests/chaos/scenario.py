"""Scenarios by name: what is done to a system in mid-run, and the figures that come of it."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from random import Random

from outreach_stream.broker.embedded import EmbeddedBroker

from .cluster import Cluster
from .relays import Relay
from .system import System
from .verdict import Figures

LIMIT = 90.0
"""Seconds a scenario may take, its broker's start included."""


@dataclass(frozen=True, slots=True)
class Size:
    """How large a scenario is played."""

    people: int
    places: int
    """The engine's concurrency: how many mails may be on the wire."""
    full: bool


SHORT = Size(people=600, places=20, full=False)
"""For every test run: as small as something can be that is killed in mid-run."""
FULL = Size(people=10_000, places=100, full=True)
"""`make chaos`."""


class Stage:
    """What a scenario is played on: a broker and a system of its own, its size, and all chance there is in it."""

    def __init__(self, size: Size, random: Random, folder: Path, cache_dir: Path, exits: AsyncExitStack) -> None:
        self.size, self.random = size, random
        self._folder, self._cache_dir, self._exits = folder, cache_dir, exits

    async def broker(self) -> EmbeddedBroker:
        """A broker for the scenario to break."""
        self.only_broker = await self._exits.enter_async_context(
            EmbeddedBroker(self._folder / "kafka", self._cache_dir))
        return self.only_broker

    async def cluster(self) -> Cluster:
        """Three of them, each record on all three."""
        return await self._exits.enter_async_context(Cluster(self._folder, self._cache_dir))

    async def system(self, bootstrap: str | None = None, **options) -> System:
        """A system whose workers do not run yet, on a broker of its own if none is given."""
        folder = self._folder / "system"
        folder.mkdir()
        options = {"concurrency": self.size.places, "latency_ms": 30} | options
        bootstrap = bootstrap or (await self.broker()).bootstrap
        return await self._exits.enter_async_context(System(folder, bootstrap, **options))

    async def relay(self, system: System, name: str, *options: str, engine: str) -> Relay:
        """Another engine of the system, with an inbox of its own."""
        relay = Relay(system, name)
        self._exits.callback(relay.close)
        return await relay.begin(*options, engine=engine)

    def of(self, short: float, full: float) -> float:
        """The one or the other, by size."""
        return full if self.size.full else short

    def moment(self, earliest: float = 0.1, latest: float = 0.6) -> int:
        """A number of mails, by chance, at which something is to happen."""
        return int(self.size.people * self.random.uniform(earliest, latest))


type Play = Callable[[Stage], Awaitable[Figures]]


@dataclass(frozen=True, slots=True)
class Scenario:
    """One row of the table."""

    name: str
    play: Play
    limit: float
    """Seconds it may take."""
    in_table: bool
    """Played by `make chaos`; the others have a command of their own."""


SCENARIOS: dict[str, Scenario] = {}


def scenario(name: str, *, limit: float = LIMIT, in_table: bool = True, **each: tuple) -> Callable:
    """Registers a scenario; `role=(a, b)` registers one for each, with the role in its name and as its argument."""
    def register(play: Callable) -> Callable:
        if not each:
            SCENARIOS[name] = Scenario(name, play, limit, in_table)
        for argument, values in each.items():
            for value in values:
                called = name.format(**{argument: value})
                SCENARIOS[called] = Scenario(called, partial(play, **{argument: value}), limit, in_table)
        return play
    return register


async def play(played: Scenario, seed: int, size: Size, folder: Path, cache_dir: Path) -> Figures:
    """Play a scenario once, in `folder`; the same seed makes the same choices. Raises AssertionError, TimeoutError."""
    async with asyncio.timeout(played.limit), _stage(size, Random(seed), folder, cache_dir) as stage:
        return await played.play(stage)


@asynccontextmanager
async def _stage(size: Size, random: Random, folder: Path, cache_dir: Path) -> AsyncIterator[Stage]:
    async with AsyncExitStack() as exits:
        yield Stage(size, random, folder, cache_dir, exits)


