"""The list of runs: filters, pages that stay put, and what a page costs."""

import asyncio
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import httpx
import pytest
from fastapi.exceptions import RequestValidationError

from outreach_stream.domain.states import RunState
from outreach_stream.gateway.runs.listing import Choice, Listing
from outreach_stream.gateway.runs.paging import RecipientPlace, RunPlace
from outreach_stream.gateway.runs.statuses import Word
from tests.gateway.records import say, status

type Ask = Callable[..., Any]


def word(run: str, began: float, state: RunState = RunState.SENDING, workflow: str = "1") -> Word:
    return Word(began, began, workflow, state, None, 0, run.encode())


def listed(*words: Word) -> tuple[Listing, dict[str, Word]]:
    listing, known = Listing(), {each.raw.decode(): each for each in words}
    for run, each in known.items():
        listing.put(run, each.began)
    return listing, known


def ids(words: list[Word]) -> list[str]:
    return [each.raw.decode() for each in words]


def test_pages_neither_repeat_nor_miss_while_runs_come() -> None:
    """Runs that come, and runs that turn out to have begun earlier, do not shift the pages behind the cursor."""
    listing, known = listed(*(word(f"run-{n}", n // 2) for n in range(10)))     # two begin at each moment
    first, place = listing.page(Choice(), 4, known.get)
    known["new"] = word("new", 100)
    listing.put("new", 100)
    second, place = listing.page(Choice(), 4, known.get, place)
    third, last = listing.page(Choice(), 4, known.get, place)

    assert ids(first + second + third) == [f"run-{n}" for n in reversed(range(10))]
    assert last is None


def test_a_run_that_began_earlier_than_was_thought_is_listed_once() -> None:
    """An accepted trigger is listed by its acceptance, then by what the workers say; forgotten, it is not listed."""
    listing, known = listed(word("a", 5), word("b", 6))
    listing.put("b", 4)

    assert ids(listing.page(Choice(), 9, known.get)[0]) == ["a", "b"]
    listing.drop("a")
    assert ids(listing.page(Choice(), 9, known.get)[0]) == ["b"]


def test_filters_are_combined() -> None:
    """State, workflow and the time of the beginning: from `since` on, before `until`."""
    listing, known = listed(word("a", 1, RunState.QUEUED), word("b", 2, RunState.FAILED), word("c", 3, workflow="2"),
                            word("d", 4), word("e", 5))

    def page(**choice: Any) -> list[str]:
        return ids(listing.page(Choice(**choice), 9, known.get)[0])

    assert page(states={RunState.QUEUED, RunState.FAILED}) == ["b", "a"]
    assert page(workflow="2") == ["c"]
    assert page(since=2.0, until=4.0) == ["c", "b"]
    assert page(states={RunState.SENDING}, since=2.0, until=5.0, workflow="1") == ["d"]


def test_a_page_of_a_hundred_thousand_runs_looks_at_no_more_than_it_must() -> None:
    """Without a filter as many as are on the page; with one, none before the rarest is found is decoded."""
    looked = 0
    listing, known = listed(*(word(f"run-{n}", n) for n in range(100_000)), word("rare", -1, RunState.REFUSED))

    def known_word(run: str) -> Word | None:
        nonlocal looked
        looked += 1
        return known.get(run)

    listing.page(Choice(), 50, known_word, RunPlace(50_000, ""))
    assert looked == 51
    # The raw bytes here are no JSON at all: whoever decoded them would fail.
    assert ids(listing.page(Choice(states={RunState.REFUSED}), 50, known_word)[0]) == ["rare"]


@pytest.mark.parametrize("cursor", ["", "x", "%%%", "é", "bm8", "bmFuOnJ1bg", "bG9nOi0x",
                                    "bG9nOjk5OTk5OTk5OTk5OTk5OTk5OTk5OQ"])
def test_what_is_no_cursor_is_refused_as_such(cursor: str) -> None:
    """Not base64, not a place, not a number, below zero, beyond what a log can have: all the same refusal."""
    for kind in (RunPlace, RecipientPlace):
        with pytest.raises(RequestValidationError):
            kind.at(cursor)


def test_cursors_say_their_place_again() -> None:
    """To the last bit of a time, for any run id."""
    for place in (RunPlace(1_767_225_600.123456, "a:b"), RunPlace(0.1 + 0.2, "ü")):
        assert RunPlace.at(place.cursor) == place
    assert RecipientPlace.at(RecipientPlace("log", 10**17).cursor) == RecipientPlace("log", 10**17)


async def test_runs_are_filtered_and_paged_over_http(client: httpx.AsyncClient, kafka_topics: str) -> None:
    """Newest first, page by page, by state, workflow and time; a cursor or a state that is none is 422."""
    workflow = f"w-{uuid4()}"
    runs = [status(str(uuid4()), state, workflow=workflow, began=f"2026-01-0{day}T00:00:00Z") for day, state in (
        (1, RunState.COMPLETED), (2, RunState.SENDING), (3, RunState.FAILED), (4, RunState.COMPLETED))]
    await say(kafka_topics, *runs)

    async def page(**asked: Any) -> tuple[list[int], str | None]:
        answer = (await client.get("/api/v1/runs", params={"workflow": workflow} | asked)).json()
        return [int(run["states"]["QUEUED"][9]) for run in answer["runs"]], answer["next"]

    async with asyncio.timeout(15):
        while len((await page())[0]) < 4:
            await asyncio.sleep(0.05)
    first, cursor = await page(limit=3)
    second, last = await page(limit=3, cursor=cursor)

    assert (first, second, last) == ([4, 3, 2], [1], None)
    assert await page(state=["FAILED", "SENDING"]) == ([3, 2], None)
    assert await page(since="2026-01-02T00:00:00Z", until="2026-01-04T00:00:00Z") == ([3, 2], None)
    assert await page(workflow="nobody's") == ([], None)
    refused = [await client.get("/api/v1/runs", params=bad) for bad in (
        {"cursor": "nonsense"}, {"state": "DONE"}, {"since": "yesterday"}, {"limit": 0}, {"limit": 5_000})]
    assert [answer.status_code for answer in refused] == [422] * 5
    assert refused[0].json()["detail"][0]["loc"] == ["query", "cursor"]
