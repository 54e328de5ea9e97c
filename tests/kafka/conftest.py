"""Aggregators for the tests to kill, and what stands around them."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.kafka.aggregator_stage import Stage


@pytest.fixture(scope="session")
def aggregator_state(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One state folder for all: its worker is the same member of the group at every start, and begins at once."""
    return tmp_path_factory.mktemp("aggregator") / "state"


@pytest.fixture
async def stage(kafka_topics: str, aggregator_state: Path, tmp_path: Path) -> AsyncIterator[Stage]:
    """A stage without an aggregator yet."""
    async with Stage(kafka_topics, aggregator_state, tmp_path / "output") as stage:
        yield stage
