"""A worker that is frozen past its session timeout, and wakes to find its partitions given away."""

import asyncio
import signal

import pytest

from .system import PEOPLE, PLACES, ROLES, check_whole


@pytest.mark.parametrize("role", ROLES)
async def test_a_frozen_worker_does_not_work_beside_its_successor(system, role):
    """Whatever the thawed one still has in hand, only what was on the wire at the freeze may be mailed twice."""
    running = await system(concurrency=PLACES, latency_ms=30)
    people = running.people(2 * PEOPLE)
    running.start()
    run = await running.trigger()
    await running.until_sent(PEOPLE // 5)

    running.signal(role, signal.SIGSTOP)
    running.start(role, name=f"{role}-2")
    await asyncio.sleep(10)  # the session timeout is 6 s: the second one owns the partitions now
    running.signal(role, signal.SIGCONT)
    status = await running.completed(run, 110)

    check_whole(running, status, people, in_flight=PLACES if role == "sender" else 0)
