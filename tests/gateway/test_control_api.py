"""Orders and replays over HTTP, in front of a real broker."""

import asyncio
from uuid import uuid4

import httpx
import pytest

from outreach_stream.catalog.memory import MemoryCatalog
from outreach_stream.domain.states import RunState
from outreach_stream.domain.triggers import WorkflowTriggered
from tests.gateway.conftest import Open
from tests.gateway.records import ordered, say, status
from tests.gateway.test_api import triggers
from tests.gateway.test_engine_states import RELAY


async def shown(client: httpx.AsyncClient, run: str) -> None:
    """Returns when the gateway has read the run's status, and all that was there before."""
    async with asyncio.timeout(15):
        for known, code in ((run, 200), ("nobody's", 404)):
            while (await client.get(f"/api/v1/runs/{known}")).status_code != code:
                await asyncio.sleep(0.05)


@pytest.fixture
async def run(client: httpx.AsyncClient, kafka_topics: str) -> str:
    """A run under way."""
    run = str(uuid4())
    await say(kafka_topics, status(run, total=10))
    await shown(client, run)
    return run


async def ended(client: httpx.AsyncClient, bootstrap: str, **counts: int) -> str:
    run = str(uuid4())
    await say(bootstrap, status(run, RunState.COMPLETED, **counts))
    await shown(client, run)
    return run


async def test_pause_resume_and_cancel_are_in_control_when_they_are_answered(
        client: httpx.AsyncClient, kafka_topics: str, run: str) -> None:
    """202 means that Kafka has the order; the next one is judged by it at once."""
    answers = []
    for order, paused, cancelled in (("pause", True, False), ("resume", False, False), ("cancel", False, True)):
        answers.append(await client.post(f"/api/v1/runs/{run}/{order}"))
        control = await ordered(kafka_topics)
        assert (control.paused(run), control.cancelled(run)) == (paused, cancelled)

    assert [answer.status_code for answer in answers] == [202, 202, 202]
    assert answers[0].json() == {"run_id": run, "ordered": "pause",
                                 "status_url": f"http://gateway/api/v1/runs/{run}"}


async def test_orders_that_make_no_sense_are_409_with_the_reason(
        client: httpx.AsyncClient, kafka_topics: str, run: str) -> None:
    """Not paused, cancelled, ended; a run that nobody knows is 404."""
    assert "not paused" in (not_paused := await client.post(f"/api/v1/runs/{run}/resume")).json()["detail"]
    await client.post(f"/api/v1/runs/{run}/cancel")
    assert "for good" in (cancelled := await client.post(f"/api/v1/runs/{run}/pause")).json()["detail"]
    over = await client.post(f"/api/v1/runs/{await ended(client, kafka_topics, total=1, sent=1)}/cancel")
    unknown = await client.post(f"/api/v1/runs/{uuid4()}/cancel")

    assert [each.status_code for each in (not_paused, cancelled, over, unknown)] == [409, 409, 409, 404]


async def test_a_run_is_cancelled_before_a_worker_has_seen_it(client: httpx.AsyncClient, kafka_topics: str) -> None:
    """Whoever triggered by mistake need not wait for the admission."""
    run = (await client.post("/api/v1/trigger", json={"workflow_id": 1})).json()["run_id"]

    answer = await client.post(f"/api/v1/runs/{run}/cancel")

    assert answer.status_code == 202
    assert (await ordered(kafka_topics)).cancelled(run)


async def test_a_replay_is_published_as_a_run_of_its_own(client: httpx.AsyncClient, kafka_topics: str) -> None:
    """It names the earlier run and the ends, is shown at once, and is the same run when it is repeated."""
    parent = await ended(client, kafka_topics, total=9, sent=4, failed=2, in_doubt=3)
    body = {"statuses": ["in_doubt", "failed"], "accept_duplicates": True}

    first, again = [await client.post(f"/api/v1/runs/{parent}/replay", json=body) for _ in range(2)]

    assert first.status_code == again.status_code == 202
    assert first.json()["recipients"] == {"failed": 2, "in_doubt": 3}
    assert first.json()["parent"] == parent
    assert first.json()["run_id"] == again.json()["run_id"] != parent
    assert (await client.get(first.json()["status_url"])).json()["state"] == "QUEUED"
    records = await triggers(kafka_topics, first.json()["run_id"])
    replay = WorkflowTriggered.model_validate_json(records[0].value).replay
    assert replay is not None
    assert (replay.run_id, replay.statuses, replay.accept_duplicates) == (parent, ["failed", "in_doubt"], True)


async def test_replays_that_may_not_be_are_refused(client: httpx.AsyncClient, kafka_topics: str, run: str) -> None:
    """Under way, unknown, nobody ended so, an overlap: 409 and 404; doubt that nobody accepted and odd ends: 422."""
    parent = await ended(client, kafka_topics, total=9, sent=4, failed=2, expired=3)
    await client.post(f"/api/v1/runs/{parent}/replay", json={"statuses": ["failed"]})
    cases = [(run, {"statuses": ["failed"]}, 409), (str(uuid4()), {"statuses": ["failed"]}, 404),
             (parent, {"statuses": ["cancelled"]}, 409), (parent, {"statuses": ["failed", "expired"]}, 409),
             (parent, {"statuses": ["failed", "expired"], "idempotency_key": "insist"}, 202),
             (parent, {"statuses": ["in_doubt"]}, 422), (parent, {"statuses": ["sent"]}, 422),
             (parent, {"statuses": []}, 422), (parent, {"statuses": ["failed"], "force": True}, 422)]

    answers = [await client.post(f"/api/v1/runs/{each}/replay", json=body) for each, body, _ in cases]

    assert [answer.status_code for answer in answers] == [expected for *_, expected in cases]


async def test_engines_are_listed_with_what_stops_them(gateway_at: Open, kafka_topics: str) -> None:
    """From the catalog, and from `control` as it is now; an unreadable order is no obstacle."""
    engine = RELAY.model_copy(update={"id": f"relay-{uuid4()}"})
    await ordered(kafka_topics, (f"engine:{engine.id}:fuse".encode(), b"[]"))
    async with gateway_at(kafka_topics, MemoryCatalog(engines=[engine])) as client:
        before = (await client.get("/api/v1/engines")).json()["engines"]
        await ordered(kafka_topics, (f"engine:{engine.id}:fuse".encode(),
                                     b'{"reason": "no credit", "at": 5, "by": "sender"}'))
        after = (await client.get("/api/v1/engines")).json()["engines"]

    assert [(each["id"], each["state"], each["hourly"]) for each in before] == [(engine.id, "ok", 1_000)]
    assert [(each["state"], each["reason"], each["by"]) for each in after] == [("stopped", "no credit", "sender")]
