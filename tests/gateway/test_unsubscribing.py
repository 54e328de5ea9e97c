"""Unsubscribe links over HTTP, on a real broker: one request, durable, no login; and the lists for other services."""

import asyncio
import hashlib
import json
import re
from base64 import b64encode
from collections.abc import AsyncIterator
from html.parser import HTMLParser
from uuid import uuid4

import httpx
import pytest
from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition

from outreach_stream.domain.unsubscribing import Unsubscribed
from outreach_stream.recipients.unsubscribed import suppression_key
from outreach_stream.recipients.unsubscribing import Links
from outreach_stream.topics import SUPPRESSION
from tests.gateway.conftest import Open

KEY, EMAIL, RUN = "k" * 32, "Ada@example.com", "3f2b6c1e-8d0a-5c57-9a51-0d8c2f0f7a11"
LINKS = Links("https://mail.example.com", [KEY])
ONE_CLICK = {"List-Unsubscribe": "One-Click"}


@pytest.fixture
def list_name() -> str:
    """A list of the test's own."""
    return f"list-{uuid4().hex[:8]}"


@pytest.fixture
def path(list_name: str) -> str:
    """Where the link in Ada's mail leads."""
    return LINKS.url(list_name, EMAIL, RUN).removeprefix("https://mail.example.com")


@pytest.fixture
def set_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """The two settings that links need."""
    monkeypatch.setenv("LINK_KEY", KEY)
    monkeypatch.setenv("OUTREACH_PUBLIC_URL", "https://mail.example.com")
    monkeypatch.setenv("OUTREACH_UNSUBSCRIBE_KEY", "env:LINK_KEY")


@pytest.fixture
async def client(set_up: None, kafka_topics: str, gateway_at: Open) -> AsyncIterator[httpx.AsyncClient]:
    """A client of a gateway with links."""
    async with gateway_at(kafka_topics) as client:
        yield client


async def said(bootstrap: str, name: str) -> list[ConsumerRecord]:
    """All records of Ada's key on this list, in order."""
    place, key = TopicPartition(SUPPRESSION.name, 0), suppression_key(name, EMAIL)
    async with AIOKafkaConsumer(bootstrap_servers=bootstrap, auto_offset_reset="earliest") as consumer:
        consumer.assign([place])
        await consumer.seek_to_beginning(place)
        end, found = (await consumer.end_offsets([place]))[place], []
        while await consumer.position(place) < end:
            found += (await consumer.getmany(place, timeout_ms=500)).get(place, [])
    return [record for record in found if record.key == key]


