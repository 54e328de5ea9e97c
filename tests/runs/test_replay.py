"""Replays: who of an earlier run is mailed again, and when nobody is."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outreach_stream.domain.events import ReplayRequested, RunPlanReported, RunRefused, RunRequested
from outreach_stream.domain.marks import Mark, Marks
from outreach_stream.domain.states import RecipientStatus
from outreach_stream.runs import replay
from outreach_stream.runs.record import RunRecord
from outreach_stream.runs.replay import CHUNKS_KEPT, replayed
from outreach_stream.runs.tally import Tally

NOW = 1_790_000_000.0
CHILD = "00000000-0000-5000-8000-000000000001"


def tally(*marks):
    """The tally of a chunk in which recipient i has these marks."""
    made = Tally()
    for index, those in enumerate(marks):
        for mark in those:
            made.marks.set(mark, index)
    return made


@pytest.fixture
def asked(requested):
    """Makes a request for a replay of the run that `earlier` makes."""
    def make(*statuses, own_parameters=False, **fields):
        replay = {"run_id": requested().run_id, "statuses": statuses, "accept_duplicates": True}
        child = requested(run_id=CHILD, replay=replay, **{"parameters": {"colour": "red"}, **fields})
        return ReplayRequested(run_id=requested().run_id, request=child, own_parameters=own_parameters)
    return make


@pytest.fixture
def earlier(requested):
    """Makes the record of a run that has ended."""
    def make(chunks=(7, 9), *, total=3, **fields):
        record = RunRecord()
        record.apply(requested(**fields))
        record.apply(RunPlanReported(run_id=requested().run_id, total=total, chunks=list(chunks), at=NOW + 5))
        record.end(NOW + 9, cancelled=False)
        return record
    return make


def test_those_with_such_an_end_are_named_by_chunk_and_place(asked, earlier):
    """Everybody is chosen by the end that is believed; chunks without anybody are left out."""
    tallies = [(0, tally([Mark.SENT], [Mark.FAILED], [Mark.FAILED, Mark.SENT], [Mark.IN_DOUBT])),
               (1, tally([Mark.SENT])), (2, tally([], [Mark.EXPIRED, Mark.MOVED, Mark.DOUBTED], [Mark.SKIPPED]))]
    child = replayed(asked("failed", "expired", "in_doubt"), earlier((70, 80, 90)), tallies, NOW + 60)

    assert isinstance(child, RunRequested)
    assert child.run_id == CHILD
    assert child.recipients is None
    assert [(it.offset, it.chunk, int(it.indexes, 16), int(it.doubted, 16)) for it in child.chunks] == [
        (70, 0, 0b1010, 0b1000), (90, 2, 0b10, 0b10)]


STATUSES = st.sets(st.sampled_from(["failed", "expired", "in_doubt", "cancelled"]))


@given(st.lists(st.integers(0, 255), max_size=40), STATUSES)
def test_nobody_is_chosen_but_by_the_end_that_the_marks_believe(bits, statuses):
    """For any marks, each recipient is chosen as `Marks.end` says, and doubted if it may have been mailed."""
    marks = Marks()
    for index, those in enumerate(bits):
        for mark in Mark:
            if those >> mark & 1:
                marks.set(mark, index)
    chosen, doubted = replay._choose(marks, statuses)

    for index in range(len(bits)):
        end = marks.end(index)
        assert chosen >> index & 1 == (end in statuses)
        assert doubted >> index & 1 == (end in statuses and (
            end is RecipientStatus.IN_DOUBT or marks.has(Mark.DOUBTED, index)))


def test_of_an_express_run_the_recipients_themselves_are_named(asked, earlier):
    """It has no chunks: they came with its trigger, in the order of their places."""
    people = [{"email": f"p{i}@example.org", "vip": i} for i in range(4)]
    record = earlier((), priority="express", recipients=people)
    ends = tally([Mark.FAILED], [Mark.SENT], [Mark.IN_DOUBT], [Mark.SKIPPED])
    child = replayed(asked("in_doubt", "failed"), record, [(0, ends)], NOW + 60)

    assert isinstance(child, RunRequested)
    assert [(it.email, it.variables) for it in child.recipients or ()] == [
        ("p0@example.org", {"vip": 0}), ("p2@example.org", {"vip": 2})]
    assert (child.doubted, child.chunks, child.priority) == ([1], [], "bulk")


def test_parameters_are_the_earlier_runs_unless_the_replay_brings_its_own(asked, earlier):
    """Without any, the mails say what they would have said; defaults of new parameters stay beneath."""
    failed = [(0, tally([Mark.FAILED]))]
    record = earlier(parameters={"code": "x"})
    taken = replayed(asked("failed"), record, failed, NOW + 60)
    own = replayed(asked("failed", own_parameters=True), record, failed, NOW + 60)

    assert isinstance(taken, RunRequested)
    assert isinstance(own, RunRequested)
    assert (taken.parameters, own.parameters) == ({"colour": "red", "code": "x"}, {"colour": "red"})


@pytest.mark.parametrize(("change", "reason"), [
    ({"record": RunRecord()}, "no run with the id"),
    ({"asked": {"workflow_id": "8"}}, "is of workflow 7"),
    ({"ends": tally([Mark.SENT], [Mark.SKIPPED])}, "nobody of run"),
    ({"now": NOW + 6 + CHUNKS_KEPT}, "kept for 21 days"),
    ({"asked": {"parameters": {"large": "x" * 400_000}}}, "fewer statuses"),
    ({"earlier": {"priority": "express", "chunks": ()}}, "not kept any more"),
])
def test_what_cannot_be_replayed_is_refused_and_says_what_to_do(asked, earlier, change, reason):
    """The new run is refused, under its own id, whatever stands in the way."""
    record = change.get("record") or earlier(**change.get("earlier", {}))
    ends = change.get("ends", tally([Mark.FAILED]))
    child = replayed(asked("failed", **change.get("asked", {})), record, [(0, ends)], change.get("now", NOW + 60))

    assert isinstance(child, RunRefused)
    assert child.run_id == CHILD
    assert reason in child.reason


def test_a_run_that_goes_on_is_not_replayed(asked, requested):
    """Nor one that is still to be planned: its recipients have no ends yet."""
    record = RunRecord()
    record.apply(requested())
    child = replayed(asked("failed"), record, [], NOW + 60)

    assert isinstance(child, RunRefused)
    assert "has not ended, it is QUEUED" in child.reason


def test_too_many_chunks_for_one_request_are_noticed_early(asked, earlier):
    """A run of thirty million is not gone through to its end to find that its chunks fit into no record."""
    read = []

    def tallies():
        for chunk in range(30_000):
            read.append(chunk)
            yield chunk, tally(*[[Mark.FAILED]] * 1024)

    child = replayed(asked("failed"), earlier(range(30_000)), tallies(), NOW + 60)
    assert isinstance(child, RunRefused)
    assert "fewer statuses" in child.reason
    assert len(read) < 1_500
