"""The book of a partition: any order, any repetition, any split among writers ends the same."""

import asyncio
from collections import Counter

import pytest

from outreach_stream.domain.control import Control, EngineFuse, RunOrder, Subject
from outreach_stream.domain.events import RunLogged, RunPlanReported, RunRefused
from outreach_stream.domain.states import RunState
from outreach_stream.runs.book import REMEMBERED_CHUNKS, Book
from outreach_stream.runs.results import read_result

NOW = 1_790_000_000.0


@pytest.fixture
def new_book(memory_table):
    """Makes a book on the given tables' entries, as a process with a name of its own."""
    def make(runs=None, tallies=None, writer=b"writer-1", control=None):
        return Book(0, memory_table(runs, writer), memory_table(tallies, writer), lambda: NOW + 60, control)
    return make


@pytest.fixture
def read(result):
    """Makes a counted result: as `result`, at an offset."""
    return lambda index, chunk=0, offset=0, **fields: read_result(result(index, chunk, **fields).encode(), offset)


async def note(book, events=(), results=()):
    for touched in (book.apply(events), book.count(results)):
        await asyncio.gather(*book.write(touched))
        book.forget(touched)


def plan(run, total, **fields):
    return RunPlanReported(run_id=run.run_id, total=total, at=NOW + 5, **fields)


async def test_only_the_first_request_of_a_run_is_published_for_planning(new_book, requested):
    """Fifty equal requests, in one batch and after a restart, are one run to plan."""
    runs, run = {}, requested()
    book = new_book(runs)
    assert book.new_requests([run] * 50) == [run]

    await note(book, [run] * 50)
    assert book.new_requests([run]) == []
    assert new_book(runs, writer=b"writer-2").new_requests([run, requested(body="z" * 64)]) == []


async def test_a_refused_run_is_published_once_it_is_admitted(new_book, requested):
    """A refusal does not stand in the way of the same occasion's later, better trigger."""
    book, run = new_book(), requested()
    refusal = RunRefused(run_id=run.run_id, workflow_id="7", source="test", reason="no such workflow", at=NOW)
    await note(book, [refusal])
    status = book.status(run.run_id)

    assert status.state is RunState.REFUSED
    assert (status.reason, status.counts.total) == ("no such workflow", 0)
    assert book.new_requests([run]) == [run]


async def test_completed_only_when_every_planned_recipient_has_ended(new_book, requested, read):
    """The last result completes the run, and counts say how all of them ended."""
    book, run = new_book(), requested()
    three = [read(0), read(1, status="failed"), read(2, possible_duplicate=True)]
    await note(book, [run, plan(run, 4, skipped=2)], three)
    assert book.status(run.run_id).state is RunState.SENDING

    await note(book, results=[read(3, status="expired")])
    status = book.status(run.run_id)
    assert status.state is RunState.COMPLETED
    assert status.counts.model_dump() == {
        "total": 4, "sent": 2, "failed": 1, "expired": 1, "in_doubt": 0, "cancelled": 0, "skipped": 2,
        "possible_duplicates": 1}
    assert status.deadline_passed


async def test_a_plan_of_nobody_completes_at_once(new_book, requested):
    """A query without rows is a completed run."""
    book, run = new_book(), requested()
    await note(book, [run, plan(run, 0)])

    assert book.status(run.run_id).state is RunState.COMPLETED


async def test_skipped_recipients_of_an_express_run_end_in_their_lane(new_book, requested, read):
    """They count for completion, but are no part of the total: as in bulk, where the planner leaves them out."""
    book, run = new_book(), requested(priority="express")
    await note(book, [run, plan(run, 3)], [read(0), read(1, status="skipped", reason="invalid"), read(2)])
    status = book.status(run.run_id)

    assert status.state is RunState.COMPLETED
    assert (status.counts.total, status.counts.sent, status.counts.skipped) == (2, 2, 1)


async def test_results_that_come_before_their_run_count(new_book, requested, read):
    """The two topics have no order between them."""
    book, run = new_book(), requested()
    await note(book, results=[read(0), read(1)])
    assert book.status(run.run_id) is None

    await note(book, [run, plan(run, 2)])
    assert book.status(run.run_id).state is RunState.COMPLETED


async def test_logged_runs_leave_memory_but_not_the_tables(new_book, requested, read):
    """What is finished is forgotten, and found again when it is asked for."""
    runs, tallies, run = {}, {}, requested()
    book = new_book(runs, tallies)
    await note(book, [run, plan(run, 1)], [read(0, offset=41)])
    await note(book, [RunLogged(run_id=run.run_id, log="output/x.json", at=NOW + 70)])
    assert book._runs == {}

    for later in (book, new_book(runs, tallies, b"writer-2")):
        status = later.status(run.run_id)
        assert (status.state, status.log, status.counts.sent) == (RunState.COMPLETED, "output/x.json", 1)
        (chunk, tally), = later.tallies(run.run_id)
        assert (chunk, tally.first, tally.last) == (0, 41, 41)


