"""Senders that come and go, under a limit."""

import asyncio

from .system import check_whole

RATE, BURST = 200, 20


async def test_a_second_sender_joins_and_leaves(system):
    """No mail is repeated, and the engine's limit holds with one, with two, and across each change."""
    running = await system(rate=RATE, burst=BURST, concurrency=20, latency_ms=5)
    people = running.people(4500)
    running.start()
    run = await running.trigger()
    await running.until_sent(800)

    running.start("sender", name="sender-2")
    await asyncio.sleep(7)
    running.terminate("sender-2")
    status = await running.completed(run, 100)

    check_whole(running, status, people, in_flight=0)
    assert running.arrived().max_in_window(1.0) <= RATE + BURST
    assert status.counts.possible_duplicates == 0


async def test_the_rate_is_kept_and_used(system):
    """At most rate + burst in any second, and at least 95 % of the rate when there is work."""
    running = await system(rate=RATE, burst=BURST, concurrency=20, latency_ms=5)
    running.people(3000)
    running.start()
    run = await running.trigger()
    await running.completed(run)
    mails = list(running.arrived().mails())
    seconds = mails[-1].began - mails[0].began

    assert running.arrived().max_in_window(1.0) <= RATE + BURST
    assert len(mails) / seconds >= 0.95 * RATE
