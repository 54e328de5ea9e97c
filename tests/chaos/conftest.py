"""A system of the test's own, on a broker of the test's own."""

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from outreach_stream.broker.embedded import EmbeddedBroker

from .system import System


@pytest.fixture
async def system(kafka_broker: EmbeddedBroker, tmp_path: Path) -> AsyncIterator[Callable]:
    """Starts a system on its own broker: `await system(rate=200)`; everything ends with the test."""
    async with AsyncExitStack() as stack:
        async def begin(**options) -> System:
            folder = tmp_path / "system"
            folder.mkdir()
            return await stack.enter_async_context(System(folder, kafka_broker.bootstrap, **options))
        yield begin
