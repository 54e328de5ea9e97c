"""`/health`, its probes, and `/metrics`, in front of a real broker."""

import asyncio
from typing import Any
from uuid import uuid4

import httpx
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from outreach_stream.domain.states import RunState
from outreach_stream.gateway.health.lag import READS, behind
from outreach_stream.topics import FLOW, RUN_ADMITTED_EXPRESS, RUN_PLANNED
from tests.gateway.conftest import Open
from tests.gateway.records import say, status
from tests.scraped import values

NOBODY = "127.0.0.1:9"
"""The discard port: nobody listens there."""


async def until(found: Any, seconds: float = 20) -> Any:
    async with asyncio.timeout(seconds):
        while not (value := await found()):
            await asyncio.sleep(0.1)
    return value


async def test_probes_with_a_broker(client: httpx.AsyncClient) -> None:
    """Live at once, ready as soon as the states of the runs are read."""
    live = await client.get("/health/live")

    async def ready() -> bool:
        return (await client.get("/health/ready")).status_code == 200

    assert await until(ready)
    assert (live.status_code, live.json()) == (200, {"status": "ok"})
    assert (await client.get("/health/ready")).json() == {"status": "ok"}


async def test_probes_and_metrics_without_a_broker(gateway_at: Open) -> None:
    """Live, for a restart would help nobody; not ready, and why; the metrics say so, too."""
    async with gateway_at(NOBODY) as client:
        live, ready = await client.get("/health/live"), await client.get("/health/ready")
        health, metrics = await client.get("/health"), await client.get("/metrics")

    assert (live.status_code, ready.status_code, health.status_code, metrics.status_code) == (200, 503, 503, 200)
    assert ready.json() == {"status": "unavailable", "reason": "Kafka is away"}
    assert health.json()["lag"] == {}
    assert values(metrics.text, "outreach_broker_reachable") == {(): 0}
    assert values(metrics.text, "outreach_group_lag_records") == {}


async def test_lag_is_what_a_role_has_not_committed(gateway_at: Open, kafka_topics: str) -> None:
    """By role and topic, whether anybody works or not; it falls when the role's group commits."""
    topic, group = RUN_ADMITTED_EXPRESS.name, "outreach-dispatcher"

    async with gateway_at(kafka_topics) as client:
        async def lag() -> int:
            return (await client.get("/health")).json()["lag"].get("dispatcher", {}).get(topic, -1)

        before = await until(lambda: known(lag))
        async with AIOKafkaProducer(bootstrap_servers=kafka_topics, acks="all") as producer:
            for partition in (0, 0, 1):
                await producer.send_and_wait(topic, b"{}", partition=partition)

        assert await until(lambda: reached(lag, before + 3))
        async with AIOKafkaConsumer(bootstrap_servers=kafka_topics, group_id=group, enable_auto_commit=False) as member:
            places = [TopicPartition(topic, number) for number in range(4)]
            member.assign(places)
            await member.commit(await member.end_offsets(places))
        assert await until(lambda: reached(lag, 0))
        told = values((await client.get("/metrics")).text, "outreach_group_lag_records")
    assert told["dispatcher", topic] == 0
    assert {role for role, _ in told} == set(READS)


async def known(lag: Any) -> Any:
    return (value := await lag()) >= 0 and value + 1e-9     # 0 is an answer, too


async def reached(lag: Any, wanted: float) -> bool:
    return abs(await lag() - wanted) < 0.5


def test_a_partition_without_a_commit_counts_from_its_beginning() -> None:
    """What retention has taken is not behind; what was committed beyond the end (a topic made anew) is not below 0."""
    plan = TopicPartition(RUN_PLANNED.name, 0), TopicPartition(RUN_PLANNED.name, 1)

    found = behind({"dispatcher": {plan[0]: 40, plan[1]: 9}}, {plan[0]: 100, plan[1]: 5})

    assert found["dispatcher"] == {"run.admitted": 0, "run.admitted.express": 0, "run.planned": 60}


def test_every_topic_that_is_read_in_a_group_has_a_reader() -> None:
    """Those without one are read from their beginning by everybody, or by offset, or by people."""
    read = {topic for topics in READS.values() for topic in topics}

    assert {topic.name for topic in FLOW if not topic.compacted} - read == {"run.chunk", "dead.letter"}


async def test_requests_are_counted_by_route_and_not_by_run(client: httpx.AsyncClient, kafka_topics: str) -> None:
    """Templates, methods and statuses are labels; ids, addresses and made-up paths and methods are none."""
    run = uuid4().hex
    await say(kafka_topics, status(run, RunState.SENDING, total=1))

    async def known_run() -> bool:
        return (await client.get(f"/api/v1/runs/{run}")).status_code == 200

    await until(known_run)
    await client.post("/api/v1/trigger", json={"workflow_id": 1, "recipients": [{"email": "anna@example.com"}]})
    await client.get(f"/nothing/{run}")
    await client.request("BREW", "/health")

    text = (await client.get("/metrics")).text
    requests = values(text, "outreach_http_requests_total")
    assert requests["/api/v1/runs/{run_id}", "GET", "200"] == 1
    assert requests["/api/v1/trigger", "POST", "202"] == 1
    assert values(text, "outreach_triggers_published_total") == {(): 1}
    assert {key[1] for key in requests} <= {"GET", "POST", "other"}
    assert sum(value for (route, _, _), value in requests.items() if route == "other") >= 1
    seconds = values(text, "outreach_http_request_seconds_count")
    assert seconds["/api/v1/trigger", "POST"] == 1
    assert run not in text
    assert "anna" not in text


async def test_metrics_speak_openmetrics_when_asked(client: httpx.AsyncClient) -> None:
    """What Prometheus asks for by its Accept header, it gets, with the build and the process beside our own."""
    open_ = await client.get("/metrics", headers={"Accept": "application/openmetrics-text; version=1.0.0"})
    plain = await client.get("/metrics")

    assert open_.headers["content-type"].startswith("application/openmetrics-text")
    assert open_.text.endswith("# EOF\n")
    assert plain.headers["content-type"].startswith("text/plain")
    assert [key[0] for key in values(plain.text, "outreach_build_info")] == ["gateway"]
    assert values(plain.text, "process_resident_memory_bytes")[()] > 1_000_000
