"""The broker itself dies, is away, or stands still."""

import pytest


async def test_a_killed_broker_loses_nobody(played):
    """kill -9 of the broker in mid-run: the workers wait for it and go on by themselves."""
    await played("kill -9 of the broker, and a restart")


@pytest.mark.long
async def test_a_gateway_accepts_nothing_that_it_has_not_stored(played):
    """503 while the broker is away, and each 202 is a run afterwards."""
    await played("broker away for 60 s, a gateway beside")


@pytest.mark.alone
async def test_a_stalled_broker_saves_nothing_up(played):
    """No burst after two seconds in which nothing could be written."""
    await played("broker stalled for 2 s at 200/s, 200 in flight")


async def test_workers_end_without_a_broker(played):
    """SIGTERM while it is down: each ends in time, and loses nobody."""
    await played("SIGTERM of all while the broker is down")


@pytest.mark.alone
async def test_one_of_three_brokers_may_be_lost(played):
    """And after its return another one: nothing lost, nothing repeated, no silence of more than ten seconds."""
    await played("three brokers: one killed, restarted, then another")
