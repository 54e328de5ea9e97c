"""A desk: what it hears of its engine and of `control`, and how it waits for a connection."""

import asyncio
from typing import Any

import pytest
from structlog.testing import capture_logs

from outreach_stream.delivery.desk import Allowance, Desk
from outreach_stream.delivery.slots import Slot
from outreach_stream.domain.control import Control, EngineFuse, EngineThrottle, Subject, control_key
from outreach_stream.domain.outcomes import EngineStopped, RecipientRejected, SenderBlocked, Throttled, Transient
from outreach_stream.engines.memory import MemoryEngine

from .conftest import NOW

FUSE = EngineFuse(reason="key", at=NOW, by="ann")
PACE = EngineThrottle(until=NOW, factor=0.5, at=NOW)
STOPPED = EngineStopped("key", "revoked")


class Heard:
    """A desk, what it told, and what it is ordered."""

    def __init__(self, rate: float | None = None) -> None:
        self.engine, self.control, self.told, self.now = MemoryEngine(), Control(), [], NOW
        self.desk = Desk.of("e", self.engine, Allowance(rate, None, [0]), concurrency=2, partitions=1)
        self.desk.control, self.desk.clock = self.control, lambda: self.now
        self.desk.tell = lambda _, order: self.told.append(order)
        self.desk.own({0}, {0})

    def order(self, matter: Any, order: EngineFuse | EngineThrottle | None) -> bool:
        value = None if order is None else order.encode()
        self.control.note(control_key(Subject("engine", "e"), matter), value)
        return self.desk.ordered()


async def test_it_stops_at_once_and_says_so_once() -> None:
    """Before `control` has heard of it; what is still on the wire then hears the same."""
    heard = Heard()
    for _ in range(3):
        heard.desk.heed(STOPPED)
    assert heard.desk.stopped == "key: revoked"
    assert [order.reason for order in heard.told] == ["key: revoked"]
    assert heard.order("fuse", FUSE)
    heard.desk.heed(STOPPED)
    assert (heard.desk.stopped, len(heard.told)) == ("key", 1)
    assert heard.order("fuse", None)
    assert heard.desk.stopped is None
    heard.desk.heed(STOPPED)
    assert len(heard.told) == 2


async def test_an_order_about_its_pace_does_not_start_a_stopped_engine() -> None:
    """Throttled, then stopped: the first order comes back when the second is still on its way."""
    heard = Heard()
    heard.desk.heed(STOPPED)
    assert not heard.order("throttle", PACE)
    assert heard.desk.stopped == "key: revoked"


async def test_an_order_that_stops_it_does_not_end_its_pause() -> None:
    """The other way round: what we said of its pace stands until `control` says it."""
    heard = Heard(rate=100)
    heard.desk.heed(Throttled("slow", retry_after=30.0))
    heard.order("fuse", FUSE)
    heard.order("fuse", None)
    assert heard.desk.bucket.wait_time() > 25
    heard.order("throttle", heard.told[0])
    assert heard.desk.bucket.wait_time() > 25
    heard.order("throttle", None)
    assert heard.desk.bucket.wait_time() < 1


async def test_a_resume_begins_to_count_anew() -> None:
    """Nine blocks before it are no reason to stop at the first one after it."""
    heard = Heard()
    for _ in range(9):
        heard.desk.heed(SenderBlocked("5.7.1"))
    heard.order("fuse", FUSE)
    heard.order("fuse", None)
    heard.desk.heed(SenderBlocked("5.7.1"))
    assert heard.desk.stopped is None
    heard.order("throttle", PACE)  # says nothing about blocks
    for _ in range(9):
        heard.desk.heed(SenderBlocked("5.7.1"))
    assert heard.desk.stopped == "5.7.1"


async def test_an_unknown_engine_goes_on_when_it_is_found() -> None:
    """And only such a one: what an operator has to look at is not found by the catalog."""
    heard = Heard()
    heard.desk.heed(EngineStopped("engine_unknown", "none"))
    assert (heard.desk.stopped, heard.told) == ("engine_unknown: none", [])
    assert heard.desk.found()
    assert heard.desk.stopped is None
    heard.desk.heed(STOPPED)
    assert not heard.desk.found()
    assert heard.desk.stopped == "key: revoked"


