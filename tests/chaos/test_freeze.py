"""A worker that is frozen past its session timeout, and wakes to find its partitions given away."""

import asyncio
import signal

from .system import PEOPLE, PLACES, check_whole


async def test_a_frozen_sender_does_not_send_beside_its_successor(system):
    """Whatever the thawed one still has in hand, only what was on the wire at the freeze may be mailed twice."""
    running = await system(concurrency=PLACES, latency_ms=30)
    people = running.people(2 * PEOPLE)
    running.start()
    run = await running.trigger()
    await running.until_sent(PEOPLE // 5)

    running.signal("sender", signal.SIGSTOP)
    running.start("sender", name="sender-2")
    await asyncio.sleep(10)  # the session timeout is 6 s: the second one owns the lanes now
    running.signal("sender", signal.SIGCONT)
    status = await running.completed(run, 110)

    check_whole(running, status, people, in_flight=PLACES)
