"""The HTTP API in front of a real broker."""

import asyncio
import json
import time
from typing import Any
from uuid import uuid4

import httpx
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRecord, TopicPartition

from outreach_stream.domain.events import RunStatus
from outreach_stream.domain.states import Counts, RunState
from outreach_stream.domain.triggers import WorkflowTriggered
from outreach_stream.gateway.api import MOST_PROBLEMS
from outreach_stream.topics import RUN_STATUS, WORKFLOW_TRIGGERED


async def triggers(bootstrap: str, run: str) -> list[ConsumerRecord]:
    """All records that were published under this run's key."""
    async with AIOKafkaConsumer(bootstrap_servers=bootstrap, auto_offset_reset="earliest") as consumer:
        partitions = [TopicPartition(WORKFLOW_TRIGGERED.name, number)
                      for number in consumer.partitions_for_topic(WORKFLOW_TRIGGERED.name)
                      or await consumer._client._wait_on_metadata(WORKFLOW_TRIGGERED.name)]
        consumer.assign(partitions)
        ends = await consumer.end_offsets(partitions)
        found = []
        for partition, end in ends.items():
            while await consumer.position(partition) < end:
                found += (await consumer.getmany(partition, timeout_ms=500)).get(partition, [])
        return [record for record in found if record.key == run.encode()]


async def publish(bootstrap: str, status: RunStatus) -> None:
    async with AIOKafkaProducer(bootstrap_servers=bootstrap, acks="all") as producer:
        await producer.send_and_wait(RUN_STATUS.name, status.encode(), key=status.run_id.encode())


async def test_a_trigger_is_acknowledged_and_in_the_topic(client: httpx.AsyncClient, kafka_topics: str) -> None:
    """202 with run id and status link, and the event is in Kafka with its CloudEvents headers."""
    answer = await client.post("/api/v1/trigger", json={"workflow_id": 1, "parameters": {"discount": 20}})

    assert answer.status_code == 202
    accepted = answer.json()
    assert accepted["workflow_id"] == "1"
    assert accepted["status_url"] == f"http://gateway/api/v1/runs/{accepted['run_id']}"
    (record,) = await triggers(kafka_topics, accepted["run_id"])
    event, headers = WorkflowTriggered.model_validate_json(record.value), dict(record.headers)
    assert event.parameters == {"discount": 20}
    assert event.source == "gateway"
    assert headers["ce_id"].decode() == event.trigger_id
    assert headers["ce_specversion"] == b"1.0"
    assert headers["content-type"] == b"application/json"


async def test_an_accepted_run_is_shown_as_queued_before_it_is_admitted(client: httpx.AsyncClient) -> None:
    """The status link works at once: nobody sees a 404 for a run that was just accepted."""
    accepted = (await client.post("/api/v1/trigger", json={"workflow_id": "1"})).json()

    answer = await client.get(accepted["status_url"])

    assert answer.status_code == 200
    assert answer.json()["state"] == "QUEUED"


async def test_the_same_slot_is_the_same_run(client: httpx.AsyncClient) -> None:
    """One slot, spelt differently, and a workflow id as number and as text, give one run id."""
    spellings = [(1, "2026-03-01T09:00:00Z"), ("1", "2026-03-01T10:00:00+01:00"), (" 1 ", "2026-03-01T09:00:00")]

    answers = [await client.post("/api/v1/trigger", json={"workflow_id": workflow, "slot": slot})
               for workflow, slot in spellings]

    assert len({answer.json()["run_id"] for answer in answers}) == 1


async def test_the_idempotency_key_is_taken_from_header_or_body(client: httpx.AsyncClient) -> None:
    """Header, body and its short form say the same; without a key each trigger is a run of its own."""
    key, body = uuid4().hex, {"workflow_id": 1}
    by_header = await client.post("/api/v1/trigger", json=body, headers={"Idempotency-Key": key})
    by_body = await client.post("/api/v1/trigger", json=body | {"idempotency_key": key})
    in_short = await client.post("/api/v1/trigger", json=body | {"key": key})
    without = await client.post("/api/v1/trigger", json=body)

    assert by_header.json()["run_id"] == by_body.json()["run_id"] == in_short.json()["run_id"]
    assert without.json()["run_id"] != by_body.json()["run_id"]


async def test_contradicting_keys_are_refused(client: httpx.AsyncClient) -> None:
    """A header and a body with different keys: nobody can tell which run is meant."""
    answer = await client.post("/api/v1/trigger", json={"workflow_id": 1, "idempotency_key": "a"},
                               headers={"Idempotency-Key": "b"})

    assert answer.status_code == 422


@pytest.mark.parametrize("keys", [[""], ["a", "b"]])
async def test_a_key_that_is_none_is_refused(client: httpx.AsyncClient, keys: list[str]) -> None:
    """An empty header is a variable that was not set: taken for no key, each repetition would mail everybody."""
    answer = await client.post("/api/v1/trigger", json={"workflow_id": 1}, headers=[
        ("Idempotency-Key", key) for key in keys])

    assert answer.status_code == 422
    assert "dempotency" in answer.text


@pytest.mark.parametrize("number", ["1e999", "-1e999", "9" * 25, "-" + "9" * 25, str(2**64)])
async def test_a_number_that_nobody_can_pass_on_is_422(client: httpx.AsyncClient, number: str) -> None:
    """Such a trigger would be infinite in a mail, or admitted by no worker: it is not accepted."""
    answer = await client.post("/api/v1/trigger", headers={"Content-Type": "application/json"},
                               content=f'{{"workflow_id": 1, "parameters": {{"discount": [{number}]}}}}')

    assert answer.status_code == 422
    assert "too large" in answer.json()["detail"]


