"""A run's recipients over HTTP, as their results come."""

import asyncio
from contextlib import AsyncExitStack
from typing import Any

import httpx
import pytest

from outreach_stream.domain.states import RecipientStatus, RunState
from outreach_stream.gateway.runs import results
from outreach_stream.gateway.runs.recipients import Page, Wanted
from outreach_stream.gateway.runs.results import Found
from outreach_stream.gateway.service import Gateway
from tests.gateway.conftest import Open
from tests.gateway.reading import all_pages, emails, going, now, page
from tests.gateway.records import publish, result

SENT, FAILED, DOUBT = RecipientStatus.SENT, RecipientStatus.FAILED, RecipientStatus.IN_DOUBT


def gateway_of(client: httpx.AsyncClient) -> Gateway:
    return client._transport.app.state.gateway      # type: ignore[attr-defined, no-any-return]


def test_of_two_words_on_a_page_the_stronger_counts() -> None:
    """Whichever comes first; and a recipient that is not wanted after its stronger word is none of the page."""
    def rows(wanted: Wanted, *told: RecipientStatus) -> list[RecipientStatus | None]:
        found = Page("run", wanted, 10)
        for offset, each in enumerate(told):
            found.take(Found(offset, result("run", 7, each).encode()))
        return [row.status for row in found.rows]

    assert rows(Wanted(), FAILED, SENT) == rows(Wanted(), SENT, FAILED) == rows(Wanted(), SENT, SENT) == [SENT]
    assert rows(Wanted(frozenset({FAILED})), FAILED, SENT) == rows(Wanted(frozenset({FAILED})), SENT, FAILED) == []
    assert rows(Wanted(frozenset({SENT, DOUBT})), FAILED, DOUBT, SENT) == [SENT]


async def test_results_of_one_run_among_those_of_others(client: httpx.AsyncClient, kafka_topics: str) -> None:
    """Page by page, in their order, each once, with all that is known; what cannot be read is passed over."""
    run = await going(client, kafka_topics)
    first = result(run, 0, FAILED, reason="smtp-550: no such user", email="Ann@Example.com", possible_duplicate=True)
    await publish(kafka_topics, [
        first, *(result(f"another-{run}", n) for n in range(50)), b"no JSON", b'{"run_id": "run"}',
        *(result(run, n) for n in range(1, 250)), result(run, 3)], run)

    found, pages = await all_pages(client, run, limit=100)

    assert emails(found) == ["Ann@Example.com", *(f"reader-{n}@example.com" for n in range(1, 250)),
                             "reader-3@example.com"]    # told again on a later page: documented
    assert pages == 3
    assert found[0] == {
        "email": "Ann@Example.com", "status": "failed", "reason": "smtp-550: no such user", "engine": "relay",
        "attempts": 1, "possible_duplicate": True, "message_id": None, "provider_message_id": None,
        "started_at": None, "finished_at": "2026-01-01T00:00:00.000Z"}
    assert (await page(client, run, limit=1))["source"] == "results"


async def test_results_are_filtered_by_end_and_address(client: httpx.AsyncClient, kafka_topics: str) -> None:
    """Several ends, and a part of the address in whatever case and alphabet."""
    run = await going(client, kafka_topics)
    ends = [SENT, FAILED, DOUBT, RecipientStatus.EXPIRED]
    names = ["Müller"] * 4 + ["Smith"] * 4
    await publish(kafka_topics, [result(run, n, ends[n % 4], email=f"{names[n % 8]}-{n}@Shop.example")
                                 for n in range(40)], run)

    async def numbers(**asked: Any) -> set[int]:
        return {int(email.split("-")[1].split("@")[0]) for email in emails((await all_pages(client, run, **asked))[0])}

    assert await numbers(status=["failed", "in_doubt"]) == {n for n in range(40) if n % 4 in (1, 2)}
    assert await numbers(search="MÜLLER-1") == {n for n in range(40) if n % 8 < 4 and str(n).startswith("1")}
    assert await numbers(search="shop.EXAMPLE", status="sent", limit=3) == {n for n in range(40) if n % 4 == 0}
    assert await numbers(search="nobody") == set()


