"""The rate of an engine: never above it, hardly below it. Time is a number that only sleeping moves on."""

import asyncio
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import cycle
from unittest.mock import patch

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from outreach_stream.delivery.bucket import Bucket
from outreach_stream.delivery.desk import SECONDS_AHEAD, Allowance, Desk
from outreach_stream.domain.lanes import lanes_for
from outreach_stream.engines.memory import MemoryEngine


class FakeTime:
    """Seconds; `sleep` takes as long as it was asked for, and as much longer as the machine is late."""

    def __init__(self, late: Iterable[float] = (0.0,)) -> None:
        self.now, self._late = 0.0, cycle(late)

    def __call__(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.now += seconds + next(self._late) + 1e-9


@contextmanager
def sleeping(time: FakeTime) -> Iterator[None]:
    with patch("outreach_stream.delivery.bucket.asyncio.sleep", time.sleep):
        yield


async def taken(bucket: Bucket, time: FakeTime, seconds: float) -> list[float]:
    """When each mail got its token while there was always another one waiting."""
    moments: list[float] = []
    end = time.now + seconds
    while time.now < end:
        await bucket.take()
        moments.append(time.now)
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
RATES = st.floats(0.2, 300)


@settings(max_examples=60, deadline=None)
@given(rate=RATES, burst=st.none() | st.floats(1, 60), partitions=st.integers(1, 12), late=LATE, data=st.data())
def test_all_processes_together_keep_the_limit(rate: float, burst: float | None, partitions: int, late: list[float],
                                               data: st.DataObject) -> None:
    """Any second: rate + burst at most, however the lanes are spread, and however late each process wakes up."""
    burst = burst if burst is not None else max(1.0, rate / 10)
    lanes = lanes_for(Limits("e", None, burst), partitions)
    owners = data.draw(st.lists(st.integers(0, 3), min_size=len(lanes), max_size=len(lanes)))

    def moments_of(owner: int) -> list[float]:
        time = FakeTime(late[owner:] or late)
        bucket = Bucket(rate, burst, time)
        bucket.share(owners.count(owner) / len(lanes))
        with sleeping(time):
            return asyncio.run(taken(bucket, time, 6.0))

    together = [moment for owner in set(owners) for moment in moments_of(owner)]
    assert most_in_a_second(together) <= rate + burst + 1e-6


class Limits:
    """What `lanes_for` asks of an engine's configuration."""

    def __init__(self, engine: str, lanes: int | None, burst: float | None) -> None:
        self.id, self.lanes, self.effective_burst = engine, lanes, burst


@pytest.mark.parametrize("rate", [1, 10, 40, 100, 1000])
@pytest.mark.parametrize("fraction", [1.0, 0.25])
async def test_the_rate_is_used_when_there_is_work(rate: float, fraction: float) -> None:
    """95 % of the share at least, although every sleep is a millisecond late."""
    time = FakeTime([0.001])
    bucket = Bucket(rate, max(1.0, rate / 10), time)
    bucket.share(fraction)
    with sleeping(time):
        moments = await taken(bucket, time, 60)
    assert len(moments) >= 0.95 * rate * fraction * 60


async def test_a_new_share_begins_with_nothing() -> None:
    """What a former owner may just have sent is not sent again by what we saved up under another share."""
    time = FakeTime()
    bucket = Bucket(10, 10, time)
    bucket.share(1.0)
    time.now += 100
    assert bucket.wait_time() == 0

    bucket.share(0.5)

    assert bucket.wait_time() == pytest.approx(1 / 5)


async def test_a_stall_saves_no_more_than_the_capacity() -> None:
    """After an hour of nothing, half the burst goes at once, and then it is the rate again."""
    time = FakeTime()
    bucket = Bucket(10, 8, time)
    bucket.share(1.0)
    time.now += 3600
    for _ in range(4):
        assert bucket.wait_time() == 0
        with sleeping(time):
            await bucket.take()
    assert bucket.wait_time() == pytest.approx(0.1)


async def test_without_a_lane_nothing_goes_until_there_is_one() -> None:
    """A waiting mail notices a new share by itself."""
    bucket = Bucket(1000, 100)
    waiting = asyncio.create_task(bucket.take())
    await asyncio.sleep(0.02)
    assert not waiting.done()
    bucket.share(1.0)
    await asyncio.wait_for(waiting, 2)
    assert bucket.wait_time() >= 0


async def test_a_cancelled_wait_blocks_nobody() -> None:
    """Partitions leave while mails wait for their turn: the next assignment's mails get theirs."""
    bucket = Bucket(100, 10)
    waiting = [asyncio.create_task(bucket.take()) for _ in range(5)]
    await asyncio.sleep(0.01)
    for task in waiting:
        task.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)
    bucket.share(1.0)
    await asyncio.wait_for(bucket.take(), 2)
    assert all(task.cancelled() for task in waiting)


@pytest.mark.parametrize("rate", [10.0, None])
async def test_a_pause_holds_everybody_and_saves_nothing_up(rate: float | None) -> None:
    """What the provider asked for, with a rate or without; the longer of two pauses, not their sum."""
    time = FakeTime()
    bucket = Bucket(rate, 4, time)
    bucket.share(1.0)
    bucket.pause(7)
    bucket.pause(2)
    with sleeping(time):
        moments = await taken(bucket, time, 7.25) if rate else [await bucket.take() or time.now]
    assert moments[0] >= 7
    assert most_in_a_second(moments) <= 14


async def test_no_rate_is_no_limit() -> None:
    """Nothing is waited for, with or without lanes."""
    bucket = Bucket(None, None)
    await asyncio.wait_for(bucket.take(), 0.5)
    assert bucket.unlimited
    assert bucket.wait_time() == 0


@pytest.mark.parametrize(("rate", "concurrency", "places"), [(None, 10, 10), (0.1, 10, 1), (1, 10, 5), (100, 10, 10)])
def test_a_desk_has_no_more_places_than_its_rate_keeps_busy(rate: float | None, concurrency: int, places: int) -> None:
    """A mail waits a few seconds for its token at most: its connection would be closed for idleness."""
    desk = Desk.of("e", MemoryEngine(), Allowance(rate, 1.0, [0]), concurrency=concurrency, partitions=1)
    assert desk.places == places
    assert rate is None or places / rate <= max(SECONDS_AHEAD, 1 / rate)