async def test_the_largest_numbers_are_taken(client: httpx.AsyncClient) -> None:
    """64 bits, and what a double holds."""
    answer = await client.post("/api/v1/trigger", json={
        "workflow_id": 1, "parameters": {"discount": [2**64 - 1, -2**63, 1.7e308, -1.7e308]}})

    assert answer.status_code == 202


@pytest.mark.parametrize(("path", "body"), [
    ("trigger", {"workflow_id": 1, "recipients": [1] * 300_000}),
    ("trigger", {"workflow_id": 1, **{f"x{number}": 1 for number in range(5_000)}}),
    ("runs/r/replay", {"statuses": [1] * 300_000}),
])
async def test_many_mistakes_get_a_short_answer(client: httpx.AsyncClient, path: str, body: dict[str, Any]) -> None:
    """A megabyte of them was 70 MB of answer, and nobody else was served while it was made."""
    began = time.monotonic()
    answer = await client.post(f"/api/v1/{path}", json=body)

    assert answer.status_code == 422
    assert 1 <= len(answer.json()["detail"]) <= MOST_PROBLEMS
    assert time.monotonic() - began < 3


async def test_an_unknown_workflow_is_404_and_names_those_there_are(client: httpx.AsyncClient) -> None:
    """A typo in the id is told at once, with the ids that exist."""
    answer = await client.post("/api/v1/trigger", json={"workflow_id": 777})

    assert answer.status_code == 404
    assert "777" in answer.json()["detail"]


async def test_bad_bodies_are_422(client: httpx.AsyncClient) -> None:
    """Missing, misspelt and mistyped fields are refused, each naming its field."""
    bodies = [{}, {"workflow_id": None}, {"workflow_id": True}, {"workflow_id": 1, "recipient": []},
              {"workflow_id": 1, "slot": "soon"}, {"workflow_id": 1, "priority": "high"},
              {"workflow_id": 1, "recipients": [{"name": "nobody"}]}, {"workflow_id": 1, "recipients": []},
              {"workflow_id": 1, "key": "k" * 256}, {"workflow_id": 1, "slot": 1_767_225_600},
              {"workflow_id": 1, "deadline": 0}]

    answers = [await client.post("/api/v1/trigger", json=body) for body in bodies]
    by_header = await client.post("/api/v1/trigger", json={"workflow_id": 1}, headers={"Idempotency-Key": "k" * 256})

    assert by_header.status_code == 422
    assert [answer.status_code for answer in answers] == [422] * len(bodies)


async def test_a_trigger_too_large_for_a_record_is_413(client: httpx.AsyncClient) -> None:
    """Too many inline recipients are refused with advice, not with a server error."""
    crowd = [{"email": f"reader-{i}@example.com", "name": "x" * 60} for i in range(20_000)]

    answer = await client.post("/api/v1/trigger", json={"workflow_id": 1, "recipients": crowd})

    assert answer.status_code == 413


async def test_a_status_that_is_published_is_served(client: httpx.AsyncClient, kafka_topics: str) -> None:
    """What the workers say of a run is what the gateway says, newest run first; nobody's run is 404."""
    run = str(uuid4())
    status = RunStatus(run_id=run, workflow_id="1", state=RunState.SENDING, source="test",
                       counts=Counts(total=10, sent=4), states={RunState.QUEUED: "2999-01-01T00:00:00Z"},
                       updated_at="2999-01-01T00:00:01Z")
    await publish(kafka_topics, status)

    async with asyncio.timeout(15):
        while (answer := await client.get(f"/api/v1/runs/{run}")).status_code != 200:
            await asyncio.sleep(0.05)

    assert RunStatus.model_validate_json(answer.content) == status
    listed = (await client.get("/api/v1/runs", params={"limit": 1})).json()["runs"]
    assert [each["run_id"] for each in listed] == [run]
    async with asyncio.timeout(15):     # 503 until all is read that was there
        while (unknown := await client.get(f"/api/v1/runs/{uuid4()}")).status_code == 503:
            await asyncio.sleep(0.05)
    assert unknown.status_code == 404


async def test_health_counts_the_members_of_each_role(client: httpx.AsyncClient, kafka_topics: str) -> None:
    """200 and ok when the broker is reachable; a member of a role's group is counted."""
    async with AIOKafkaConsumer(RUN_STATUS.name, bootstrap_servers=kafka_topics, group_id="outreach-dispatcher"):
        async with asyncio.timeout(20):
            while (health := (await client.get("/health")).json())["roles"]["dispatcher"] != 1:
                await asyncio.sleep(0.1)

    assert health["status"] == "ok"
    assert health["broker"] == {"bootstrap": kafka_topics, "reachable": True}
    assert health["roles"].keys() == {"aggregator", "dispatcher", "sender"}


async def test_the_api_describes_itself(client: httpx.AsyncClient) -> None:
    """OpenAPI is served, with every path."""
    paths = json.loads((await client.get("/openapi.json")).content)["paths"]

    orders = {f"/api/v1/runs/{{run_id}}/{order}" for order in ("cancel", "pause", "resume", "replay")}
    probes = {"/health", "/health/live", "/health/ready", "/metrics"}
    reads = {"/api/v1/runs/{run_id}/recipients", "/api/v1/runs/{run_id}/outcomes", "/api/v1/events"}
    engines = {"/api/v1/engines", *(f"/api/v1/engines/{{engine_id}}/{order}" for order in ("stop", "resume"))}
    assert set(paths) >= {*probes, "/api/v1/trigger", "/api/v1/runs", "/api/v1/runs/{run_id}", *orders, *reads,
                          *engines}
