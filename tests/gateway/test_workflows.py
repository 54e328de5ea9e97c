"""`/api/v1/workflows`: what there is, what a mail looks like, and one mailed as a test."""

import asyncio
import sqlite3
from pathlib import Path

import httpx
import pytest

from outreach_stream.domain.triggers import WorkflowTriggered
from outreach_stream.gateway.catalog import looks, previews
from tests.gateway.conftest import Open
from tests.gateway.shop import shop
from tests.gateway.test_api import triggers

NOBODY = "127.0.0.1:9"


@pytest.fixture
async def client(tmp_path: Path, gateway_at: Open) -> httpx.AsyncClient:
    """A gateway of the shop whose broker is away: looking needs none."""
    async with gateway_at(NOBODY, shop(tmp_path)) as client:
        yield client


async def test_workflows_are_listed(client: httpx.AsyncClient) -> None:
    """Engines, template, parameters with defaults, whether there is a query, and what triggers it."""
    told = {each["id"]: each for each in (await client.get("/api/v1/workflows")).json()["workflows"]}

    assert told["7"] == {
        "id": "7", "name": "Sale", "version": "1", "engines": ["relay"], "template": "hello", "has_query": True,
        "parameters": {"town": {"default": None, "required": True}, "discount": {"default": 10, "required": False}},
        "schedules": ["daily", "off", "over"]}
    assert not told["inline"]["has_query"]


async def test_a_preview_is_the_mail_of_the_first_who_is_found(client: httpx.AsyncClient) -> None:
    """Subject, bodies and headers as that recipient would get them; whoever has no valid address is passed over."""
    answer = await client.post("/api/v1/workflows/7/preview", json={"parameters": {"town": ""}})

    assert answer.status_code == 200, answer.text
    assert answer.json() == {
        "subject": "Hello Ada", "text": "Rome, 10 % for ada@example.org", "html": "<p>Rome</p>", "files": [],
        "headers": {"From": "Shop <a@shop.example.com>", "To": "Ada <ada@example.org>",
                    "Reply-To": "help@shop.example.com", "X-City": "Rome"},
        "recipient": {"email": "ada@example.org", "name": "Ada", "variables": {"city": "Rome"}, "skipped": None}}


async def test_a_preview_for_a_recipient_of_ones_own(client: httpx.AsyncClient) -> None:
    """Whoever is given is rendered for, and no database is asked; the row goes before the parameters."""
    ann = {"email": "ann@example.com", "variables": {"city": "<Bonn>", "discount": 30}}
    told = (await client.post("/api/v1/workflows/inline/preview", json={"recipient": ann})).json()

    assert (told["text"], told["html"]) == ("<Bonn>, 30 % for ann@example.com", "<p>&lt;Bonn&gt;</p>")


@pytest.mark.parametrize(("workflow", "body", "status", "says"), [
    ("8", {}, 404, "there are: 7"),
    ("7", {}, 422, "missing parameters: town"),
    ("7", {"parameters": {"town": "", "x": 1}}, 422, "unknown parameters: x"),
    ("7", {"parameters": {"town": "Nowhere"}}, 409, "finds nobody"),
    ("inline", {}, 422, "say whose mail it is"),
    ("odd", {}, 422, "'colour'"),
    ("inline", {"recipient": {"email": "ann@example.com"}}, 422, "'city'"),
    ("inline", {"recipient": {"email": "ann"}}, 422, "e-mail address"),
    ("inline", {"recipient": {"email": "a@example.com", "variables": {"email": "b"}}}, 422, "beside the variables"),
    ("away", {}, 503, "cannot be reached"),
])
async def test_what_cannot_be_shown_is_named(
    client: httpx.AsyncClient, workflow: str, body: object, status: int, says: str, monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Each mistake has its answer, with the missing variable, the known workflows, and never a password."""
    monkeypatch.setenv("SHOP_DB", "postgresql://shop:hunter2-hunter2@127.0.0.1:9/people")

    answer = await client.post(f"/api/v1/workflows/{workflow}/preview", json=body)

    assert answer.status_code == status
    assert says in answer.text
    assert "hunter2" not in answer.text


async def test_a_slow_database_is_given_up(client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch) -> None:
    """A query that runs on is ended after the limit of a look, and 504 names the command that waits longer."""
    monkeypatch.setattr(looks, "LOOK_SECONDS", 0.3)

    answer = await client.post("/api/v1/workflows/slow/preview", json={})

    assert answer.status_code == 504
    assert "outreach recipients slow" in answer.json()["detail"]


async def test_few_look_at_a_time(client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond the bound the next one waits for a moment and is told to come back; it opens no connection."""
    monkeypatch.setattr(looks, "LOOK_SECONDS", 1.5)
    monkeypatch.setattr(previews, "PATIENCE", 0.2)
    asked = [client.post("/api/v1/workflows/slow/preview", json={}) for _ in range(previews.AT_ONCE + 2)]

    answers = await asyncio.gather(*asked)

    assert sorted(answer.status_code for answer in answers) == [429, 429, *[504] * previews.AT_ONCE]
    assert all("Retry-After" in answer.headers for answer in answers if answer.status_code == 429)


async def test_a_look_changes_nothing(client: httpx.AsyncClient, tmp_path: Path) -> None:
    """A query that writes is refused, and what it meant to remove is there."""
    file = tmp_path / "workflows" / "odd.yaml"
    file.write_text(file.read_text().replace("SELECT email FROM people", "DELETE FROM people RETURNING email"))

    answer = await client.post("/api/v1/workflows/odd/preview", json={})

    assert answer.status_code == 422
    assert "may only read" in answer.json()["detail"]
    with sqlite3.connect(tmp_path / "people.db") as db:
        assert db.execute("SELECT count(*) FROM people").fetchone() == (5,)


async def test_a_test_is_a_run_of_one_for_the_address_given(
    tmp_path: Path, gateway_at: Open, kafka_topics: str,
) -> None:
    """It goes express to that address with the found row, has no slot and no key, and each is a run of its own."""
    async with gateway_at(kafka_topics, shop(tmp_path)) as client:
        body = {"to": "me@example.com", "parameters": {"town": ""}}
        one, two = [(await client.post("/api/v1/workflows/7/test", json=body)).json() for _ in range(2)]
        waiting = (await client.get(one["status_url"])).json()
        unfit = await client.post("/api/v1/workflows/odd/test", json={"to": "me@example.com"})

    (record,) = await triggers(kafka_topics, one["run_id"])
    event = WorkflowTriggered.model_validate_json(record.value)
    assert one["run_id"] != two["run_id"]
    assert waiting["source"] == event.source == "gateway:test"
    assert (event.priority, event.slot, event.idempotency_key) == ("express", None, None)
    assert [each.model_dump() for each in event.recipients or ()] == [
        {"email": "me@example.com", "name": "Ada", "city": "Rome"}]
    assert unfit.status_code == 422, "what cannot be rendered is not mailed"


async def test_a_test_needs_a_broker(client: httpx.AsyncClient) -> None:
    """Without Kafka nothing is accepted, and it says so."""
    answer = await client.post("/api/v1/workflows/7/test", json={"to": "me@example.com", "parameters": {"town": ""}})

    assert answer.status_code == 503
