"""The rate of an engine: never above it, hardly below it, whatever is ordered meanwhile."""

import asyncio
from collections.abc import Iterable, Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from outreach_stream.delivery.bucket import Bucket
from outreach_stream.domain.lanes import lanes_for
from tests.delivery.simulated import SimulatedLoop


class Limits:
    """What `lanes_for` asks of an engine's configuration."""

    def __init__(self, engine: str, lanes: int | None, burst: float | None) -> None:
        self.id, self.lanes, self.effective_burst = engine, lanes, burst
        self.hourly = self.daily = None


def bucket_on(loop: SimulatedLoop, rate: float | None, burst: float | None, share: float = 1.0) -> Bucket:
    bucket = Bucket(rate, burst, loop.time)
    bucket.share(share)
    return bucket


async def taken(bucket: Bucket, loop: SimulatedLoop, seconds: float, waiting: int = 3) -> list[float]:
    """When each mail got its token while there were always others waiting."""
    moments: list[float] = []
    end = loop.now + seconds

    async def take() -> None:
        while loop.now < end:
            await bucket.take()
            moments.append(loop.now)

    await asyncio.gather(*(take() for _ in range(waiting)))
    return moments


def most_in_a_second(moments: Iterable[float]) -> int:
    moments = sorted(moments)
    most = first = 0
    for last, moment in enumerate(moments):
        while moment - moments[first] >= 1.0:
            first += 1
        most = max(most, last - first + 1)
    return most


LATE = st.lists(st.sampled_from([0.0, 0.001, 0.02, 0.4, 3.0]), min_size=1, max_size=8)


@settings(max_examples=40, deadline=None)
@given(rate=st.floats(0.2, 300), burst=st.none() | st.floats(1, 60), partitions=st.integers(1, 12), late=LATE,
       data=st.data())
def test_all_processes_together_keep_the_limit(rate: float, burst: float | None, partitions: int, late: list[float],
                                               data: st.DataObject) -> None:
    """Any second: rate + burst at most, however the lanes are spread, and however late each process wakes up."""
    burst = burst if burst is not None else max(1.0, rate / 10)
    lanes = lanes_for(Limits("e", None, burst), partitions)
    owners = data.draw(st.lists(st.integers(0, 3), min_size=len(lanes), max_size=len(lanes)))

    def moments_of(owner: int) -> list[float]:
        loop = SimulatedLoop(late[owner:] or late)
        bucket = bucket_on(loop, rate, burst, owners.count(owner) / len(lanes))
        moments = loop.run_until_complete(taken(bucket, loop, 6.0))
        loop.end()
        return moments

    together = [moment for owner in set(owners) for moment in moments_of(owner)]
    assert most_in_a_second(together) <= rate + burst + 1e-6


@pytest.fixture
def loop() -> Iterator[SimulatedLoop]:
    loop = SimulatedLoop()
    yield loop
    loop.end()


@pytest.mark.parametrize("rate", [1, 10, 40, 100, 1000])
@pytest.mark.parametrize("fraction", [1.0, 0.25])
def test_the_rate_is_used_when_there_is_work(rate: float, fraction: float) -> None:
    """95 % of the share at least, although every wait is a millisecond too long."""
    loop = SimulatedLoop([0.001])
    bucket = bucket_on(loop, rate, max(1.0, rate / 10), fraction)
    moments = loop.run_until_complete(taken(bucket, loop, 60))
    loop.end()
    assert len(moments) >= 0.95 * rate * fraction * 60


def test_a_new_share_begins_with_nothing(loop: SimulatedLoop) -> None:
    """What a former owner may just have sent is not sent again by what we saved up under another share."""
    bucket = bucket_on(loop, 10, 10)
    loop.advance(100)
    assert bucket.wait_time() == 0

    bucket.share(0.5)

    assert bucket.wait_time() == pytest.approx(1 / 5)


def test_a_stall_saves_no_more_than_the_capacity(loop: SimulatedLoop) -> None:
    """After an hour of nothing, half the burst goes at once, and then it is the rate again."""
    bucket = bucket_on(loop, 10, 8)
    loop.advance(3600)
    for _ in range(4):
        assert bucket.wait_time() == 0
        loop.run_until_complete(bucket.take())
    assert bucket.wait_time() == pytest.approx(0.1)


def test_a_mail_that_waits_notices_what_is_ordered(loop: SimulatedLoop) -> None:
    """A lane that arrives, a slower pace, a pause and its end count at once for who waits already."""
    bucket = Bucket(1.0, 1.0, loop.time)
    waiting = [loop.create_task(bucket.take()) for _ in range(3)]
    loop.advance(100)
    assert not waiting[0].done()

    loop.do(bucket.share, 0.5)
    loop.advance(1.9)
    assert not waiting[0].done()
    loop.advance(0.2)
    assert waiting[0].done()

    loop.do(bucket.scale, 0.25)
    loop.advance(7.0)
    assert not waiting[1].done()
    loop.do(bucket.scale, 1.0)
    loop.advance(0.5)
    assert waiting[1].done()

    loop.advance(1.0)
    loop.do(bucket.pause, 1000)
    loop.advance(500)
    assert not waiting[2].done()
    loop.do(bucket.resume)
    loop.advance(1.1)
    assert waiting[2].done()


