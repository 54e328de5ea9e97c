"""The agent between Kafka and the floor: what is no request is buried."""

from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from faust.types import TP

from outreach_stream import topics
from outreach_stream.agents import send
from outreach_stream.streaming.app import StreamApp

from .conftest import NOW, FakeBatch, World, request


class StubApp:
    """The part of `StreamApp` that the agent uses, with batches from the test."""

    def __init__(self, *batches: Any) -> None:
        self._batches, self.spawned = batches, []

    async def batches(self, stream: Any) -> AsyncIterator[Any]:
        for batch in self._batches:
            yield batch

    def spawn(self, coro: Any) -> None:
        coro.close()
        self.spawned.append(coro.__name__)


def batch_of(*values: bytes) -> Any:
    batch: Any = FakeBatch(len(values), [])
    batch.records = [SimpleNamespace(offset=offset, value=value) for offset, value in enumerate(values)]
    batch.tp = SimpleNamespace(topic="bulk", partition=0)
    return batch


@pytest.mark.parametrize("value", [b"", b"{", b"[]", request(0).encode().replace(b'"index":0', b'"index":1024'),
                                   request(0).encode().replace(b'"index":0', b'"index":-1')])
async def test_what_is_no_request_is_buried_and_the_next_is_taken(world: World, value: bytes) -> None:
    """An index outside of a chunk too: no record could be kept of it."""
    sender = world.sender()
    app = StubApp(batch_of(value, request(1).encode()))
    await send._agent(app, sender.floor)(None)
    await sender.until(lambda: world.mailed(1))
    assert app.spawned == ["_bury"]


async def test_a_request_that_says_when_is_not_mailed_before(world: World) -> None:
    """Nor does it hold up the next one."""
    sender = world.sender()
    early = request(0, deadline=NOW + 60).model_copy(update={"due": NOW + 30})
    app = StubApp(batch_of(early.encode(), request(1).encode()))
    await send._agent(app, sender.floor)(None)
    await sender.until(lambda: world.mailed(1) and 0 in sender.put_off())
    assert world.mailed(0) == 0
    sender.passes(31)
    await sender.until(lambda: world.mailed(0))


async def test_the_floor_follows_the_partitions(world: World, tmp_path: Path) -> None:
    """Rest at the drain, last words before the release, then closed; connections are closed with the app, ours only."""
    floor = world.sender().floor
    app, other = (StreamApp(name, bootstrap="127.0.0.1:1", data_dir=tmp_path / name) for name in ("one", "other"))
    send.register(app, floor, dict)
    assert app.on_drain == [floor.rest]
    assert app.before_release == [floor.last_words]
    assert app.on_released == [floor.close]
    await app.call_assigned({TP(topics.SEND_REQUESTED.name, 3), TP(topics.SEND_REQUESTED_EXPRESS.name, 3)})
    assert floor._owned == {3}

    floor._desk("e")
    await other.on_before_shutdown.send()
    assert not world.engine._closed
    await app.on_before_shutdown.send()
    assert world.engine._closed
