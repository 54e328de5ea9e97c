"""The facts of a run and the state that follows from them."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from outreach_stream.domain.events import RunInitializing, RunLogged, RunPlanReported, RunRefused
from outreach_stream.domain.states import RunState
from outreach_stream.runs.record import ANOTHER_BODY, RunRecord

NOW = 1_790_000_000.0


def planned(run_id, at=NOW + 5, **fields):
    return RunPlanReported(run_id=run_id, total=3, at=at, **fields)


def refused(run_id):
    return RunRefused(run_id=run_id, workflow_id="7", source="test", reason="no such workflow", at=NOW - 9)


def test_states_move_forward_and_keep_their_times(requested):
    """A run goes QUEUED, INITIALIZING, SENDING, COMPLETED, and says when it entered each."""
    record, run = RunRecord(), requested()
    seen = []
    for event in (run, RunInitializing(run_id=run.run_id, at=NOW + 2), planned(run.run_id)):
        record.apply(event)
        seen.append(record.state)
    record.end(NOW + 9, cancelled=False)

    assert seen == [RunState.QUEUED, RunState.INITIALIZING, RunState.SENDING]
    assert record.states == {"QUEUED": NOW, "INITIALIZING": NOW + 2, "SENDING": NOW + 5, "COMPLETED": NOW + 9}


def test_a_late_second_planner_does_not_move_a_run_back(requested):
    """A run that is planned twice stays SENDING, with the first plan."""
    record, run = RunRecord(), requested()
    for event in (run, planned(run.run_id), RunInitializing(run_id=run.run_id, at=NOW + 7),
                  planned(run.run_id, at=NOW + 8, skipped=9)):
        record.apply(event)

    assert record.state is RunState.SENDING
    assert record.plan == planned(run.run_id)
    assert RunState.INITIALIZING not in record.states


def test_nothing_follows_a_failed_plan(requested):
    """A run that cannot be planned is FAILED for good, and says why."""
    record, run = RunRecord(), requested()
    for event in (run, planned(run.run_id, error="no column `code`"), planned(run.run_id, at=NOW + 9)):
        record.apply(event)
    record.end(NOW + 10, cancelled=False)

    assert (record.state, record.reason) == (RunState.FAILED, "no column `code`")


def test_a_refused_trigger_may_be_admitted_later(requested):
    """A refusal is forgotten as soon as the same run is admitted, in whichever order copies are read."""
    record, run = RunRecord(), requested()
    record.apply(refused(run.run_id))
    before = record.state, record.reason
    record.apply(run)
    record.apply(refused(run.run_id))

    assert before == (RunState.REFUSED, "no such workflow")
    assert (record.state, record.reason) == (RunState.QUEUED, None)


def test_another_body_under_the_same_key_is_answered_with_the_first_run_and_said_so(requested):
    """The first request stays, and the run carries a warning, once."""
    record, first = RunRecord(), requested()
    for event in (first, first, requested(body="x" * 64), requested(body="y" * 64)):
        record.apply(event)

    assert record.request == first
    assert record.warnings == [ANOTHER_BODY]


def test_a_cancelled_run_says_so(requested):
    """A run of which recipients ended as cancelled ends as CANCELLED."""
    record, run = RunRecord(), requested()
    record.apply(run)
    record.apply(planned(run.run_id))
    record.end(NOW + 9, cancelled=True)

    assert record.state is RunState.CANCELLED
    assert not record.settled


@pytest.mark.parametrize("plan_first", [True, False])
def test_inline_recipients_are_dropped_once_there_is_a_plan(requested, plan_first):
    """The record of a planned run does not carry the recipients that came with its trigger."""
    record, run = RunRecord(), requested(recipients=[{"email": "ann@example.org"}])
    events = [planned(run.run_id), run] if plan_first else [run, planned(run.run_id)]
    for event in events:
        record.apply(event)

    assert record.request is not None
    assert record.request.recipients is None


def test_the_few_recipients_of_an_express_run_are_kept_for_its_replays(requested):
    """They are in no chunk, so the record is where a replay finds them."""
    record, run = RunRecord(), requested(priority="express", recipients=[{"email": "ann@example.org"}])
    for event in (run, planned(run.run_id)):
        record.apply(event)

    assert record.request == run


def test_what_a_replay_was_made_of_is_dropped_once_there_is_a_plan(requested):
    """Its own chunks say who gets the mail; what it replays is still known."""
    replay = {"run_id": "earlier", "statuses": ["failed"]}
    record, run = RunRecord(), requested(
        replay=replay, chunks=[{"offset": 7, "chunk": 0, "indexes": "3"}], recipients=[{"email": "a@b.c"}], doubted=[0])
    for event in (run, planned(run.run_id)):
        record.apply(event)

    assert record.request == requested(replay=replay)


def test_a_run_that_is_cancelled_before_its_plan_has_ended(requested):
    """It is CANCELLED with nobody mailed, and a plan that comes later does not revive it."""
    record, run = RunRecord(), requested()
    cancelled = planned(run.run_id).model_copy(update={"total": 0, "cancelled": True})
    for event in (run, cancelled, planned(run.run_id, at=NOW + 9)):
        record.apply(event)

    assert (record.state, record.reason) == (RunState.CANCELLED, "cancelled before it was planned")
    assert record.states == {"QUEUED": NOW, "CANCELLED": NOW + 5}
    assert not record.planned


@pytest.mark.parametrize(("plan", "reason"), [
    ({"at": NOW + 5}, "of 2 of its 3 recipients no end is known"),
    ({"at": NOW + 5, "error": "no such table"}, "no such table"),
    ({"at": NOW + 99}, "never planned before its deadline, 2026-09-22T14:13:20.000Z"),
    (None, "never planned before its deadline, 2026-09-22T14:13:20.000Z"),
])
def test_a_run_that_is_given_up_has_failed_and_says_how_far_it_came(requested, plan, reason):
    """Whatever comes later changes nothing of that, and what came earlier stands."""
    record, run = RunRecord(), requested()
    record.apply(run)
    record.give_up(NOW + 50, unknown=2)
    record.give_up(NOW + 60, unknown=1)
    if plan:
        record.apply(planned(run.run_id, **plan))
    record.end(NOW + 70, cancelled=False)

    assert record.state is RunState.FAILED
    assert reason in record.reason
    assert record.states["FAILED"] == (NOW + 5 if plan and "error" in plan else NOW + 50)
    assert ("SENDING" in record.states) == (plan == {"at": NOW + 5})


facts = st.one_of(
    st.tuples(st.just("plan"), st.integers(1, 3), st.sampled_from(["error", "cancelled", "total"])),
    st.tuples(st.just("end"), st.integers(1, 3), st.booleans()),
    st.tuples(st.just("give up"), st.integers(1, 3), st.integers(0, 2)),
    st.tuples(st.just("request"), st.integers(1, 3), st.just("b" * 64)),
    st.tuples(st.just("refuse"), st.integers(1, 3), st.none()),
)


def record_of(requested, told):
    record = RunRecord()
    for kind, at, what in told:
        match kind:
            case "plan":
                fields = {"error": "none"} if what == "error" else {"cancelled": what == "cancelled"}
                record.apply(planned("r", NOW + at, **fields))
            case "end":
                record.end(NOW + at, cancelled=what)
            case "give up":
                record.give_up(NOW + at, unknown=what)
            case "request":
                record.apply(requested(run_id="r", admitted_at=NOW + at))
            case _:
                record.apply(refused("r"))
    return record


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.lists(facts, max_size=5), min_size=3, max_size=3))
def test_copies_merge_in_any_order_and_grouping(requested, copies):
    """However three writers' facts are put together, and however often, the record is the same, and so is the end."""
    def merged(*records):
        first, *others = [record.model_copy(deep=True) for record in records]
        for other in others:
            first.merge(other)
        return first

    a, b, c = (record_of(requested, told) for told in copies)
    whole = merged(a, b, c)
    assert whole == merged(c, b, a)
    assert whole == merged(b, merged(a, c))
    assert whole == merged(whole, a, b)
    assert whole.ending == merged(c, a, b).ending


def test_copies_of_two_writers_merge_in_either_order(requested):
    """Each copy contributes what the other does not know, and the result does not depend on the order."""
    run = requested()
    ours, theirs = RunRecord(), RunRecord()
    for event in (run, RunInitializing(run_id=run.run_id, at=NOW + 2)):
        ours.apply(event)
    for event in (run, planned(run.run_id, warning="too slow"), RunLogged(run_id=run.run_id, log="a", at=NOW + 9)):
        theirs.apply(event)
    theirs.end(NOW + 8, cancelled=False)
    one, other = ours.model_copy(deep=True), theirs.model_copy(deep=True)
    one.merge(theirs)
    other.merge(ours)

    assert one == other
    assert (one.state, one.log, one.warnings) == (RunState.COMPLETED, "a", ["too slow"])
    assert RunRecord.model_validate_json(one.model_dump_json(exclude_none=True)) == one
