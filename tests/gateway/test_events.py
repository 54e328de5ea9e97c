"""Server-sent events: what listeners are told, through a real server, to its end."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager
from time import monotonic
from typing import Any
from uuid import uuid4

import httpx
import pytest

from outreach_stream.catalog.memory import MemoryCatalog
from outreach_stream.domain.states import RunState
from outreach_stream.gateway.api import build
from outreach_stream.gateway.runs import event_routes, events
from outreach_stream.gateway.runs.events import HELLO, News, TooManyListenersError, frame
from outreach_stream.gateway.runs.statuses import Word
from outreach_stream.gateway.server import bound, serve
from outreach_stream.gateway.service import Gateway
from outreach_stream.settings import Settings
from tests.gateway.records import say, status


def word(run: str, **counts: int) -> Word:
    return Word.read(status(run, **counts).encode())


def told(chunk: bytes) -> list[dict[str, Any]]:
    """The events of a chunk."""
    return [json.loads(each.partition("\ndata: ")[2]) for each in chunk.decode().split("\n\n")
            if each.startswith("event: run.status\ndata: ")]


async def test_a_run_that_changes_often_is_told_as_it_stands(monkeypatch: pytest.MonkeyPatch) -> None:
    """However many changes there were since the last telling: one event for each run, and the last word counts."""
    monkeypatch.setattr(events, "PACE", 0.02)
    words: dict[str, Word] = {"first": word("first")}
    news = News(words.get)
    async with aclosing(news.listen(lambda: list(words.values()))) as stream:
        hello = await anext(stream)
        for sent in range(1_000):
            for run in ("a", "b"):
                words[run] = word(run, total=2_000, sent=sent)
                news.changed(run, words[run])
        changed = told(await anext(stream))

    assert hello.startswith(b"retry: 2000\n\n")
    assert [each["run_id"] for each in told(hello)] == ["first"]
    assert {each["run_id"]: each["counts"]["sent"] for each in changed} == {"a": 999, "b": 999}
    assert len(changed) == 2


async def test_a_listener_hears_of_its_run_only_and_of_silence(monkeypatch: pytest.MonkeyPatch) -> None:
    """Changes of others do not wake it; after a while without any a comment shows that the stream is alive."""
    monkeypatch.setattr(events, "PACE", 0.0)
    monkeypatch.setattr(events, "HEARTBEAT", 0.05)
    words = {run: word(run) for run in ("mine", "theirs")}
    news = News(words.get)
    async with aclosing(news.listen(list, "mine")) as stream:
        await anext(stream)
        news.changed("theirs", words["theirs"])
        silence = await anext(stream)
        news.changed("mine", words["mine"])
        change = await anext(stream)

    assert silence.startswith(b":")
    assert [each["run_id"] for each in told(change)] == ["mine"]


async def test_streams_are_limited_and_give_their_places_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """One too many is refused; one that has ended, or was never begun, is in nobody's way."""
    monkeypatch.setattr(events, "STREAMS", 1)
    news = News({}.get)
    news.listen(list)                                   # never begun
    async with aclosing(news.listen(list)) as stream:
        await anext(stream)
        with pytest.raises(TooManyListenersError):
            news.listen(list)

    async with aclosing(news.listen(list)) as stream:
        assert await anext(stream) == HELLO


def test_an_event_is_one_line_whatever_the_json_looked_like() -> None:
    """A line break in data would be the end of the data."""
    pretty = Word.read(status("run").model_dump_json(indent=2).encode())

    assert frame(pretty).count(b"\n") == 3
    assert told(frame(pretty))[0]["run_id"] == "run"


@asynccontextmanager
async def served(bootstrap: str) -> AsyncIterator[tuple[httpx.AsyncClient, Gateway, Callable[[], None]]]:
    """A gateway behind a real server; and what stops it."""
    gateway = Gateway(bootstrap, MemoryCatalog().current, Settings())
    listening, stop = bound("127.0.0.1", 0), asyncio.Event()
    url = f"http://127.0.0.1:{listening.getsockname()[1]}"
    serving = asyncio.create_task(serve(build(gateway), listening, stop, gateway.reads.news.end))
    try:
        async with httpx.AsyncClient(base_url=url, timeout=20) as client:
            async with asyncio.timeout(20):
                while (await client.get("/api/v1/events", params={"run": "nobody's"})).status_code != 404:
                    await asyncio.sleep(0.05)       # 503 until all is read that was there
            yield client, gateway, stop.set
    finally:
        stop.set()
        await serving


async def next_status(lines: AsyncIterator[str]) -> dict[str, Any]:
    async with asyncio.timeout(15):
        async for line in lines:
            if line.startswith("data: "):
                return dict(json.loads(line.removeprefix("data: ")))
    raise EOFError


async def test_changes_come_as_they_are_said_and_the_stream_ends_with_the_server(kafka_topics: str) -> None:
    """First the run as it stands, then each change; a stop of the gateway ends the stream whole, and does not wait."""
    run = str(uuid4())
    await say(kafka_topics, status(run, total=2))
    async with (served(kafka_topics) as (client, gateway, stop),
                client.stream("GET", "/api/v1/events", params={"run": run}) as answer):
        lines = answer.aiter_lines()
        first = await next_status(lines)
        await say(kafka_topics, status(run, total=2, sent=1), status(str(uuid4())))
        second = await next_status(lines)
        await say(kafka_topics, status(run, RunState.COMPLETED, total=2, sent=2))
        third = await next_status(lines)
        began = monotonic()
        stop()
        with pytest.raises(EOFError):       # not a broken connection: the last chunk came
            await next_status(lines)
        took = monotonic() - began

    assert answer.headers["content-type"].startswith("text/event-stream")
    assert answer.headers["cache-control"] == "no-store"
    assert [(each["run_id"], each["counts"]["sent"]) for each in (first, second, third)] == [(run, n) for n in range(3)]
    assert took < 2
    assert not gateway.reads.news._listeners


async def test_without_a_run_the_newest_come_first_and_whoever_leaves_is_forgotten(
        kafka_topics: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """So many at most, the newest; then all that change. A client that closes its connection has no place any more."""
    monkeypatch.setattr(event_routes, "FIRST", 3)
    runs = [status(str(uuid4()), began=f"9998-01-01T00:00:{second:02}Z") for second in range(5)]
    await say(kafka_topics, *runs)
    async with served(kafka_topics) as (client, gateway, _):
        async with client.stream("GET", "/api/v1/events") as answer:
            lines = answer.aiter_lines()
            first = [await next_status(lines) for _ in range(3)]
            new = str(uuid4())
            await say(kafka_topics, status(new))
            change = await next_status(lines)
        async with asyncio.timeout(5):
            while gateway.reads.news._listeners:
                await asyncio.sleep(0.02)

    assert [each["run_id"] for each in first] == [each.run_id for each in reversed(runs)][:3]
    assert change["run_id"] == new


async def test_one_stream_too_many_is_503(kafka_topics: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is told to come again later; what the gateway does beside is not disturbed."""
    async with served(kafka_topics) as (client, _, _):
        monkeypatch.setattr(events, "STREAMS", 1)
        async with client.stream("GET", "/api/v1/events") as answer:
            stream = answer.aiter_bytes()       # kept: dropped, it would close the connection
            await anext(stream)
            async with asyncio.timeout(15):
                refused = await client.get("/api/v1/events")
                runs = await client.get("/api/v1/runs")

    assert (refused.status_code, refused.headers["Retry-After"], runs.status_code) == (503, "10", 200)
