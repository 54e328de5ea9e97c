"""Which triggers become which runs, and which are refused."""

import json

import pytest
from pydantic import ValidationError

from outreach_stream.catalog.memory import MemoryCatalog
from outreach_stream.catalog.models import Template, Workflow
from outreach_stream.catalog.snapshot import CatalogErrors, CatalogProblem
from outreach_stream.domain.events import ReplayRequested, RunRefused, RunRequested
from outreach_stream.domain.triggers import WorkflowTriggered
from outreach_stream.engines.registry import engine_from
from outreach_stream.runs.admission import Arrival, admit

NOW = 1_790_000_000.0
DAY = 86_400.0


def workflow(id_, **fields):
    return Workflow.model_validate({"id": id_, "name": "Spring", "template": "spring", "engines": ["relay"],
                                    "from": "shop@example.org", **fields})


@pytest.fixture
def catalog():
    return MemoryCatalog(
        workflows=[workflow("1", recipients={"database": "sqlite:///p.db", "query": "SELECT email FROM p"},
                            parameters={"season": "spring", "code": {"required": True}}),
                   workflow("welcome"), workflow("at-nine", local_time="09:00"),
                   workflow("news", unsubscribe="newsletter")],
        templates=[Template(id="spring", subject="Hello", text="Hello")],
        engines=[engine_from({"id": "relay", "kind": "smtp", "host": "localhost", "security": "none", "lanes": 3})],
    ).load()


def decide(catalog, place="workflow.triggered:0:9", now=NOW, unsubscribing=False, **trigger):
    trigger = {"workflow_id": 1, "parameters": {"code": "x"}, **trigger}
    arrival = Arrival(trigger_id=trigger.get("trigger_id") or place, sent_at=now - 2, now=now, lanes=8,
                      longest_run=14 * DAY, unsubscribing=unsubscribing)
    return admit(WorkflowTriggered.model_validate_json(json.dumps(trigger)), catalog, arrival)


@pytest.mark.parametrize(("one", "other"), [
    ({"workflow_id": 1, "key": "k"}, {"workflow_id": "1", "key": "k"}),
    ({"slot": "2026-11-24T09:00:00Z"}, {"slot": "2026-11-24T09:00:00+00:00"}),
    ({"slot": "2026-11-24T09:00:00Z"}, {"slot": "2026-11-24T10:00:00+01:00", "source": "another ticker"}),
    ({"slot": "2026-11-24T09:00:00"}, {"slot": "2026-11-24T09:00:00Z"}),
    ({"key": "k"}, {"idempotency_key": "k", "trigger_id": "t-2"}),
    ({"trigger_id": "t-1"}, {"trigger_id": "t-1", "place": "workflow.triggered:3:1"}),
])
def test_spellings_of_one_occasion_are_one_run(catalog, one, other):
    """The same slot, key or trigger is the same run, however it is written and wherever it comes from."""
    assert decide(catalog, **one).event.run_id == decide(catalog, **other).event.run_id


def test_no_run_whose_mails_nobody_could_leave(catalog):
    """A workflow with a list is refused, with what to set, until links can be made."""
    asked = {"workflow_id": "news", "parameters": {}, "recipients": [{"email": "a@example.org"}]}

    refused = decide(catalog, **asked).event
    assert isinstance(refused, RunRefused)
    assert "set OUTREACH_PUBLIC_URL and OUTREACH_UNSUBSCRIBE_KEY" in refused.reason
    assert isinstance(decide(catalog, unsubscribing=True, **asked).event, RunRequested)


@pytest.mark.parametrize(("one", "other"), [
    ({"key": "k"}, {"key": "l"}),
    ({"key": "k"}, {"workflow_id": "welcome", "key": "k"}),
    ({"key": "2026-11-24T09:00:00Z"}, {"slot": "2026-11-24T09:00:00Z"}),
    ({}, {"place": "workflow.triggered:0:10"}),
])
def test_different_occasions_are_different_runs(catalog, one, other):
    """Another key, workflow or kind of occasion is another run; so is each trigger that names none."""
    assert decide(catalog, **one).event.run_id != decide(catalog, **other).event.run_id


def test_everything_is_frozen_at_admission(catalog):
    """The request says all that later steps need, so that a changed catalog does not touch it."""
    admission = decide(catalog, key="k", source="crm", triggered_at="2026-09-21T13:33:20Z")
    run = admission.event

    assert isinstance(run, RunRequested)
    assert admission.spec is not None
    assert run.spec == admission.spec.digest
    assert (run.workflow_id, run.template_id, run.engine, len(run.lanes)) == ("1", "spring", "relay", 3)
    assert run.parameters == {"season": "spring", "code": "x"}
    assert run.deadline == run.triggered_at + DAY
    assert run.priority == "bulk"


@pytest.mark.parametrize(("people", "asked", "priority"), [
    (1, None, "express"), (50, None, "express"), (51, None, "bulk"), (1, "bulk", "bulk"), (51, "express", "bulk"),
])
def test_few_inline_recipients_go_express(catalog, people, asked, priority):
    """Fifty recipients at most go express; bulk may be asked for, express not by more."""
    recipients = [{"email": f"p{i}@example.org", "vip": True} for i in range(people)]
    event = decide(catalog, recipients=recipients, priority=asked).event

    assert isinstance(event, RunRequested)
    assert event.priority == priority
    assert event.recipients is not None
    assert event.recipients[0].variables == {"vip": True}


