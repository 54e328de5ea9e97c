"""Engines over HTTP: how fast they are, and orders about them."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import httpx
import pytest

from outreach_stream.catalog.memory import MemoryCatalog
from outreach_stream.domain.clock import iso
from outreach_stream.domain.control import Control, EngineFuse
from outreach_stream.domain.states import RunState
from outreach_stream.engines.smtp_config import SmtpConfig
from outreach_stream.gateway.engines.measured import LAG, WINDOW, MeasuredRates
from outreach_stream.gateway.engines.orders import resume_order, stop_order
from outreach_stream.gateway.runs.statuses import Word
from tests.gateway.conftest import Open
from tests.gateway.records import ordered, say, status
from tests.gateway.test_engine_states import RELAY, control

NOW = 1_767_225_600.0


def word(at: float, sent: int, state: RunState = RunState.SENDING, engine: str | None = "relay") -> Word:
    return Word(NOW, NOW + at, "1", state, engine, sent, b"")


def measured(*words: tuple[str, Word], at: float, engine: str = "relay") -> float | None:
    rates = MeasuredRates()
    for run, each in words:
        rates.note(run, each)
    return rates.rate(engine, NOW + at)


def test_the_rate_is_the_mean_over_the_window() -> None:
    """Of all runs of the engine, however often each says something."""
    runs = [("a", word(second / 4, 10 * second)) for second in range(80)]
    other = [("b", word(second, 5 * second)) for second in range(20)]
    last = 79 / 4

    assert measured(*runs, at=last) == pytest.approx(40, rel=0.02)
    assert measured(*runs, *other, at=last) == pytest.approx(45, rel=0.05)
    assert measured(*runs, at=last, engine="another") is None


def test_a_history_that_is_read_at_once_is_no_burst() -> None:
    """The times in the statuses count, not when they came: mails of an hour ago are nobody's rate now."""
    history = [("a", word(second, 100 * second)) for second in range(60)]

    assert measured(*history, at=3_600) is None


def test_words_that_repeat_or_come_late_count_nothing_twice() -> None:
    """The same status again, an older one, and the first one of a run: what it had sent before is no news."""
    said = [word(0, 1_000), word(5, 1_050), word(5, 1_050), word(3, 1_030), word(10, 1_100)]

    assert measured(*(("a", each) for each in said), at=10) == 10


def test_what_was_sent_before_a_pause_is_not_spread_over_it() -> None:
    """A run that goes on after an hour has its mails in the last seconds, not in the hour."""
    assert measured(("a", word(0, 0)), ("a", word(3_600, 50)), at=3_600) == 5


def test_clocks_and_words_may_be_a_little_late() -> None:
    """Workers' clocks behind ours, or ahead, do not change a steady rate; silence ends it."""
    runs = [("a", word(second, 20 * second)) for second in range(31)]

    assert measured(*runs, at=30 + LAG) == measured(*runs, at=30 - 5) == 20
    assert measured(*runs, at=30 + LAG + WINDOW / 2) == 10
    assert measured(*runs, at=30 + LAG + WINDOW) is None


def test_a_run_of_one_second_counts_with_its_last_word() -> None:
    """The status that ends a run brings its last mails."""
    assert measured(("a", word(0, 0, RunState.QUEUED)), ("a", word(1, 30, RunState.COMPLETED)), at=2) == 3


def test_stopping_twice_keeps_the_first_reason() -> None:
    """Whoever got no answer repeats the order; whoever comes second learns why it stands already."""
    first = stop_order("relay", "moved", Control(), by="me", at=1.0)
    second = stop_order("relay", "other", control(EngineFuse(reason="moved", at=1.0)), by="you", at=2.0)

    assert (len(first.records), first.told) == (1, "Engine relay is stopped.")
    assert (second.records, second.told) == ([], "Engine relay is stopped already: moved")
    assert resume_order("relay", Control(), 3.0).records == []


