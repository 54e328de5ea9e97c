"""Workers that are killed, frozen, scaled and cut off: nothing is lost, and nearly nothing repeated."""

import asyncio
import signal
from pathlib import Path
from time import monotonic

import pytest

from outreach_stream.broker.embedded import EmbeddedBroker
from tests.kafka.streaming_farm import Farm, ended, until

WINDOW = 16

COUNT = 10_000


async def test_kill_and_restart_lose_nothing(kafka: str, tmp_path: Path) -> None:
    """A worker killed at work leaves every record to its successor: the same member, so it need not wait 45 s."""
    async with Farm(kafka, tmp_path, static=True, session_timeout=45.0) as farm:
        await farm.fill(COUNT)
        worker = farm.start("a")
        await until(lambda: len(farm.effects()) > COUNT // 3)
        worker.kill()
        await ended(worker)
        farm.start("a")
        await until(lambda: len(farm.effects()) == COUNT)

    assert set(range(COUNT)) == farm.effects().keys()


async def test_a_restart_takes_nothing_from_others(kafka: str, tmp_path: Path) -> None:
    """Killed and started again on its folder, a worker gets its own partitions back; the other one keeps on working."""
    async with Farm(kafka, tmp_path, static=True, session_timeout=45.0) as farm:
        killed, other = farm.start("a"), farm.start("b")
        await until(lambda: (farm.owned(killed), farm.owned(other)) == (2, 2))
        assigned = farm.assignments(other)
        killed.kill()
        await ended(killed)
        again = farm.start("a")
        await until(lambda: farm.owned(again))
        await farm.fill(COUNT)
        await until(lambda: len(farm.effects()) == COUNT)

        assert farm.assignments(other) == assigned
        assert (farm.owned(again), farm.by(again) + farm.by(other)) == (2, COUNT)


@pytest.mark.long
async def test_scaling_repeats_and_loses_nothing(kafka: str, tmp_path: Path) -> None:
    """From one worker to two and back to one, in full work: every record has its effect exactly once."""
    async with Farm(kafka, tmp_path) as farm:
        await farm.fill(COUNT)
        first = farm.start("a")
        await until(lambda: len(farm.effects()) > COUNT // 6)
        second = farm.start("b")
        await until(lambda: farm.by(second) > COUNT // 12)
        shares = farm.owned(first), farm.owned(second)
        second.send_signal(signal.SIGTERM)
        code = await ended(second)
        await until(lambda: len(farm.effects()) == COUNT)
        effects = farm.effects()

    assert shares == (2, 2)
    assert code == 0
    assert set(range(COUNT)) == effects.keys()
    assert [number for number, times in effects.items() if times > 1] == []


async def test_a_frozen_worker_stops_by_itself(kafka: str, tmp_path: Path) -> None:
    """Thawed after its partitions were given away, it repeats only what was in progress when it was frozen."""
    async with Farm(kafka, tmp_path) as farm:
        await farm.fill(COUNT)
        frozen = farm.start("a")
        await until(lambda: len(farm.effects()) > COUNT // 6)
        frozen.send_signal(signal.SIGSTOP)
        done_before = farm.by(frozen)
        farm.start("b")
        await until(lambda: len(farm.effects()) > COUNT // 2)
        frozen.send_signal(signal.SIGCONT)
        await asyncio.sleep(0.5)
        woken = farm.by(frozen) - done_before
        await until(lambda: len(farm.effects()) == COUNT)
        repeated = sum(times - 1 for times in farm.effects().values())

    assert woken <= WINDOW * Farm.partitions, "it went on with what it no longer owned"
    assert set(range(COUNT)) == farm.effects().keys()
    assert repeated < COUNT // 6


async def test_a_stop_ends_in_time_without_a_broker(kafka_broker: EmbeddedBroker, tmp_path: Path) -> None:
    """SIGTERM while the broker is down: the worker is gone within its limit, whatever is left uncommitted."""
    async with Farm(kafka_broker.bootstrap, tmp_path, stop=12.0, commit=3.0) as farm:
        await farm.fill(COUNT)
        worker = farm.start("a")
        await until(lambda: len(farm.effects()) > COUNT // 6)
        kafka_broker.kill()
        await asyncio.sleep(1)
        started = monotonic()
        worker.send_signal(signal.SIGTERM)
        code = await ended(worker)
        took = monotonic() - started

    assert took < 13.0
    assert code == 0
