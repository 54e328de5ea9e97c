"""Scenarios by name, and a system of a test's own for what is no scenario."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from outreach_stream.broker.embedded import EmbeddedBroker

from . import scenarios  # noqa: F401 - registers them
from .scenario import SCENARIOS, SHORT, play
from .system import System
from .verdict import Figures

SEED = 4


@pytest.fixture
def played(tmp_path: Path, cache_dir: Path) -> Callable[[str], Awaitable[Figures]]:
    """Plays a scenario in its short form, always with the same choices: `await played("kill -9 of the sender")`."""
    return lambda name: play(SCENARIOS[name], SEED, SHORT, tmp_path, cache_dir)


@pytest.fixture
async def system(kafka_broker: EmbeddedBroker, tmp_path: Path) -> AsyncIterator[Callable]:
    """Starts a system on its own broker: `await system(rate=200)`; everything ends with the test."""
    async with AsyncExitStack() as stack:
        async def begin(**options) -> System:
            folder = tmp_path / "system"
            folder.mkdir()
            return await stack.enter_async_context(System(folder, kafka_broker.bootstrap, **options))
        yield begin
