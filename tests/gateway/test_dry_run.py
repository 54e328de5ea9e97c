"""`POST /api/v1/trigger` with `dry_run`: what it would do, and nothing of it is done."""

from pathlib import Path
from uuid import uuid4

import httpx
import pytest

from outreach_stream.domain.triggers import WorkflowTriggered
from outreach_stream.gateway.catalog import looks
from outreach_stream.gateway.catalog.previews import Previews
from outreach_stream.gateway.publisher import identified
from outreach_stream.recipients.unsubscribed import Unsubscribed, suppression_key
from outreach_stream.recipients.unsubscribing import links_of
from outreach_stream.settings import Settings
from tests.gateway.conftest import Open
from tests.gateway.shop import shop
from tests.gateway.test_api import triggers

NOBODY = "127.0.0.1:9"


@pytest.fixture
async def client(tmp_path: Path, gateway_at: Open) -> httpx.AsyncClient:
    """A gateway of the shop whose broker is away: looking needs none."""
    async with gateway_at(NOBODY, shop(tmp_path)) as client:
        yield client


async def dry(client: httpx.AsyncClient, **asked: object) -> httpx.Response:
    return await client.post("/api/v1/trigger", json={"dry_run": True, **asked})


async def test_everybody_is_counted_by_what_would_become_of_them(client: httpx.AsyncClient) -> None:
    """As a run would decide: whom it mails and whom not, and why, with the first mail; 200, not 202."""
    answer = await dry(client, workflow_id=7, parameters={"town": ""})
    told = answer.json()

    assert answer.status_code == 200, answer.text
    assert told["counts"] == {
        "to_mail": 2, "invalid": 1, "suppressed": 1, "unsubscribed": 0, "duplicate": 1}
    assert [each["skipped"] for each in told["recipients"]] == ["invalid", None, "duplicate", "suppressed", None]
    assert told["complete"] is True
    assert told["mail"]["subject"] == "Hello Ada"
    assert (told["workflow_id"], told["run_id"], told["problems"]) == ("7", None, [])


async def test_recipients_of_the_trigger_are_looked_at_likewise(client: httpx.AsyncClient) -> None:
    """Inline recipients are checked, and a variable that one of them lacks is a problem that is named."""
    people = [{"email": "a@example.com", "city": "Bonn"}, {"email": "nobody"}, {"email": "b@example.com"}]
    told = (await dry(client, workflow_id="inline", recipients=people)).json()

    assert told["counts"] == {
        "to_mail": 2, "invalid": 1, "suppressed": 0, "unsubscribed": 0, "duplicate": 0}
    assert told["mail"]["text"] == "Bonn, 5 % for a@example.com"
    assert len(told["problems"]) == 1
    assert "'city'" in told["problems"][0]


async def test_a_large_query_is_read_so_far_and_no_further(
    client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Of an endless query the first rows are counted, by number or by time, and it is said that they are not all."""
    monkeypatch.setattr(looks, "READ", 5_000)
    by_rows = (await dry(client, workflow_id="endless")).json()
    monkeypatch.setattr(looks, "READ", 10**9)
    monkeypatch.setattr(looks, "LOOK_SECONDS", 0.3)
    by_time = (await dry(client, workflow_id="endless")).json()

    assert (by_rows["complete"], by_rows["counts"]["to_mail"], len(by_rows["recipients"])) == (False, 5_000, 20)
    assert by_time["complete"] is False
    assert by_time["counts"]["to_mail"] > 0


@pytest.mark.parametrize(("asked", "status", "says"), [
    ({"workflow_id": 8}, 404, "there are: 7"),
    ({"workflow_id": 7}, 422, "missing parameters: town"),
    ({"workflow_id": "inline"}, 422, "brings no recipients"),
    ({"workflow_id": 7, "parameters": {"town": ""}, "deadline": "2020-01-01T00:00:00Z"}, 422, "has passed"),
])
async def test_what_would_be_refused_is_refused(
    client: httpx.AsyncClient, asked: dict[str, object], status: int, says: str,
) -> None:
    """The admission's own decision: what no run would come of is said at once."""
    answer = await dry(client, **asked)

    assert answer.status_code == status
    assert says in answer.text


async def test_nothing_is_published(tmp_path: Path, gateway_at: Open, kafka_topics: str) -> None:
    """The run that a key names is told, and neither the topic nor the list of runs has it afterwards."""
    async with gateway_at(kafka_topics, shop(tmp_path)) as client:
        told = (await dry(client, workflow_id=7, parameters={"town": ""}, key=uuid4().hex)).json()
        listed = (await client.get("/api/v1/runs")).json()["runs"]

    assert told["run_id"]
    assert told["run_id"] not in {each["run_id"] for each in listed}
    assert await triggers(kafka_topics, told["run_id"]) == []


async def test_who_has_unsubscribed_is_left_out_and_shown_links_unsubscribe_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The list's leavers are counted; the link in the mail that is shown looks right, and no key of ours reads it."""
    monkeypatch.setenv("LINK_KEY", "k" * 32)
    catalog = shop(tmp_path)
    file = tmp_path / "workflows" / "7.yaml"
    file.write_text(file.read_text() + "unsubscribe: news\n")
    settings = Settings(public_url="https://mail.example.com", unsubscribe_key="env:LINK_KEY")
    lists = Unsubscribed()
    lists.note(suppression_key("news", "ada@example.org"), b"{}")
    looking = Previews(settings, lambda who: lists.has(who.list, who.email))
    event, run = identified(WorkflowTriggered(workflow_id=7, parameters={"town": ""}))

    told = await looking.dry_run(catalog.load(), event, run)

    assert (told.counts.unsubscribed, told.counts.to_mail) == (2, 1)
    assert told.mail
    assert told.mail.recipient.email == "dan@example.org"
    link = told.mail.headers["List-Unsubscribe"].strip("<>")
    links = links_of(settings)
    assert links
    assert link.startswith("https://mail.example.com/u/")
    assert links.read(link.rpartition("/")[2]) is None