@pytest.fixture
def relay() -> SmtpConfig:
    """An engine of the test's own."""
    return RELAY.model_copy(update={"id": f"relay-{uuid4()}"})


@pytest.fixture
async def shop(gateway_at: Open, kafka_topics: str, relay: SmtpConfig) -> AsyncIterator[httpx.AsyncClient]:
    """A gateway whose catalog has that engine."""
    async with gateway_at(kafka_topics, MemoryCatalog(engines=[relay])) as client:
        yield client


async def state(client: httpx.AsyncClient) -> dict[str, Any]:
    (engine,) = (await client.get("/api/v1/engines")).json()["engines"]
    return dict(engine)


async def test_an_engine_is_stopped_and_resumed(
        shop: httpx.AsyncClient, kafka_topics: str, relay: SmtpConfig) -> None:
    """202 means that Kafka has the order; the list says by whom and why; both may be repeated, told in words."""
    stopped = await shop.post(f"/api/v1/engines/{relay.id}/stop", json={"reason": " being moved "})
    again = await shop.post(f"/api/v1/engines/{relay.id}/stop", json={"reason": "another"})
    shown = await state(shop)
    fuse = (await ordered(kafka_topics)).fuse(relay.id)
    resumed = await shop.post(f"/api/v1/engines/{relay.id}/resume")
    once_more = await shop.post(f"/api/v1/engines/{relay.id}/resume")

    assert (stopped.status_code, stopped.json()) == (202, {
        "engine": relay.id, "ordered": "stopped", "detail": f"Engine {relay.id} is stopped."})
    assert (again.status_code, again.json()["detail"]) == (202, f"Engine {relay.id} is stopped already: being moved")
    assert (shown["state"], shown["reason"], shown["by"]) == ("stopped", "being moved", "gateway")
    assert fuse is not None
    assert (resumed.status_code, resumed.json()["ordered"]) == (202, "resumed")
    assert (await ordered(kafka_topics)).fuse(relay.id) is None
    assert once_more.status_code == 409
    assert "nothing to take back" in once_more.json()["detail"]


async def test_orders_that_make_no_sense_are_refused(shop: httpx.AsyncClient, kafka_topics: str) -> None:
    """An engine that the catalog has not is 404, without a reason 422; one that has left it may still go on."""
    gone = f"gone-{uuid4()}"
    unknown = [await shop.post(f"/api/v1/engines/{gone}/stop", json={"reason": "x"}),
               await shop.post(f"/api/v1/engines/{gone}/resume")]
    bad = [await shop.post(f"/api/v1/engines/{gone}/stop", json=body) for body in ({}, {"reason": " "}, {"why": "x"})]
    fuse = EngineFuse(reason="bad key", at=1.0, by="sender")
    await ordered(kafka_topics, (f"engine:{gone}:fuse".encode(), fuse.encode()))

    assert [answer.status_code for answer in unknown] == [404, 404]
    assert "Unknown engine" in unknown[0].json()["detail"]
    assert [answer.status_code for answer in bad] == [422] * 3
    assert (await shop.post(f"/api/v1/engines/{gone}/resume")).status_code == 202


async def test_engines_are_listed_with_their_measured_rate(
        shop: httpx.AsyncClient, kafka_topics: str, relay: SmtpConfig) -> None:
    """From the statuses of their runs, as they come; null while nothing is sent."""
    run, began = str(uuid4()), datetime.now(UTC) - timedelta(seconds=WINDOW)
    before = (await state(shop))["measured_rate"]
    await say(kafka_topics, *(status(run, engine=relay.id, total=500, sent=5 * second,
                                     said=iso(began.timestamp() + second)) for second in range(11)))
    async with asyncio.timeout(15):
        while (rate := (await state(shop))["measured_rate"]) is None:
            await asyncio.sleep(0.05)

    assert before is None
    assert 0 < rate <= 5
