"""The hourly and daily caps: shares, blocks and what a restart leaves of them."""

import asyncio
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outreach_stream.delivery.quota import RETRY_SECONDS, Caps, Quota
from outreach_stream.delivery.uses import BINS, DAY, HOUR, Uses
from tests.delivery.quota_stage import Table


class Lane:
    """One lane's life through several processes."""

    def __init__(self, hourly: int | None = None, daily: int | None = None, block: int = 10) -> None:
        self.caps, self.block, self.now = Caps(hourly, daily), block, 1_000_000_000.0
        self.durable: dict[bytes, bytes] = {}
        self.lives = 0
        self.begin()

    def begin(self) -> None:
        """The next process: the one before has crashed, unless it was released."""
        self.lives += 1
        self.table = Table(self.durable, b"writer%d" % self.lives)
        self.begin_again()

    def begin_again(self) -> None:
        """The lane comes back to the same process."""
        self.quota = Quota(self.table, 3, "e", self.caps, lambda: self.now, block=self.block)

    async def take(self, count: int) -> int:
        """So many deliveries ask at the same time; how many got a unit."""
        return [await wait for wait in asyncio.as_completed(self.quota.take() for _ in range(count))].count(0.0)


async def test_no_more_than_the_cap_in_any_hour() -> None:
    """All of it at once, and then nothing until the first bin has certainly left the hour."""
    lane = Lane(hourly=25)
    assert await lane.take(40) == 25
    wait = await lane.quota.take()
    assert 3_600 <= wait <= 3_600 * (1 + 1 / BINS)
    lane.now += wait - 0.001
    assert await lane.take(1) == 0
    lane.now += 0.002
    assert await lane.take(40) == 25


async def test_a_unit_needs_both_caps() -> None:
    """The day is over although there is something left of the hour."""
    lane = Lane(hourly=10, daily=25)
    taken = []
    for _ in range(6):
        taken.append(await lane.take(20))
        lane.now += 2 * 3_600
    assert taken == [10, 10, 5, 0, 0, 0]
    assert await lane.quota.take() > 6 * 3_600


async def test_the_cap_is_nearly_used_when_there_is_work() -> None:
    """Over a day of waiting just as long as we are told: what the bins keep back is a part of 25."""
    lane, taken, began = Lane(hourly=100), 0, 1_000_000_000.0
    while lane.now < began + 86_400:
        while not (wait := await lane.quota.take()):
            taken += 1
        lane.now += wait
    assert taken >= 24 * 100 * BINS / (BINS + 1)


@pytest.mark.parametrize("clean", [True, False])
async def test_a_restart_forgets_nothing(clean: bool) -> None:
    """A clean end wastes nothing; a crash wastes what was left of a block."""
    lane = Lane(hourly=100, block=10)
    assert await lane.take(23) == 23
    if clean:
        await lane.quota.release()
    lane.begin()
    assert await lane.take(200) == (77 if clean else 70)


@pytest.mark.parametrize("clean", [True, False])
async def test_a_lane_that_comes_back_to_the_same_process_goes_on(clean: bool) -> None:
    """The copy is its own, and counts as any other."""
    lane = Lane(hourly=100, block=10)
    assert await lane.take(23) == 23
    if clean:
        await lane.quota.release()
    lane.begin_again()
    assert await lane.take(200) == (77 if clean else 70)


async def test_nothing_is_used_before_it_is_reserved_durably() -> None:
    """A process that dies at any moment has never used more than stands in the table."""
    lane = Lane(hourly=100)
    lane.table.stalled = True
    taking = asyncio.create_task(lane.quota.take())
    await asyncio.sleep(0.01)
    assert not taking.done()
    assert not lane.quota.take_nowait()
    lane.table.stalled = False
    assert await taking == 0.0
    assert Uses.decode(lane.durable[b"writer1"]).hour.total() == 10


async def test_many_deliveries_share_one_write() -> None:
    """One reservation at a time, and no more of them than blocks."""
    lane = Lane(hourly=1_000, block=50)
    assert await lane.take(200) == 200
    assert lane.table.writes == 4


async def test_a_table_that_cannot_be_written_is_asked_again() -> None:
    """Nothing is used meanwhile, and nothing is lost by it; a release that fails is only a waste."""
    lane = Lane(hourly=20, block=10)
    lane.table.failing = 2
    assert [await lane.quota.take() for _ in range(2)] == [RETRY_SECONDS] * 2
    assert await lane.take(15) == 15
    lane.table.failing = 1
    await lane.quota.release()
    lane.begin()
    assert await lane.take(20) == 0


async def test_a_reservation_is_good_for_its_bin_of_time() -> None:
    """Units that were reserved long ago and used just now would be counted where they do not belong."""
    lane = Lane(hourly=20, block=10)
    assert await lane.take(1) == 1
    lane.now += 3_600
    assert await lane.take(1) == 1
    lane.now += 1_800
    assert await lane.take(50) == 19
    lane.now += 1_800 + HOUR.width
    assert await lane.take(50) == 1


async def test_copies_of_earlier_writers_go_when_nothing_counts_any_more() -> None:
    """Not before: the table holds what the caps need, and no more."""
    lane = Lane(daily=100)
    await lane.take(10)
    lane.begin()
    lane.now += 80_000
    await lane.take(1)
    assert len(lane.durable) == 2
    lane.now += 10_000 + DAY.width
    await lane.take(1)
    assert list(lane.durable) == [b"writer2"]
    lane.now += 1
    await lane.quota.release()
    assert Uses.decode(lane.durable[b"writer2"]).day.total() == 2


async def test_caps_may_be_set_later() -> None:
    """What was used counts although no such cap was set then; one that is lowered waits, one that is lifted goes on."""
    lane = Lane(daily=1_000)
    assert await lane.take(100) == 100
    lane.quota.caps = Caps(hourly=100)
    assert await lane.take(1) == 0
    lane.quota.caps = Caps(hourly=130)
    assert await lane.take(50) == 30
    lane.quota.caps = Caps()
    assert await lane.take(50) == 50


async def test_a_share_of_nothing_waits() -> None:
    """For no shorter than an hour, and for no infinite time."""
    lane = Lane(hourly=0)
    assert 0 < await lane.quota.take() < math.inf


@given(hourly=st.none() | st.integers(1, 500), daily=st.none() | st.integers(1, 500),
       lanes=st.sets(st.integers(0, 40), min_size=1, max_size=12))
def test_the_shares_are_the_whole(hourly: int | None, daily: int | None, lanes: set[int]) -> None:
    """Exactly the caps; and none is nothing, if there are no more lanes than units."""
    shares = [Caps(hourly, daily).share(list(lanes), lane) for lane in lanes]
    for cap, parts in ((hourly, [s.hourly for s in shares]), (daily, [s.daily for s in shares])):
        assert (cap is None and set(parts) == {None}) or sum(part or 0 for part in parts) == cap
    if all(cap is None or len(lanes) <= cap for cap in (hourly, daily)):
        assert 0 not in {cap for share in shares for cap in share}
    stranger = Caps(hourly, daily).share(list(lanes), 99)
    assert 0 not in stranger