async def test_a_page_is_bounded_by_what_is_read_for_it(
        client: httpx.AsyncClient, kafka_topics: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """However rare what is looked for: pages come short or empty, with where to go on, until all is found."""
    monkeypatch.setattr(results, "RECORDS", 100)
    monkeypatch.setattr(results, "_BATCH", 100)
    run = await going(client, kafka_topics)
    await publish(kafka_topics, [*(result(run, n) for n in range(1_000)), result(run, 1_000, FAILED)], run)

    first = await page(client, run, status="failed")
    found, pages = await all_pages(client, run, status="failed")

    assert (first["recipients"], first["next"] is None) == ([], False)
    assert emails(found) == ["reader-1000@example.com"]
    assert 5 <= pages <= 11


async def test_where_a_run_begins_is_looked_for_once(
        client: httpx.AsyncClient, kafka_topics: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever asks for the first page again goes on behind what is known to hold nothing of the run."""
    monkeypatch.setattr(results, "RECORDS", 100)
    monkeypatch.setattr(results, "_BATCH", 100)
    run = await going(client, kafka_topics)
    await publish(kafka_topics, [*(result(f"another-{run}", n) for n in range(400)), result(run, 0)], run)

    asked, found = 0, list[Any]()
    while not found and asked < 60:
        found, asked = (await page(client, run))["recipients"], asked + 1

    assert found and asked > 1     # each began at the beginning, none would ever find it
    assert len((await page(client, run))["recipients"]) == 1


async def test_results_are_looked_for_when_the_run_went_on(client: httpx.AsyncClient, kafka_topics: str) -> None:
    """Not before it began, nor after it ended, with a minute for the clocks: a run of last year is read in no time."""
    run = await going(client, kafka_topics)
    await publish(kafka_topics, [result(run, 0)], run)
    before, after = [await going(client, kafka_topics, state=RunState.COMPLETED, began=now(at - 10), ended=now(at))
                     for at in (-3_600, -30)]
    for each in (before, after):
        await publish(kafka_topics, [result(each, 0)], each)

    assert len((await page(client, run))["recipients"]) == 1
    assert (await page(client, before)) == {"recipients": [], "next": None, "source": "results"}
    assert len((await page(client, after))["recipients"]) == 1


async def test_scans_are_few_at_a_time(
        client: httpx.AsyncClient, kafka_topics: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever finds no place is told to come again, and does not wait for ever; a place is given back."""
    monkeypatch.setattr(results, "QUEUE_SECONDS", 0.05)
    run = await going(client, kafka_topics)
    async with AsyncExitStack() as held:
        for _ in range(results.AT_A_TIME):
            await held.enter_async_context(gateway_of(client).reads.scans.place())
        refused = [await client.get(f"/api/v1/runs/{run}/{what}") for what in ("recipients", "outcomes")]
    served = await asyncio.gather(*(client.get(f"/api/v1/runs/{run}/recipients") for _ in range(results.AT_A_TIME)))

    assert [(answer.status_code, answer.headers["Retry-After"]) for answer in refused] == [(503, "1")] * 2
    assert {answer.status_code for answer in served} == {200}


async def test_while_kafka_is_away_results_are_503_within_seconds(gateway_at: Open, kafka_topics: str) -> None:
    """A run that is known, and results that cannot be read: no empty page says that there are none."""
    async with gateway_at(kafka_topics) as client:
        run = await going(client, kafka_topics)
        gateway_of(client).reads.scans._bootstrap = "127.0.0.1:9"
        async with asyncio.timeout(results.PATIENCE + 2):
            answers = [await client.get(f"/api/v1/runs/{run}/{what}") for what in ("recipients", "outcomes")]

    assert [answer.status_code for answer in answers] == [503, 503]
    assert "Retry-After" in answers[0].headers