async def test_memory_does_not_grow_with_the_run(new_book, requested, read):
    """However many chunks a run has, only so many are kept, and the counts stay right when they come back."""
    book, run, chunks = new_book(), requested(), REMEMBERED_CHUNKS + 300
    await note(book, [run, plan(run, 2 * chunks)])
    for index in (0, 1):
        for first in range(0, chunks, 100):
            await note(book, results=[read(index, chunk) for chunk in range(first, min(chunks, first + 100))])
            assert len(book._chunks) <= REMEMBERED_CHUNKS
    status = book.status(run.run_id)

    assert (status.state, status.counts.sent) == (RunState.COMPLETED, 2 * chunks)


async def test_one_write_for_each_touched_chunk(new_book, read):
    """However many results a batch has, it costs one write for each chunk."""
    book = new_book()
    touched = book.count([read(index, chunk) for chunk in (0, 1) for index in range(200)])

    written = await asyncio.gather(*book.write(touched))
    assert Counter(chunk for _, chunk in touched.chunks) == {0: 1, 1: 1}
    assert len(written) == 2


async def test_whether_a_run_is_logged_is_known_without_taking_it_into_memory(new_book, requested):
    """It is asked of every status that is read, those of long ended runs among them."""
    runs, run = {}, requested()
    book = new_book(runs)
    await note(book, [run, plan(run, 0)])
    assert not book.logged(run.run_id)
    await note(book, [RunLogged(run_id=run.run_id, log="output/a.json", at=NOW + 9)])

    assert book.logged(run.run_id)
    assert book._runs == {}
    assert new_book(runs, writer=b"writer-2").logged(run.run_id)
    assert not book.logged("nobody")


async def test_what_is_ordered_is_said_of_runs_that_go_on(new_book, requested):
    """Paused, being cancelled, its engine stopped: said while it matters, and not after the end."""
    control, run = Control(), requested()
    book = new_book(control=control)
    await note(book, [run, plan(run, 1)])
    for key, order in ((f"run:{run.run_id}:pause", RunOrder(at=NOW)), (f"run:{run.run_id}:cancel", RunOrder(at=NOW)),
                       ("engine:relay:fuse", EngineFuse(reason="535 bad key", at=NOW)),
                       ("engine:other:fuse", EngineFuse(reason="unverified", at=NOW))):
        control.note(key.encode(), order.encode())
    during = book.status(run.run_id)
    await note(book, [], [read_result(b'{"run_id":"%b","chunk":0,"index":0,"email":"a@b.c","status":"cancelled"}' %
                                      run.run_id.encode(), 0)])
    after = book.status(run.run_id)

    assert (during.paused, during.cancelling, during.engine_stopped) == (True, True, "535 bad key")
    assert (after.state, after.paused, after.cancelling, after.engine_stopped) == (
        RunState.CANCELLED, False, False, None)


async def test_an_order_makes_the_status_due_of_those_whom_it_is_about(new_book, requested, read):
    """Of a run wherever it is, if it is known and goes on; of an engine's runs, those in memory."""
    runs, one, other, over = {}, requested(), requested(run_id="b", engine="other"), requested(run_id="c")
    await note(new_book(runs), [one, other, over, plan(over, 0)])
    book = new_book(runs, writer=b"writer-2")
    for run_id in (one.run_id, over.run_id, "nobody"):
        book.ordered(Subject("run", run_id))
    assert list(book.dirty) == [one.run_id]

    book.status(one.run_id), book.run("b"), book.run("c")
    book.ordered(Subject("engine", "relay"))
    assert list(book.dirty) == [one.run_id]


async def test_unfinished_runs_are_recalled_and_given_up_when_they_are_overdue(new_book, requested, read):
    """A next owner finds those that nothing is told of; the end is theirs for good, whatever is told later."""
    runs, tallies = {}, {}
    ids = [f"{first:02x}-run" for first in (0, 0, 17, 255)]
    first = new_book(runs, tallies)
    await note(first, [requested(run_id=run_id) for run_id in ids], [read(0, run_id=ids[0])])
    await note(first, [plan(requested(run_id=ids[0]), 3), plan(requested(run_id=ids[3]), 0)])
    await note(first, [RunLogged(run_id=ids[3], log="a", at=NOW), plan(requested(run_id="unknown"), 3)])
    heir = new_book(runs, tallies, b"writer-2")
    for number in range(256):
        heir.recall(f"{number:02x}")

    assert list(heir.dirty) == [ids[0], ids[2]]
    assert heir.overdue(NOW) == {}
    assert heir.overdue(NOW + 86_401) == {ids[0]: 1, ids[2]: 0}
    await asyncio.gather(*heir.write(heir.give_up([ids[0], ids[2]])))
    assert heir.overdue(NOW + 86_401) == {}
    await note(heir, [plan(requested(run_id=ids[2]), 1)], [read(index, run_id=ids[0]) for index in range(3)])
    late, never = heir.status(ids[0]), new_book(runs, tallies, b"writer-3").status(ids[2])
    assert (late.state, late.counts.sent, late.deadline_passed) == (RunState.FAILED, 3, True)
    assert "of 2 of its 3 recipients no end is known" in late.reason
    assert (never.state, never.deadline_passed) == (RunState.FAILED, True)
