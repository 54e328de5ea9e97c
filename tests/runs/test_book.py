"""The book of a partition: any order, any repetition, any split among writers ends the same."""

import asyncio
from collections import Counter

import pytest

from outreach_stream.domain.events import RunLogged, RunPlanReported, RunRefused
from outreach_stream.domain.states import RunState
from outreach_stream.runs.book import REMEMBERED_CHUNKS, Book
from outreach_stream.runs.results import read_result

NOW = 1_790_000_000.0


@pytest.fixture
def new_book(memory_table):
    """Makes a book on the given tables' entries, as a process with a name of its own."""
    def make(runs=None, tallies=None, writer=b"writer-1"):
        return Book(0, memory_table(runs, writer), memory_table(tallies, writer), lambda: NOW + 60)
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
