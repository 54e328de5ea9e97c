"""The gateway while Kafka is away: it answers, quickly and truly, and recovers by itself."""

import asyncio
from time import monotonic

import httpx

from outreach_stream.broker.admin import create_topics
from outreach_stream.broker.embedded import EmbeddedBroker
from outreach_stream.domain.states import RunState
from outreach_stream.gateway.writer import ACK_TIMEOUT
from outreach_stream.topics import Layout
from tests.gateway.conftest import Open
from tests.gateway.records import ordered, say, status

NOBODY = "127.0.0.1:9"
"""The discard port: nobody listens there."""

ORDERS = ("cancel", "pause", "resume")


async def test_without_a_broker_it_serves_and_says_so(gateway_at: Open) -> None:
    """Health, triggers and unknown runs are 503 within seconds; an unknown workflow is still 404."""
    async with gateway_at(NOBODY) as client:
        began = monotonic()
        health = await client.get("/health")
        trigger = await client.post("/api/v1/trigger", json={"workflow_id": 1})
        run = await client.get("/api/v1/runs/whichever")
        orders = [await client.post(f"/api/v1/runs/whichever/{order}") for order in ORDERS]
        replay = await client.post("/api/v1/runs/whichever/replay", json={"statuses": ["failed"]})
        engines = await client.get("/api/v1/engines")
        unknown = await client.post("/api/v1/trigger", json={"workflow_id": 777})

        assert [health.status_code, trigger.status_code, run.status_code, unknown.status_code] == [503, 503, 503, 404]
        assert [answer.status_code for answer in (*orders, replay, engines)] == [503] * 5
        assert monotonic() - began < ACK_TIMEOUT + 3
        assert health.json()["status"] == "unavailable"
        assert "Retry-After" in trigger.headers


async def test_it_recovers_when_the_broker_comes_back(gateway_at: Open, kafka_broker: EmbeddedBroker) -> None:
    """Accepted before the broker's death, 503 during, accepted afterwards, without a restart of the gateway.

    The same for orders and replays of runs that are known: what was answered with 503 was not done.
    """
    await create_topics(kafka_broker.bootstrap, Layout())
    await say(kafka_broker.bootstrap, status("ended", RunState.COMPLETED, total=2, failed=2), status("going", total=5))
    async with gateway_at(kafka_broker.bootstrap) as client:
        before = [await client.post("/api/v1/trigger", json={"workflow_id": 1}), await ordered_once_read(client)]

        kafka_broker.kill()
        during = [await client.post("/api/v1/trigger", json={"workflow_id": 1}),
                  *[await client.post(f"/api/v1/runs/going/{order}") for order in ORDERS],
                  await client.post("/api/v1/runs/ended/replay", json={"statuses": ["failed"]}),
                  await client.get("/api/v1/engines")]
        await kafka_broker.start()
        control = await ordered(kafka_broker.bootstrap)

        async with asyncio.timeout(30):
            while (after := await client.post("/api/v1/trigger", json={"workflow_id": 1})).status_code == 503:
                await asyncio.sleep(0.2)
            while (resumed := await client.post("/api/v1/runs/going/resume")).status_code == 503:
                await asyncio.sleep(0.2)
    assert [answer.status_code for answer in (*before, after, resumed)] == [202] * 4
    assert [answer.status_code for answer in during] == [503] * 6
    assert all("Retry-After" in answer.headers for answer in during)
    assert (control.paused("going"), control.cancelled("going")) == (True, False)


async def ordered_once_read(client: httpx.AsyncClient) -> httpx.Response:
    """A pause, as soon as the gateway has read of the run."""
    async with asyncio.timeout(15):
        while (answer := await client.post("/api/v1/runs/going/pause")).status_code == 503:
            await asyncio.sleep(0.1)
    return answer