@pytest.mark.parametrize(("asked", "priority"), [(None, "bulk"), ("bulk", "bulk"), ("express", "express")])
def test_express_must_be_asked_for_where_people_are_mailed_at_their_time(catalog, asked, priority):
    """An express mail waits for no `local_time`: the few that come with a trigger are bulk unless it says express."""
    event = decide(catalog, workflow_id="at-nine", parameters={}, recipients=[{"email": "a@example.org"}],
                   priority=asked).event

    assert isinstance(event, RunRequested)
    assert event.priority == priority


@pytest.mark.parametrize(("trigger", "reason"), [
    ({"workflow_id": "nine"}, "no workflow has the id"),
    ({"workflow_id": "welcome", "parameters": {}}, "has no query"),
    ({"parameters": {}}, "missing parameters: code"),
    ({"parameters": {"code": 1, "colour": 2}}, "unknown parameters: colour"),
    ({"deadline": "2020-01-01T00:00:00Z"}, "has passed"),
    ({"triggered_at": "2020-01-01T00:00:00Z"}, "has passed"),
    ({"deadline": "2027-01-01T00:00:00Z"}, "more than 14 days away"),
    ({"parameters": {"code": "x" * 400_000}}, "too large"),
])
def test_refusals_say_what_is_wrong(catalog, trigger, reason):
    """A trigger that no run can come of is refused with its reason, under the id the run would have had."""
    admission = decide(catalog, **trigger)

    assert isinstance(admission.event, RunRefused)
    assert admission.spec is None
    assert reason in admission.event.reason


def test_a_broken_catalog_refuses_and_names_the_problem():
    """While the catalog cannot be used, triggers are refused, and the same key may be admitted later."""
    broken = CatalogErrors([CatalogProblem("workflows/1.yaml", "engines", "is missing")])
    event = decide(broken, key="k").event

    assert isinstance(event, RunRefused)
    assert "workflows/1.yaml: engines: is missing" in event.reason


def test_a_producer_whose_clock_is_ahead_gains_no_time(catalog):
    """The deadline counts from the trigger's arrival at the latest."""
    event = decide(catalog, triggered_at="2026-12-24T00:00:00Z").event

    assert isinstance(event, RunRequested)
    assert event.deadline == NOW + DAY


def test_the_body_tells_other_contents_but_not_other_senders(catalog):
    """Two triggers under one key have one body if they ask for the same, whoever sends them and when."""
    def body(**trigger):
        event = decide(catalog, key="k", **trigger).event
        assert isinstance(event, RunRequested)
        return event.body

    assert body() == body(source="elsewhere", trigger_id="t-9", triggered_at="2026-09-21T13:33:00Z")
    assert body(deadline="2026-09-22T00:00:00Z") == body(deadline="2026-09-22T02:00:00+02:00")
    assert len({body(), body(parameters={"code": "y"}), body(recipients=[]), body(priority="bulk")}) == 4


def test_a_slot_that_no_calendar_holds_is_an_error(catalog):
    """It is no trigger at all, so that the agent buries it with that reason."""
    with pytest.raises(ValidationError, match="between the years 1 and 9999"):
        decide(catalog, slot="0001-01-01T00:00:00+14:00")


REPLAY = {"run_id": "3f2b6c1e-8d0a-5c57-9a51-0d8c2f0f7a11", "statuses": ["failed"]}


def test_a_replay_is_told_to_the_run_that_it_is_of(catalog):
    """Its request has everything but the recipients, goes in bulk, and takes the earlier run's parameters over."""
    for trigger, own in (({"parameters": {}}, False), ({}, True)):
        admission = decide(catalog, replay=REPLAY, priority="express", **trigger)
        event = admission.event
        assert isinstance(event, ReplayRequested)
        assert admission.spec is not None
        assert (event.run_id, event.own_parameters) == (REPLAY["run_id"], own)
        assert (event.request.priority, event.request.recipients) == ("bulk", None)
        assert event.request.parameters == {"season": "spring", **trigger.get("parameters", {"code": "x"})}
        assert event.request.replay is not None


def test_the_same_statuses_of_the_same_run_are_the_same_replay(catalog):
    """In whichever order; other statuses are another, and a slot or key of its own comes first."""
    def run(statuses, **trigger):
        event = decide(catalog, replay=REPLAY | {"statuses": statuses}, **trigger).event
        assert isinstance(event, ReplayRequested)
        return event.request.run_id

    assert run(["failed", "expired"]) == run(["expired", "failed", "failed"], place="elsewhere:1:2")
    assert len({run(["failed"]), run(["expired"]), run(["failed"], key="k"), run(["failed"], key="l")}) == 4


@pytest.mark.parametrize(("trigger", "reason"), [
    ({"replay": REPLAY | {"statuses": ["failed", "in_doubt"]}}, "accept duplicates"),
    ({"replay": REPLAY, "recipients": [{"email": "p@example.org"}]}, "leave out those of the trigger"),
    ({"replay": REPLAY, "parameters": {"season": "x"}}, "missing parameters: code"),
    ({"replay": REPLAY, "workflow_id": "nine"}, "no workflow has the id"),
])
def test_a_replay_that_cannot_be_meant_is_refused(catalog, trigger, reason):
    """Under its own id, before the earlier run is asked."""
    event = decide(catalog, **trigger).event

    assert isinstance(event, RunRefused)
    assert reason in event.reason


def test_a_replay_has_a_body_of_its_own(catalog):
    """Another choice under the same key is told from the first."""
    def body(**replay):
        event = decide(catalog, key="k", replay=REPLAY | replay).event
        assert isinstance(event, ReplayRequested)
        return event.request.body

    doubted = body(statuses=["failed", "in_doubt"], accept_duplicates=True)
    assert doubted == body(statuses=["in_doubt", "failed"], accept_duplicates=True)
    assert len({doubted, body(), body(run_id="other"), body(accept_duplicates=True)}) == 4
