"""Senders that come and go, under a limit."""

import pytest

RATE, BURST = 200, 20


@pytest.mark.alone
async def test_a_second_sender_joins_and_leaves(played):
    """And a third: no mail is repeated, and the engine's limit holds across each change."""
    await played("senders 1 to 3 to 1, by SIGTERM")


@pytest.mark.alone
async def test_the_rate_is_kept_and_used(system):
    """At most rate + burst in any second, and at least 95 % of the rate when there is work."""
    running = await system(rate=RATE, burst=BURST, concurrency=20, latency_ms=5)
    running.people(1_400)
    running.start()
    run = await running.trigger()
    await running.completed(run)
    mails = list(running.arrived().mails())
    seconds = mails[-1].began - mails[0].began

    assert running.arrived().max_in_window(1.0) <= RATE + BURST
    assert len(mails) / seconds >= 0.95 * RATE
