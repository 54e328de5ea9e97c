"""The broker itself dies and comes back with its data."""

from .system import PEOPLE, PLACES, check_whole


async def test_a_killed_broker_loses_nobody(system, kafka_broker):
    """kill -9 of the broker in mid-run: the workers wait for it and go on by themselves."""
    running = await system(concurrency=PLACES, latency_ms=30)
    people = running.people(PEOPLE)
    running.start()
    run = await running.trigger()
    await running.until_sent(PEOPLE // 4)

    kafka_broker.kill()
    await kafka_broker.restart()
    status = await running.completed(run, 110)

    check_whole(running, status, people, in_flight=PLACES)
