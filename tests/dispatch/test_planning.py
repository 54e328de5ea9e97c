"""Planning: a plan, or the reason why there is none; never an exception for what a run can do."""

import contextlib
from datetime import UTC, datetime, time
from zoneinfo import ZoneInfo

import pytest

from outreach_stream.dispatch import planning
from outreach_stream.dispatch.planning import LARGEST_PARAMETERS, RETRY_PAUSES, Planner
from outreach_stream.dispatch.ports import CannotPlan, People
from outreach_stream.domain.events import RunChunk, RunPlanned, RunRequested
from outreach_stream.domain.message import OutgoingMessage
from outreach_stream.domain.policy import Policy, Route
from outreach_stream.domain.ports import Unrenderable
from outreach_stream.scheduling.local import LocalTimes
from tests.messages import raw

NOW = 1_000.0


class Material:
    """A run's material as a script: pages, what is missing, whose mail cannot be made, what fails."""

    def __init__(self, pages=(), *, missing=(), unrenderable=(), failing=None, columns=("x",), local=None) -> None:
        self.pages_, self.missing_, self.unrenderable, self.failing, self.columns, self.local = (
            pages, list(missing), unrenderable, failing, columns, local)
        self.policy = Policy()
        self.composer, self.composed = self, []

    def missing(self, columns) -> list[str]:
        return self.missing_

    def local_times(self) -> LocalTimes | None:
        return self.local

    def compose(self, request, now) -> OutgoingMessage:
        self.composed.append(request)
        if request.email in self.unrenderable:
            raise Unrenderable("template welcome, text: line 3: reads 'city', which is not defined")
        return raw("<id@x>", "s@x.org", request.email)

    @contextlib.asynccontextmanager
    async def people(self):
        async def pages():
            for page in self.pages_:
                yield page
            if self.failing:
                raise self.failing
        yield People(self.columns, pages())


class Store:
    """Chunks in memory."""

    def __init__(self) -> None:
        self.chunks: list[bytes] = []

    async def append(self, chunk: bytes) -> int:
        self.chunks.append(chunk)
        return len(self.chunks) + 99


def run_of(**changes) -> RunRequested:
    """A run of engine relay, due in an hour."""
    return RunRequested(**{
        "run_id": "run", "trigger_id": "t", "source": "s", "workflow_id": "w", "workflow_name": "W",
        "workflow_version": "1", "template_id": "t", "template_version": "1", "spec": "digest", "engine": "relay",
        "lanes": [0, 1], "priority": "bulk", "body": "b", "triggered_at": NOW, "admitted_at": NOW,
        "deadline": NOW + 3_600, **changes})


async def plan(material: Material, *, rate=200.0, clock=lambda: NOW, **changes) -> tuple[RunPlanned, Store]:
    """Plan a run made of `material`; engines other than relay do not exist."""
    class Materials:
        async def gather(self, run, patience=0):
            return material

    def rate_of(engine: str) -> float | None:
        if engine != "relay":
            raise LookupError("no engine has the id 'gone'; there are: relay")
        return rate

    async def no_sleep(_: float) -> None:
        slept.append(_)

    slept: list[float] = []
    store = Store()
    planner = Planner(Materials(), lambda _: store, rate_of, clock)
    planned = await planner.plan(run_of(**changes), no_sleep)
    material.slept = slept
    return planned, store


def people(count: int, start: int = 0) -> list:
    return [(f"p{n}@x.org", "", {"x": n}) for n in range(start, start + count)]


async def test_a_plan_names_its_chunks_and_counts() -> None:
    """1,500 recipients and two left out, over several pages: two chunks, named by their offsets."""
    planned, store = await plan(Material([people(1_000), [("bad", "invalid"), ("p1@x.org", "duplicate")],
                                          people(500, 1_000)]), parameters={"season": "spring"})

    chunks = [RunChunk.model_validate_json(chunk) for chunk in store.chunks]
    assert (planned.total, planned.skipped, planned.chunks, planned.error) == (1_500, 2, [100, 101], None)
    assert [row[2] for chunk in chunks for row in chunk.rows] == list(range(1_500))
    assert {chunk.plan_id for chunk in chunks} == {planned.plan_id}
    assert planned.parameters == {"season": "spring"}


async def test_a_plan_knows_what_to_do_when_its_engine_stops() -> None:
    """The workflow's policy, and the engines behind the run's own, in their order."""
    material = Material([people(5)])
    material.policy = Policy(on_engine_stopped="failover", routes=[
        Route("first", [0]), Route("relay", [1]), Route("backup", [2]), Route("last", [3])])

    planned, _ = await plan(material)

    assert (planned.on_engine_stopped, planned.failover) == ("failover", ["backup", "last"])


async def test_a_cancelled_run_has_a_plan_that_says_so() -> None:
    """Nobody, no chunks, and no error: nothing went wrong."""
    planned = Planner(None, None, None, lambda: NOW).cancelled(run_of())

    assert (planned.cancelled, planned.total, planned.chunks, planned.error) == (True, 0, [], None)


async def test_the_doubted_stand_in_the_chunk() -> None:
    """A replayed recipient who may have been mailed keeps that doubt; those left out do not count as recipients."""
    page = [*people(2), ("bad", "suppressed"), ("d@x.org", "", {"x": 7}, True)]
    _, store = await plan(Material([page]))

    [chunk] = [RunChunk.model_validate_json(chunk) for chunk in store.chunks]
    assert (chunk.doubted, chunk.rows[2][0], len(chunk.rows)) == ([2], "d@x.org", 3)


async def test_a_missing_variable_is_named_with_its_template() -> None:
    """Nothing is written when the query does not bring what the template reads."""
    planned, store = await plan(Material([people(5)], missing=["variable 'city' (in text of template welcome) is …"]))

    assert "city" in planned.error
    assert "welcome" in planned.error
    assert (planned.total, planned.chunks, store.chunks) == (0, [], [])