class _Page(HTMLParser):
    """The tags of a page, and where its forms lead."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.actions: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        if tag == "form":
            self.actions.append(dict(attrs).get("action") or "")


@pytest.mark.parametrize(("body", "how"), [
    ({"data": ONE_CLICK}, "one_click"),
    ({"files": {"List-Unsubscribe": (None, "One-Click")}}, "one_click"),
    ({}, "page"),
])
async def test_one_post_unsubscribes(
    client: httpx.AsyncClient, kafka_topics: str, list_name: str, path: str, body: dict[str, object], how: str,
) -> None:
    """RFC 8058: a form of either kind, no cookies, no redirect; when it is answered the event is in Kafka."""
    answer = await client.post(path, **body)

    assert answer.status_code == 200
    (record,) = await said(kafka_topics, list_name)
    event = Unsubscribed.model_validate_json(record.value)
    assert (event.list, event.email, event.how, event.run_id) == (list_name, EMAIL, how, RUN)
    assert dict(record.headers)["ce_type"] == b"outreach.unsubscribed"
    assert "You are unsubscribed" in answer.text
    assert "set-cookie" not in answer.headers


async def test_to_look_changes_nothing(client: httpx.AsyncClient, kafka_topics: str, list_name: str, path: str) -> None:
    """Scanners follow links: GET asks, with one button that posts to the same address; HEAD is no way in either."""
    answer = await client.get(path)
    await client.head(path)

    assert answer.status_code == 200
    assert EMAIL in answer.text
    assert _Page(answer.text).actions == [""]
    assert await said(kafka_topics, list_name) == []


async def test_it_is_undone_where_the_page_leads(
    client: httpx.AsyncClient, kafka_topics: str, list_name: str, path: str,
) -> None:
    """From page to page as a browser goes, with each step in Kafka: off, on again, off."""
    page = await client.post(path, data=ONE_CLICK)
    for action, words in (("undo", "subscribed again"), ("", "You are unsubscribed")):
        (where,) = _Page(page.text).actions
        assert where.endswith(action)
        page = await client.post(page.url.join(where))
        assert words in page.text

    assert [record.value is None for record in await said(kafka_topics, list_name)] == [False, True, False]
    async with asyncio.timeout(10):
        while "You are unsubscribed" not in (await client.get(path)).text:  # the page knows what was done before
            await asyncio.sleep(0.02)


async def test_pages_load_nothing_and_may_be_framed_by_nobody(client: httpx.AsyncClient, path: str) -> None:
    """No script, no image, nothing from elsewhere; the one style is named by its hash; nobody keeps a copy."""
    for answer in (await client.get(path), await client.post(path), await client.get("/u/nothing")):
        policy, page = answer.headers["Content-Security-Policy"], _Page(answer.text)
        style = re.search("<style>(.*?)</style>", answer.text, re.DOTALL)
        assert style
        digest = b64encode(hashlib.sha256(style[1].encode()).digest()).decode()

        assert f"style-src 'sha256-{digest}'" in policy
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'none'" in policy
        assert not {"script", "img", "link", "iframe", "a"} & set(page.tags)
        assert '<html lang="en">' in answer.text
        assert (answer.headers["Cache-Control"], answer.headers["Referrer-Policy"]) == ("no-store", "no-referrer")


async def test_markup_in_an_address_stays_text(client: httpx.AsyncClient, list_name: str) -> None:
    """What an address holds is shown and not obeyed."""
    url = LINKS.url(list_name, '"<script>alert(1)</script>"@example.com', RUN)

    assert "<script>" not in (await client.get(url.removeprefix("https://mail.example.com"))).text


async def test_every_other_link_has_one_answer(client: httpx.AsyncClient, path: str) -> None:
    """Cut off, changed, of another key, of no kind at all: the same page, for each method, that tells nothing."""
    foreign = Links("https://mail.example.com", ["o" * 32]).url("news", EMAIL, RUN).removeprefix("https://mail.example.com")
    odd = [path[:-1], path[:10], path[:-5] + "AAAAA", path + "A", foreign, "/u/x", "/u/%00", "/u/" + "A" * 5_000]

    answers = [await client.get(each) for each in odd] + [await client.post(each, data=ONE_CLICK) for each in odd] + [
        await client.post(f"{each}/undo") for each in odd]

    assert {answer.status_code for answer in answers} == {404}
    assert len({answer.text for answer in answers}) == 1
    assert EMAIL not in answers[0].text


async def test_without_settings_no_link_is_known(kafka_topics: str, gateway_at: Open, path: str) -> None:
    """A gateway that has no key serves all the rest."""
    async with gateway_at(kafka_topics) as client:
        assert (await client.post(path)).status_code == 404
        assert (await client.get("/health")).status_code == 200


@pytest.mark.usefixtures("set_up")
async def test_while_kafka_is_away_nothing_is_promised(gateway_at: Open, path: str) -> None:
    """503 with Retry-After, so that a mail provider comes again; the page that asks is there all the same."""
    async with gateway_at("127.0.0.1:9") as client:
        asked, posted = await client.get(path), await client.post(path, data=ONE_CLICK)

    assert (asked.status_code, posted.status_code) == (200, 503)
    assert int(posted.headers["Retry-After"]) > 0
    assert "not recorded" in posted.text


async def test_services_keep_the_lists_too(client: httpx.AsyncClient, kafka_topics: str, list_name: str) -> None:
    """Add, check, remove: any case of an address, many at once, known as soon as it is answered."""
    base = f"/api/v1/suppression/{list_name}"
    others = [f"p{number}@example.com" for number in range(200)]

    added = await client.post(f"{base}/add", json={"emails": [EMAIL, *others]})
    three = ["ada@EXAMPLE.com", "p7@example.com", "x@example.com"]
    checked = await client.post(f"{base}/check", json={"emails": three})
    removed = await client.post(f"{base}/remove", json={"emails": [EMAIL.lower()]})
    after = await client.post(f"{base}/check", json={"emails": [EMAIL, "p7@example.com"]})
    elsewhere = await client.post("/api/v1/suppression/other/check", json={"emails": ["p7@example.com"]})

    assert [answer.json() for answer in (added, removed)] == [
        {"list": list_name, "addresses": 201}, {"list": list_name, "addresses": 1}]
    assert checked.json()["suppressed"] == three[:2]
    assert after.json()["suppressed"] == ["p7@example.com"]
    assert elsewhere.json()["suppressed"] == []
    first, second = await said(kafka_topics, list_name)
    assert json.loads(first.value)["how"] == "api"
    assert second.value is None


@pytest.mark.parametrize(("name", "body"), [
    ("news", {"emails": []}), ("news", {"emails": ["no address"]}), ("news", {"emails": ["a@example.com"] * 1_001}),
    ("news", {}), ("two words", {"emails": ["a@example.com"]}), ("news", {"emails": ["a@example.com"], "list": "x"}),
])
async def test_what_cannot_be_kept_is_refused(client: httpx.AsyncClient, name: str, body: dict[str, object]) -> None:
    """Not an address, too many, no list's name: 422, and nothing is changed."""
    answer = await client.post(f"/api/v1/suppression/{name}/add", json=body)

    assert answer.status_code == 422
    assert "no address" not in answer.text
