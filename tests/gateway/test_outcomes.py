"""What came of a run in all: counted exactly, read a bit further at each asking."""

import asyncio
from collections import Counter
from itertools import pairwise
from typing import Any
from uuid import uuid4

import httpx
import pytest

from outreach_stream.domain.states import RecipientStatus
from outreach_stream.gateway.runs import outcomes, outcomes_kept, results
from outreach_stream.gateway.runs.outcomes import BUCKETS, GROUPS, OTHERS, WIDTHS, Outcomes, Tallied, Timeline
from outreach_stream.gateway.runs.outcomes_kept import KeptOutcomes
from outreach_stream.gateway.runs.results import Found, Scans
from tests.gateway.reading import going
from tests.gateway.records import publish, result, say, status

SENT, FAILED, DOUBT = RecipientStatus.SENT, RecipientStatus.FAILED, RecipientStatus.IN_DOUBT
START = 1_767_225_600.0


def tallied(*told: tuple[int, RecipientStatus, str | None], at: float = START) -> Outcomes:
    fold = Tallied("run")
    fold.take([Found(offset, result("run", number, end, reason=reason, at=at + offset).encode())
               for offset, (number, end, reason) in enumerate(told)])
    return fold.outcomes(complete=True)


def groups(found: Outcomes) -> list[tuple[str, str | None, int]]:
    return [(group.status.value, group.reason, group.count) for group in found.groups]


def test_failures_are_grouped_by_the_code_before_the_providers_words() -> None:
    """The largest group first, each with one of its recipients; those that were sent are one, too."""
    found = tallied((0, SENT, None), (1, FAILED, "smtp-550: no such user here"), (2, FAILED, "smtp-550: unknown"),
                    (3, FAILED, "no-mx"), (1_500, FAILED, "smtp-550"))

    assert groups(found) == [("failed", "smtp-550", 3), ("sent", None, 1), ("failed", "no-mx", 1)]
    assert [group.example_send_id for group in found.groups] == ["run:0:1", "run:0:0", "run:0:3"]


def test_each_recipient_is_counted_once_under_its_strongest_word() -> None:
    """However often and in whatever order it is told: the groups are exact."""
    found = tallied((0, FAILED, "a"), (0, SENT, None), (0, FAILED, "b"), (1, SENT, None), (1, SENT, None),
                    (2, DOUBT, "timeout"), (3, FAILED, "a"))

    assert groups(found) == [("sent", None, 2), ("failed", "a", 1), ("in_doubt", "timeout", 1)]
    assert sum(point.failed + point.sent + point.in_doubt for point in found.timeline) == 4


def test_what_is_no_result_is_passed_over() -> None:
    """Foreign bytes, and results of another run, count nobody; an odd time keeps nobody from being counted."""
    fold = Tallied("run")
    odd = result("run", 1).model_copy(update={"finished_at": "0001-01-01T00:00:00Z"})
    fold.take([Found(0, b"{"), Found(1, result("other", 0).encode()), Found(2, odd.encode())])

    found = fold.outcomes(complete=False)
    assert (groups(found), found.timeline, found.complete) == ([("sent", None, 1)], [], False)


def test_reasons_without_end_do_not_fill_the_memory() -> None:
    """Beyond so many, each status has one more group for all others."""
    found = tallied(*((n, FAILED if n % 2 else DOUBT, f"reason-{n}") for n in range(GROUPS + 100)))

    others = {group.status: group.count for group in found.groups if group.reason == OTHERS}
    assert others == {FAILED: 50, DOUBT: 50}
    assert sum(group.count for group in found.groups) == GROUPS + 100
    assert len(found.groups) == GROUPS + 2


