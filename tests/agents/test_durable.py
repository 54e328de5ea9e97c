"""One way to claim, to write, and to try again."""

import asyncio
from collections.abc import Callable, Collection
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka.errors import KafkaError
from faust.types import TP

from outreach_stream.agents import durable
from outreach_stream.agents.durable import make_durable
from outreach_stream.streaming.batch import Batch, Gate
from outreach_stream.streaming.lease import Lease
from outreach_stream.streaming.tables import PartitionNotOwned


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(durable, "RETRY", 0.001)


@pytest.fixture
def batch() -> Batch:
    """Three records of a partition that is ours."""
    lease = Lease()
    lease.until = float("inf")
    return Batch(Gate(lease), TP("t", 0), [SimpleNamespace(offset=n) for n in range(3)])


def effects(*outcomes: Any) -> Callable[[], Any]:
    """What raises or returns these, one after the other."""
    left = list(outcomes)

    async def act() -> Collection[int] | None:
        outcome = left.pop(0)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    return act


async def test_repeated_until_it_succeeds(batch: Batch) -> None:
    """Whatever goes wrong, the broker or a bug, it is tried again; then all is finished."""
    assert await make_durable(batch, effects(KafkaError(), RuntimeError("bug"), None)) == ()
    assert batch.unfinished == 0


async def test_what_is_left_is_given_back(batch: Batch) -> None:
    """It is named, unclaimed, and can be finished by itself."""
    left = await make_durable(batch, effects({1}))
    assert (left, batch.unfinished, batch.claimed(), batch.first_unfinished()) == ({1}, 1, 0, 1)

    await make_durable(batch, effects(KafkaError(), None), 1)
    assert batch.unfinished == 0


async def test_nothing_is_finished_once_the_partition_has_left(batch: Batch) -> None:
    """Whether that is noticed by the table, by the lease or at the claim."""
    await make_durable(batch, effects(PartitionNotOwned()))
    assert (batch.unfinished, batch.claimed()) == (3, 0)

    async def expelled() -> None:
        batch.gate.lease.until = float("-inf")

    await make_durable(batch, expelled)
    assert (batch.unfinished, batch.claimed()) == (3, 0)
    batch.live = False
    await make_durable(batch, effects())


async def test_a_cancelled_caller_gives_back(batch: Batch) -> None:
    """A drain does not wait for a query that was cut off."""
    task = asyncio.create_task(make_durable(batch, asyncio.Event().wait, 2))  # type: ignore[arg-type]
    await asyncio.sleep(0.01)
    assert batch.claimed() == 1
    task.cancel()
    await asyncio.wait([task])

    assert (task.cancelled(), batch.claimed(), batch.unfinished) == (True, 0, 3)