async def test_a_passing_trouble_is_waited_out_and_others_are_the_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    """Until the caller gives up; a stop is heeded."""
    monkeypatch.setattr("outreach_stream.delivery.desk.UNREACHABLE_SECONDS", 0.01)
    heard, asked = Heard(), []
    heard.engine.unreachable = Transient("refused")
    answer = await heard.desk.connect(lambda: asked.append(1) or len(asked) > 3)
    assert (answer, len(asked)) == (Transient("refused"), 4)
    waiting = asyncio.ensure_future(heard.desk.connect(lambda: False))
    await asyncio.sleep(0.03)
    heard.engine.unreachable = None
    assert not isinstance(await waiting, Transient)
    for refusal in (RecipientRejected("no"), STOPPED):
        heard.engine.unreachable = refusal
        assert await heard.desk.connect(lambda: False) is refusal
    assert heard.desk.stopped == "key: revoked"


async def test_that_an_engine_cannot_be_reached_is_said_once_a_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    """However many mails wait for a connection, and however often it is there for a moment."""
    monkeypatch.setattr("outreach_stream.delivery.desk.UNREACHABLE_SECONDS", 0.01)
    heard = Heard()
    with capture_logs() as logs:
        for _ in range(4):
            heard.now += 30
            heard.engine.unreachable = Transient("refused")
            waiting = [asyncio.ensure_future(heard.desk.connect(lambda: False)) for _ in range(20)]
            await asyncio.sleep(0.03)
            heard.engine.unreachable = None
            for connected in asyncio.as_completed(waiting):
                heard.engine.release(await connected)
    assert [log["event"] for log in logs] == ["engine_unreachable"] * 2


async def test_a_throttled_greeting_pauses_everybody_and_is_asked_again_after_it(
        monkeypatch: pytest.MonkeyPatch) -> None:
    """Not at each look whether to give up."""
    monkeypatch.setattr("outreach_stream.delivery.desk.UNREACHABLE_SECONDS", 0.01)
    heard, asked = Heard(), []

    async def acquire() -> object:
        asked.append(asyncio.get_running_loop().time())
        heard.engine.unreachable = Throttled("421", retry_after=30.0) if len(asked) == 1 else None
        return await MemoryEngine.acquire(heard.engine)

    heard.engine.acquire = acquire  # type: ignore[method-assign,assignment]
    waiting = asyncio.ensure_future(heard.desk.connect(lambda: False))
    await asyncio.sleep(0.1)
    assert (len(asked), len(heard.told)) == (1, 1)
    heard.now += 31
    await asyncio.wait_for(waiting, 1)
    assert len(asked) == 2


async def test_a_place_is_given_back_once() -> None:
    """However often it is left, and whoever was cancelled while it waited."""
    desk = Heard().desk
    first, second, third = (Slot(desk) for _ in range(3))
    await first.take()
    await second.take()
    waiting = asyncio.ensure_future(third.take())
    await asyncio.sleep(0)
    first.give()
    first.give()
    waiting.cancel()  # its turn was called, and it has not run yet
    await asyncio.gather(waiting, return_exceptions=True)
    third.give()
    assert desk.places.free == 1
    second.give()
    assert desk.places.free == desk.size == 2


async def test_a_rate_that_the_provider_tells_is_kept_where_the_catalog_gives_none() -> None:
    """It is known with the first connection, before the first mail, and followed when it changes."""
    heard = Heard()
    heard.engine.rate = 20.0
    assert heard.desk.bucket.unlimited
    await heard.desk.connect(lambda: False)
    assert not heard.desk.bucket.unlimited
    assert 0 < heard.desk.bucket.wait_time() <= 1 / 20
    for told in (1.0, None):
        heard.engine.rate = told
        await heard.desk.connect(lambda: False)
        assert 1 / 20 < heard.desk.bucket.wait_time() <= 1


async def test_a_rate_of_the_catalog_is_never_overruled_by_the_providers() -> None:
    """What the operator wrote counts, be it faster or slower; and when it goes, the provider's is back."""
    heard = Heard(rate=50.0)
    heard.engine.rate = 1.0
    await heard.desk.connect(lambda: False)
    assert heard.desk.bucket.wait_time() <= 1 / 50
    heard.desk.limit(Allowance(None, None, [0]))
    heard.desk.own({0}, {0})
    assert 1 / 50 < heard.desk.bucket.wait_time() <= 1


async def test_a_burst_of_the_catalog_is_kept_with_the_rate_that_the_provider_tells() -> None:
    """Whoever wrote a burst knows why; half of it is the bucket's."""
    heard = Heard()
    heard.desk.limit(Allowance(None, 4.0, [0]))
    heard.engine.rate = 1_000.0
    await heard.desk.connect(lambda: False)
    await asyncio.sleep(0.02)

    taken = 0
    while heard.desk.bucket.free and taken < 10:
        await heard.desk.bucket.take()
        taken += 1
    assert taken <= 3