@pytest.mark.parametrize("seconds", [1, 119, 121, 5_000, 86_400, 14 * 86_400, 3 * 365 * 86_400])
def test_the_chart_has_at_most_so_many_points_and_loses_nobody(seconds: int) -> None:
    """A second each at first; whatever comes later, or earlier, widens them; without gaps, all of one width."""
    timeline, rng = Timeline(), range(0, seconds * 7, max(1, seconds * 7 // 1_000))
    for at in rng:
        timeline.add(SENT if at % 3 else FAILED, START + (at * 5 % (seconds * 7)) / 7)

    points = timeline.points()
    moments = [outcomes._seconds(point.at) or 0.0 for point in points]
    assert len(points) <= BUCKETS
    assert sum(point.sent + point.failed for point in points) == len(rng)
    assert {round(later - earlier) for earlier, later in pairwise(moments)} <= {
        points[0].seconds}
    assert moments[0] <= START < moments[0] + points[0].seconds


def test_widths_are_multiples_of_one_another() -> None:
    """Else a point's mails would have to be split when points become wider."""
    assert all(wider % narrow == 0 for narrow, wider in pairwise(WIDTHS))


async def asked(client: httpx.AsyncClient, run: str) -> dict[str, Any]:
    answer = await client.get(f"/api/v1/runs/{run}/outcomes")
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


async def test_outcomes_are_read_on_from_where_they_were(
        client: httpx.AsyncClient, kafka_topics: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each request reads so much, until it is complete; what comes later is read by the next one."""
    monkeypatch.setattr(results, "RECORDS", 100)
    monkeypatch.setattr(results, "_BATCH", 100)
    run = await going(client, kafka_topics)
    ends = [(FAILED, "no-mx: x")] + [(SENT, None)] * 4
    await publish(kafka_topics, [result(run, n, ends[n % 5][0], reason=ends[n % 5][1], at=START + n // 100)
                                 for n in range(500)], run)
    counts = []
    while not counts or not counts[-1][1]:
        found = await asked(client, run)
        counts.append((sum(group["count"] for group in found["groups"]), found["complete"]))
    await publish(kafka_topics, [result(run, 0, SENT, at=START + 9)], run)
    later = await asked(client, run)

    assert len(counts) > 2
    assert counts == sorted(counts)
    assert counts[-1] == (500, True)
    assert {(group["status"], group["reason"]): group["count"] for group in later["groups"]} == {
        ("sent", None): 401, ("failed", "no-mx"): 99}
    assert [(point["at"], point["sent"], point["failed"]) for point in later["timeline"]] == [
        (f"2026-01-01T00:00:0{second}.000Z", 80, 20) for second in range(5)]
    assert later["complete"]


async def test_those_who_ask_at_the_same_time_share_one_reading(client: httpx.AsyncClient, kafka_topics: str) -> None:
    """A page open in fifty browsers is read once, and counts nobody twice."""
    run = await going(client, kafka_topics)
    await publish(kafka_topics, [result(run, n) for n in range(300)], run)

    answers = await asyncio.gather(*(asked(client, run) for _ in range(50)))

    assert Counter(sum(group["count"] for group in answer["groups"]) for answer in answers) == {300: 50}


async def test_folds_are_few_and_are_dropped_when_nobody_asks(
        kafka_topics: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those that were asked for longest ago go first, and all of them in the end: the next one begins anew."""
    monkeypatch.setattr(outcomes_kept, "KEPT", 2)
    kept = KeptOutcomes(Scans(kafka_topics))
    runs = [status(str(uuid4()), began="2999-01-01T00:00:00Z") for _ in range(3)]
    for run in runs:
        await kept.ask(run)

    assert list(kept._kept) == [run.run_id for run in runs[1:]]
    monkeypatch.setattr(outcomes_kept, "IDLE_SECONDS", 0.1)
    for run in runs[1:]:
        await kept.ask(run)
    async with asyncio.timeout(5):
        while kept._kept:
            await asyncio.sleep(0.05)
    assert (await kept.ask(runs[0])).complete


async def test_nobodys_outcomes_are_404(client: httpx.AsyncClient, kafka_topics: str) -> None:
    """A run that is unknown has none; one of which nothing has come yet has no groups."""
    run = await going(client, kafka_topics)
    await say(kafka_topics, status(str(uuid4())))

    assert await asked(client, run) == {"groups": [], "timeline": [], "complete": True}
    assert (await client.get(f"/api/v1/runs/{uuid4()}/outcomes")).status_code == 404
