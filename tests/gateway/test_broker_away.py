"""The gateway while Kafka is away: it answers, quickly and truly, and recovers by itself."""

import asyncio
from time import monotonic

from outreach_stream.broker.admin import create_topics
from outreach_stream.broker.embedded import EmbeddedBroker
from outreach_stream.gateway.publisher import ACK_TIMEOUT
from outreach_stream.topics import Layout
from tests.gateway.conftest import Open

NOBODY = "127.0.0.1:9"
"""The discard port: nobody listens there."""


async def test_without_a_broker_it_serves_and_says_so(gateway_at: Open) -> None:
    """Health, triggers and unknown runs are 503 within seconds; an unknown workflow is still 404."""
    async with gateway_at(NOBODY) as client:
        began = monotonic()
        health = await client.get("/health")
        trigger = await client.post("/api/v1/trigger", json={"workflow_id": 1})
        run = await client.get("/api/v1/runs/whichever")
        unknown = await client.post("/api/v1/trigger", json={"workflow_id": 777})

        assert [health.status_code, trigger.status_code, run.status_code, unknown.status_code] == [503, 503, 503, 404]
        assert monotonic() - began < ACK_TIMEOUT + 3
        assert health.json()["status"] == "unavailable"
        assert "Retry-After" in trigger.headers


async def test_it_recovers_when_the_broker_comes_back(gateway_at: Open, kafka_broker: EmbeddedBroker) -> None:
    """Accepted before the broker's death, 503 during, accepted afterwards, without a restart of the gateway."""
    await create_topics(kafka_broker.bootstrap, Layout())
    async with gateway_at(kafka_broker.bootstrap) as client:
        before = await client.post("/api/v1/trigger", json={"workflow_id": 1})

        kafka_broker.kill()
        during = await client.post("/api/v1/trigger", json={"workflow_id": 1})
        await kafka_broker.start()

        async with asyncio.timeout(30):
            while (after := await client.post("/api/v1/trigger", json={"workflow_id": 1})).status_code == 503:
                await asyncio.sleep(0.2)
    assert [before.status_code, during.status_code, after.status_code] == [202, 503, 202]
