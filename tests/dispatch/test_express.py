"""Express runs: determined by what was frozen at admission."""

import pytest

from outreach_stream.dispatch.express import plan_express
from outreach_stream.dispatch.planning import LONGEST_ERROR
from outreach_stream.dispatch.ports import CannotPlan
from outreach_stream.domain.events import RunRequested, SendRequested
from outreach_stream.domain.identity import lane_of
from outreach_stream.domain.triggers import InlineRecipient


class Materials:
    """Everybody gets the mail but those with an address that has no @; `missing` are sentences."""

    def __init__(self, missing=(), error: str | None = None, *, retriable: bool = False) -> None:
        self._missing, self._error, self._retriable, self.columns = list(missing), error, retriable, None

    async def gather(self, run, patience=0):
        if self._error:
            raise CannotPlan(self._error, retriable=self._retriable)
        return self

    def missing(self, columns) -> list[str]:
        self.columns = list(columns)
        return self._missing

    async def decide(self, recipients) -> list:
        return [(r.email, r.name or "", r.variables) if "@" in r.email else (r.email, "invalid") for r in recipients]


def run_of(*recipients: InlineRecipient) -> RunRequested:
    return RunRequested(
        run_id="run", trigger_id="t", source="s", workflow_id="w", workflow_name="W", workflow_version="1",
        template_id="t", template_version="1", spec="digest", engine="relay", lanes=[3, 4, 5], priority="express",
        body="b", triggered_at=0, admitted_at=0, deadline=60, recipients=list(recipients),
        parameters={"season": "spring"})


PEOPLE = [InlineRecipient(email="a@x.org", name="A", code=1), InlineRecipient(email="nowhere"),
          InlineRecipient(email="c@x.org", season="autumn")]


async def test_every_recipient_has_a_request_at_its_place() -> None:
    """Those not to be mailed too, with the reason, so that the run's total is the length of its list."""
    report, requests = await plan_express(run_of(*PEOPLE), Materials(), lambda: 7.0)

    sent = {r.index: r for values in requests.values() for r in map(SendRequested.model_validate_json, values)}
    assert (report.total, report.skipped, report.chunks, report.error) == (3, 0, [], None)
    assert [sent[i].email for i in range(3)] == ["a@x.org", "nowhere", "c@x.org"]
    assert [sent[i].skip for i in range(3)] == [None, "invalid", None]
    assert sent[0].variables == {"season": "spring", "code": 1}
    assert sent[2].variables == {"season": "autumn"}
    for lane, values in requests.items():
        for request in map(SendRequested.model_validate_json, values):
            assert lane_of("run", 0, request.index, [3, 4, 5]) == lane


async def test_planned_again_it_is_the_same() -> None:
    """A planner that died in between repeats the very same requests."""
    _, first = await plan_express(run_of(*PEOPLE), Materials(), lambda: 7.0)
    _, again = await plan_express(run_of(*PEOPLE), Materials(), lambda: 9.0)

    assert first == again


async def test_a_variable_that_nobody_brings_fails_the_run() -> None:
    """Nothing is requested, and the report says what is missing."""
    materials = Materials(missing=["variable 'city' …"])
    report, requests = await plan_express(run_of(*PEOPLE), materials, lambda: 7.0)

    assert "city" in report.error
    assert requests == {}
    assert materials.columns == ["code", "season"]


async def test_a_broken_template_fails_the_run() -> None:
    """What the material says is the report's error."""
    report, requests = await plan_express(run_of(*PEOPLE), Materials(error="template t, text: line 1: …"), lambda: 7.0)

    assert report.error.startswith("template t")
    assert requests == {}


async def test_what_may_succeed_soon_is_no_failure_of_the_run() -> None:
    """A database that starts again: whoever plans tries again."""
    with pytest.raises(CannotPlan, match="away"):
        await plan_express(run_of(*PEOPLE), Materials(error="the database is away", retriable=True), lambda: 7.0)


async def test_a_report_is_bounded() -> None:
    """It may name hundreds of variables, each with all columns."""
    report, _ = await plan_express(run_of(*PEOPLE), Materials(error="x" * 1_000_000), lambda: 7.0)

    assert report.error == "x" * LONGEST_ERROR
