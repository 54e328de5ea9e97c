"""Looks at the broker that come at the same time: every second's, and those of requests that do not wait for it."""

import asyncio

from outreach_stream.gateway.health.pulse import Pulse


async def test_looks_at_the_same_time_do_not_trip_over_one_client(kafka_topics: str) -> None:
    """The first one connects; the others must not take its client before it is connected."""
    pulse = Pulse(kafka_topics)
    try:
        assert await asyncio.gather(*(pulse.look() for _ in range(3))) == [True] * 3
    finally:
        await pulse.stop()


async def test_a_look_that_is_broken_off_leaves_the_next_one_whole(kafka_topics: str) -> None:
    """At whatever moment: a caller's patience may end while the client is being connected."""
    pulse = Pulse(kafka_topics)
    try:
        for moment in range(8):
            looking = asyncio.create_task(pulse.look())
            await asyncio.sleep(moment * 0.004)
            looking.cancel()
            await asyncio.wait([looking])
            assert await pulse.look()
            await pulse._disconnect()
    finally:
        await pulse.stop()


async def test_a_client_that_knows_no_broker_is_replaced(kafka_topics: str) -> None:
    """One that connected while the broker was not let in yet asserts at each request; it must not blind us for good."""
    pulse = Pulse(kafka_topics)
    try:
        assert await pulse.look()
        client = pulse._client
        assert client is not None and pulse.lag
        client.cluster._brokers = {}

        assert await pulse.look() and not pulse.lag
        assert await pulse.look() and pulse.lag
    finally:
        await pulse.stop()