async def test_the_first_hundred_are_rendered() -> None:
    """A mail among the first 100 that cannot be made fails the run, and names template, part and variable."""
    planned, _ = await plan(Material([people(60), people(60, 60)], unrenderable={"p99@x.org"}))

    assert "template welcome, text" in planned.error
    assert "city" in planned.error
    assert planned.chunks == []


async def test_only_the_first_hundred_are_rendered() -> None:
    """What fails later fails for its recipient alone; the first hundred are tried with parameters and row."""
    material = Material([[("bad", "invalid")], people(500)], unrenderable={"p100@x.org"})

    planned, _ = await plan(material, parameters={"season": "spring", "x": "hidden"})

    assert (planned.error, planned.total, len(material.composed)) == (None, 500, 100)
    assert material.composed[7].variables == {"season": "spring", "x": 7}


async def test_a_query_that_fails_midway_leaves_no_plan() -> None:
    """An error of the database after some pages is the plan's error; chunks written before are named by nobody."""
    planned, store = await plan(Material([people(3_000)], failing=CannotPlan("column holds bytes: CAST it to text")))

    assert "CAST" in planned.error
    assert planned.chunks == []
    assert len(store.chunks) == 2


async def test_a_database_that_is_away_is_asked_again() -> None:
    """What may succeed soon is tried again with growing pauses, then given up with its reason."""
    material = Material([], failing=CannotPlan("the database cannot be reached", retriable=True))

    planned, _ = await plan(material)

    assert planned.error == "the database cannot be reached"
    assert material.slept == list(RETRY_PAUSES)


@pytest.mark.parametrize("pages", [[], [[]]])
async def test_nobody_to_mail_is_a_plan_of_zero(pages) -> None:
    """An empty query is no error: the run completes at once."""
    planned, store = await plan(Material(pages))

    assert (planned.total, planned.skipped, planned.chunks, planned.error) == (0, 0, [], None)
    assert store.chunks == []


async def test_everybody_left_out_is_a_plan_of_zero_with_reasons() -> None:
    """Those left out stand in a chunk, for the log."""
    planned, store = await plan(Material([[("bad", "invalid")]]))

    assert (planned.total, planned.skipped, planned.chunks) == (0, 1, [100])
    assert RunChunk.model_validate_json(store.chunks[0]).skipped == [("bad", "invalid")]


async def test_a_run_whose_deadline_has_passed_is_not_planned() -> None:
    """Before the query, and while it runs."""
    before, _ = await plan(Material([people(5)]), deadline=NOW)
    moments = iter([NOW, NOW, NOW, NOW + 3_601, NOW + 3_602, NOW + 3_603])
    meanwhile, _ = await plan(Material([people(5), people(5, 5)]), clock=lambda: next(moments))

    assert "deadline" in before.error
    assert "deadline" in meanwhile.error


async def test_an_engine_that_does_not_exist() -> None:
    """A run of an engine that was taken out of the catalog says so."""
    planned, _ = await plan(Material([people(5)]), engine="gone")

    assert planned.error == "no engine has the id 'gone'; there are: relay"


async def test_parameters_too_large_to_be_repeated() -> None:
    """Parameters that would not fit into every request are refused before the query."""
    planned, _ = await plan(Material([people(5)]), parameters={"p": "x" * LARGEST_PARAMETERS})

    assert "parameters" in planned.error


async def test_a_plan_too_large_for_one_record(monkeypatch) -> None:
    """A run of more chunks than a plan can name says so instead of failing when the plan is written."""
    monkeypatch.setattr(planning, "MOST_CHUNKS", 2)

    planned, _ = await plan(Material([people(5_000)]))

    assert "split it" in planned.error


@pytest.mark.parametrize(("rate", "warned"), [(0.01, True), (200.0, False), (None, False)])
async def test_a_warning_when_the_rate_cannot_make_the_deadline(rate, warned) -> None:
    """100 recipients at 36 an hour do not get their mail within the hour."""
    planned, _ = await plan(Material([people(100)]), rate=rate)

    assert bool(planned.warning) == warned
    assert planned.error is None


async def test_a_plan_says_who_is_due_when() -> None:
    """A chunk for each moment, the earliest first; and a warning of who goes by the default zone or is due too late."""
    local = LocalTimes(time(9), ZoneInfo("UTC"), datetime.fromtimestamp(NOW, UTC))
    zones = {"Asia/Tokyo": 300, "America/New_York": 20, "Europe/Berlin": 1_500, "Mars/Base": 1}
    page = [(f"{zone}{n}@x.org", "", {"timezone": zone}) for zone, count in zones.items() for n in range(count)]
    planned, store = await plan(Material([page, [("bad", "invalid")]], columns=["timezone"], local=local),
                                deadline=NOW + 12 * 3_600)
    chunks = [RunChunk.model_validate_json(chunk) for chunk in store.chunks]

    assert [(group.recipients, {row[2] for number in group.chunks for row in chunks[number].rows})
            for group in planned.due] == [
        (0, set()), (1_500, {"Europe/Berlin"}), (1, {"Mars/Base"}), (20, {"America/New_York"}), (300, {"Asia/Tokyo"})]
    assert [group.at for group in planned.due] == [0.0, *(hour * 3_600.0 for hour in (8, 9, 14, 24))]
    assert (planned.total, planned.skipped, planned.chunks) == (1_821, 1, [*range(100, 100 + len(chunks))])
    assert planned.warning == (
        "1 bring a timezone that is not known, such as 'Mars/Base': they go by the clock of UTC; "
        "320 recipients become due after the deadline, and will expire")
