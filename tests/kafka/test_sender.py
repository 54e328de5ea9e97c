"""The sender as a real process, on a real broker, with a mail server that really receives."""

import asyncio
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from outreach_stream import topics
from outreach_stream.broker.admin import create_topics
from outreach_stream.domain.states import RecipientStatus
from outreach_stream.streaming.produce import Record, produce
from tests.conftest import embedded_broker
from tests.kafka.sender_stage import LAYOUT, Stage

COUNT = 600
EVERYBODY = {f"p{n}@x.example" for n in range(COUNT)}


@pytest.fixture(scope="module")
def bootstrap(tmp_path_factory: pytest.TempPathFactory, cache_dir: Path) -> Iterator[str]:
    """A broker of this module's own: all senders are of one group, and send whatever is requested."""
    with embedded_broker(tmp_path_factory, cache_dir) as address:
        asyncio.run(create_topics(address, LAYOUT))
        yield address


@pytest.fixture(scope="module")
def states(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Kept from test to test: a known member comes back without anybody waiting for its session to end."""
    return tmp_path_factory.mktemp("states")


@pytest.fixture
def stage(bootstrap: str, states: Path, tmp_path: Path) -> Callable[..., Stage]:
    def build(engine: str, **settings: object) -> Stage:
        return Stage(bootstrap, tmp_path, states, engine, **settings)
    return build


async def test_every_request_gets_a_result(stage: Callable[..., Stage]) -> None:
    """Sent means received; refused fails; deferred is tried again; what is no request is kept and passed over."""
    emails = [f"p{n}@x.example" for n in range(298)] + ["refuse-1@x.example", "defer-1@x.example"]
    async with stage("plain") as around:
        garbage = [Record(None, b"{"), Record(None, b'{"run_id":"r","chunk":0,"index":5000,"email":"a@x.example",'
                                                    b'"spec":"s","engine":"plain","deadline":0}')]
        await produce(around.producer, topics.SEND_REQUESTED.name, around.lanes[0], garbage)
        await around.request(emails)
        sender = around.start()
        await around.until(lambda: len(around.results) == len(emails) and len(around.dead) == len(garbage))

        assert all(len(results) == 1 for results in around.results.values())
        assert around.by_status(RecipientStatus.FAILED) == {"refuse-1@x.example"}
        assert around.by_status(RecipientStatus.SENT) == set(around.inbox.recipients())
        assert around.results[298][0].reason
        assert "@" not in around.results[298][0].reason
        assert around.results[299][0].attempts == 2
        assert around.labelled() == around.duplicates() == set()
        assert await around.stop(sender) == 0


@pytest.mark.long
async def test_killed_in_mid_flow_nobody_is_missing_and_duplicates_are_labelled(stage: Callable[..., Stage]) -> None:
    """Twice kill -9: everybody is mailed, and whoever is mailed twice is labelled in a result."""
    async with stage("killed", latency_ms=5) as around:
        await around.request(sorted(EVERYBODY))
        for share in (150, 350):
            sender = around.start()
            await around.until(lambda share=share: around.received() >= share)
            await around.stop(sender, signal.SIGKILL)
            assert around.received() < COUNT, "it was not in mid-flow"
        sender = around.start()
        await around.until(lambda: len(around.results) == COUNT)

        assert set(around.inbox.recipients()) == EVERYBODY == around.by_status(RecipientStatus.SENT)
        assert around.duplicates() <= around.labelled()
        assert len(around.labelled()) < COUNT / 2, "a block is no larger than what is in flight"
        assert await around.stop(sender) == 0


async def test_stopped_in_mid_flow_nothing_is_mailed_twice_or_doubted(stage: Callable[..., Stage]) -> None:
    """A deploy under load leaves no trace, in bulk nor in express (where a doubt would be held)."""
    async with stage("stopped", latency_ms=20) as around:
        await around.request(sorted(EVERYBODY)[:400])
        await around.request(sorted(EVERYBODY)[400:500], topics.SEND_REQUESTED_EXPRESS, first=400)
        sender = around.start()
        await around.until(lambda: around.received() >= 100)
        assert await around.stop(sender) == 0
        assert around.received() < 500, "it was not in mid-flow"
        sender = around.start()
        await around.until(lambda: len(around.results) == 500)

        assert around.received() == 500
        assert around.labelled() == around.duplicates() == set()
        assert around.by_status(RecipientStatus.IN_DOUBT) == set()
        assert await around.stop(sender) == 0


@pytest.mark.long
async def test_senders_that_join_and_leave_keep_the_rate_and_double_nothing(stage: Callable[..., Stage]) -> None:
    """One, two, one: no second with more than rate + burst, and nobody twice."""
    async with stage("shared", limits="rate: 200\nburst: 20\n") as around:
        await around.request(f"p{n}@x.example" for n in range(1_500))
        first = around.start("a")
        await around.until(lambda: around.received() >= 200)
        second = around.start("b")
        await around.until(lambda: list((around.states / "b").rglob("*.db")) and around.received() >= 800)
        assert await around.stop(first) == 0
        await around.until(lambda: len(around.results) == 1_500)

        assert around.received() == 1_500
        assert around.labelled() == around.duplicates() == set()
        assert around.inbox.max_in_window() <= 220
        assert await around.stop(second) == 0


@pytest.mark.long
async def test_a_frozen_sender_that_thaws_doubles_nothing_silently(stage: Callable[..., Stage]) -> None:
    """Its partitions were given away meanwhile: it sends nothing more of them, and its late writes erase nothing."""
    async with stage("frozen", limits="rate: 100\nburst: 10\n", latency_ms=5) as around:
        await around.request(f"p{n}@x.example" for n in range(1_500))
        frozen, other = around.start("a"), around.start("b")
        await around.until(lambda: around.received() >= 300)
        frozen.send_signal(signal.SIGSTOP)
        await around.until(lambda: around.received() >= 900)
        frozen.send_signal(signal.SIGCONT)
        await around.until(lambda: len(around.results) == 1_500)

        assert len(around.inbox.recipients()) == 1_500
        assert around.duplicates() <= around.labelled()
        assert around.inbox.max_in_window() <= 110
        assert [await around.stop(sender) for sender in (frozen, other)] == [0, 0]