def test_scaling_neither_fills_nor_empties(loop: SimulatedLoop) -> None:
    """What was saved up stays, and what is missing is missing, at the new pace."""
    bucket = bucket_on(loop, 10, 8)
    loop.advance(0.05)
    bucket.scale(0.1)
    assert bucket.wait_time() == pytest.approx(0.5)
    loop.advance(100)
    bucket.scale(0.5)
    for _ in range(4):
        loop.run_until_complete(bucket.take())
    assert loop.now == pytest.approx(100.05)
    assert bucket.wait_time() == pytest.approx(0.2)


def test_express_is_first_when_the_token_is_there(loop: SimulatedLoop) -> None:
    """Bulk mails wait for the next token already: an express one that arrives has it."""
    bucket, order = bucket_on(loop, 1, 1), []

    async def take(name: str, *, express: bool = False) -> None:
        await bucket.take(express)
        order.append((name, round(loop.now, 3)))

    for name in ("b1", "b2", "b3"):
        loop.create_task(take(name))
    loop.advance(0.9)
    loop.create_task(take("e1", express=True))
    loop.advance(3.5)
    assert order == [("e1", 1.0), ("b1", 2.0), ("b2", 3.0), ("b3", 4.0)]


def test_a_turn_that_a_pause_overtakes_is_not_lost(loop: SimulatedLoop) -> None:
    """Its turn was called, and before it ran came a pause: it waits on, in its place."""
    bucket, order = bucket_on(loop, 1, 1), []

    async def take(name: str) -> None:
        await bucket.take()
        order.append((name, round(loop.now, 3)))

    loop.create_task(take("first"))
    loop.create_task(take("second"))
    loop.call_later(1.0, lambda: loop.call_soon(bucket.pause, 5.0))
    loop.advance(10)
    assert [name for name, _ in order] == ["first", "second"]
    assert order[0][1] >= 6.0


def test_a_cancelled_wait_blocks_nobody(loop: SimulatedLoop) -> None:
    """Partitions leave while mails wait for their turn: the next assignment's mails get theirs."""
    bucket = Bucket(100, 10, loop.time)
    waiting = [loop.create_task(bucket.take()) for _ in range(5)]
    loop.advance(0.01)
    for task in waiting:
        task.cancel()
    loop.do(bucket.share, 1.0)
    loop.run_until_complete(asyncio.wait_for(bucket.take(), 2))
    assert all(task.cancelled() for task in waiting)


def test_who_is_cancelled_when_it_is_called_hands_its_turn_on(loop: SimulatedLoop) -> None:
    """Nothing was taken yet: the next has the token at once."""
    bucket = bucket_on(loop, 1, 1)
    first, second = (loop.create_task(bucket.take()) for _ in range(2))
    loop.call_at(1.0 + 5e-10, first.cancel)  # right after it was called at 1.0, and before it runs
    loop.advance(1.5)
    assert first.cancelled()
    assert second.done()


def test_nobody_slips_in_before_who_was_called(loop: SimulatedLoop) -> None:
    """The token is there, and its mail has not run yet: one that happens to run before it finds none free."""
    bucket, order = bucket_on(loop, 1, 1), []

    async def take(name: str, after: float) -> None:
        await asyncio.sleep(after)
        await bucket.take()
        order.append(name)

    loop.create_task(take("waiting", 0.5))
    loop.create_task(take("passing by", 1.0 - 5e-10))  # runs in the round in which the other is called
    loop.advance(3)
    assert order == ["waiting", "passing by"]


@pytest.mark.parametrize("rate", [10.0, None])
def test_a_pause_holds_everybody_and_saves_nothing_up(loop: SimulatedLoop, rate: float | None) -> None:
    """What the provider asked for, with a rate or without; the longer of two pauses, not their sum."""
    bucket = bucket_on(loop, rate, 4)
    bucket.pause(7)
    bucket.pause(2)
    if rate is None:
        loop.run_until_complete(bucket.take())
        assert loop.now == pytest.approx(7)
    else:
        moments = loop.run_until_complete(taken(bucket, loop, 7.55))
        assert moments == pytest.approx([7.1, 7.2, 7.3, 7.4, 7.5, 7.6, 7.7, 7.8])  # each of three began before 7.55


async def test_no_rate_is_no_limit() -> None:
    """Nothing is waited for, with or without lanes."""
    bucket = Bucket(None, None)
    await asyncio.wait_for(bucket.take(), 0.5)
    assert bucket.unlimited
    assert bucket.wait_time() == 0
