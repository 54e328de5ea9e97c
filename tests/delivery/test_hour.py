"""An hour of one engine's limit, on a clock that only waiting moves on."""

import asyncio
from random import Random

import pytest

from outreach_stream.delivery.bucket import Bucket
from tests.delivery.simulated import SimulatedLoop
from tests.delivery.test_bucket import most_in_a_second

HOUR, LANES, PROCESSES = 3_600, 8, 4
RATE, BURST = 25.0, 4.0


class Process:
    """Has some of the lanes, and always mails waiting for a token."""

    def __init__(self, loop: SimulatedLoop, moments: list[float]) -> None:
        self._loop = loop
        self.bucket, self.awake, self.lanes = Bucket(RATE, BURST, self._time), asyncio.Event(), 0
        self.awake.set()
        self._moments = moments

    def _time(self) -> float:
        """To look at the clock takes a moment too, or one that is a rounding error away would never come."""
        self._loop.now += 1e-6
        return self._loop.now

    def own(self, lanes: int) -> None:
        """Kafka gives it so many of the lanes."""
        if lanes != self.lanes:
            self.lanes = lanes
            self.bucket.share(lanes / LANES)

    async def send(self) -> None:
        """Mail after mail; when frozen, what has its token is not handed over, for the lease has run out."""
        while True:
            await self.awake.wait()
            await self.bucket.take()
            if self.awake.is_set():
                self._moments.append(self._loop.now)

    async def freeze(self, seconds: float) -> None:
        self.awake.clear()
        await asyncio.sleep(seconds)
        self.awake.set()


async def an_hour(loop: SimulatedLoop, random: Random) -> list[float]:
    """When mails were handed over while processes came and went, froze and thawed, and were told to pause."""
    moments: list[float] = []
    processes = [Process(loop, moments) for _ in range(PROCESSES)]
    senders = [asyncio.create_task(process.send()) for process in processes for _ in range(3)]
    freezes: set[asyncio.Task[None]] = set()

    async def reassign() -> None:
        owners = [random.randrange(PROCESSES) for _ in range(LANES)]
        lanes = [owners.count(i) for i in range(PROCESSES)]
        for loses in (True, False):  # nobody is given what another one still has
            for process, count in zip(processes, lanes, strict=True):
                if (count < process.lanes) is loses:
                    process.own(count)

    async def freeze() -> None:
        freezes.add(asyncio.create_task(random.choice(processes).freeze(random.uniform(0.5, 20))))

    async def pause() -> None:
        for process in processes:
            process.bucket.pause(random.uniform(0.1, 5))

    await reassign()
    while loop.now < HOUR:
        await asyncio.sleep(random.uniform(1, 30))
        await random.choice((reassign, freeze, pause))()
    await asyncio.gather(*freezes)
    for sender in senders:
        sender.cancel()
    return moments


@pytest.mark.parametrize("seed", [1, 2])
def test_no_second_of_an_hour_is_above_the_limit(seed: int) -> None:
    """Whoever comes, goes, freezes, thaws or is told to pause; and most of the rate is used all the same."""
    loop, random = SimulatedLoop([0.0, 0.002, 0.0, 0.05]), Random(seed)
    moments = loop.run_until_complete(an_hour(loop, random))
    loop.end()

    assert most_in_a_second(moments) <= RATE + BURST
    assert len(moments) > 0.5 * RATE * HOUR
