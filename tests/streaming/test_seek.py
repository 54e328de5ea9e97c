"""From the end of a recovery to the first record, and what a rebalance in between leaves behind."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from faust.types import TP

from outreach_stream.streaming.app import StreamApp
from tests.streaming.conftest import TP0, FedConsumer


class SeekingConsumer(FedConsumer):
    """Nothing is assigned yet; offset 5 is committed. `called` has the hooks in the order of their calls."""

    def __init__(self, app: StreamApp) -> None:
        super().__init__(app)
        self.consumer._leave()
        self.consumer.seek_to_committed = self._seek_to_committed
        self.consumer.topic_partitions = lambda _: 1
        self.called: list[Any] = []
        self.hook = asyncio.Event()
        app.on_assigned.append(self._assigned)
        app.on_released.append(lambda: self.called.append("released"))

    async def _seek_to_committed(self) -> dict[TP, int]:
        await asyncio.sleep(0)
        return {TP0: 5}

    async def _assigned(self, _: object) -> None:
        self.called.append("assigned")
        await self.hook.wait()


@pytest.fixture
async def seeking(new_app: Callable[..., StreamApp]) -> SeekingConsumer:
    return SeekingConsumer(new_app(batch_records=10, load_high=20, load_low=10, drain=0.2))


async def test_ledgers_open_where_was_committed_last(seeking: SeekingConsumer) -> None:
    """Once the hooks have returned."""
    seek = asyncio.create_task(seeking.consumer.perform_seek())
    await asyncio.sleep(0.01)
    assert (seeking.called, seeking.consumer.ledgers) == (["assigned"], {})
    seeking.hook.set()
    await seek

    assert seeking.consumer.ledgers[TP0].next_offset == 5
    assert seeking.consumer.positioned


async def test_a_rebalance_while_hooks_wait_releases_and_opens_nothing(seeking: SeekingConsumer) -> None:
    """What the hooks began for the old assignment is ended, and its offsets are not taken for the new one's."""
    seek = asyncio.create_task(seeking.consumer.perform_seek())
    await asyncio.sleep(0.01)
    seeking.consumer._leave()
    seeking.hook.set()
    await seek

    assert seeking.called == ["assigned", "released"]
    assert (seeking.consumer.ledgers, seeking.consumer.positioned) == ({}, False)


async def test_a_rebalance_while_it_seeks_calls_no_hook(seeking: SeekingConsumer) -> None:
    """The offsets are those of partitions that have left."""
    seek = asyncio.create_task(seeking.consumer.perform_seek())
    await asyncio.sleep(0)
    seeking.consumer._leave()
    await seek

    assert (seeking.called, seeking.consumer.ledgers) == ([], {})


async def test_hooks_that_were_cut_off_are_released_before_they_are_called_again(seeking: SeekingConsumer) -> None:
    """A cancelled seek leaves nothing running twice."""
    seek = asyncio.create_task(seeking.consumer.perform_seek())
    await asyncio.sleep(0.01)
    seek.cancel()
    await asyncio.wait([seek])
    seeking.hook.set()
    await seeking.consumer.perform_seek()

    assert seeking.called == ["assigned", "released", "assigned"]
    assert seeking.consumer.positioned


async def test_recovery_and_fetcher_together_seek_once(seeking: SeekingConsumer) -> None:
    """Two ledgers of one partition would hand out each record twice, and one of them would outlive the assignment."""
    seeks = [asyncio.create_task(seeking.consumer.perform_seek()) for _ in range(2)]
    await asyncio.sleep(0.01)
    seeking.hook.set()
    await asyncio.gather(*seeks)

    assert seeking.called == ["assigned"]
