"""The JSON log: its schema, each recipient once, whole or not at all, in constant memory."""

import json
import tracemalloc
from dataclasses import replace
from pathlib import Path

import jsonschema
import orjson
import pytest

from outreach_stream.domain.events import RunChunk, RunPlanReported
from outreach_stream.domain.states import Counts
from outreach_stream.domain.triggers import InlineRecipient
from outreach_stream.runs.log import LogJob, write_log
from outreach_stream.runs.log_head import log_head, log_name
from outreach_stream.runs.log_schema import SCHEMA_FILE, log_schema
from outreach_stream.runs.log_store import FolderStore
from outreach_stream.runs.record import RunRecord
from outreach_stream.runs.results import read_result
from outreach_stream.runs.tally import Tally

NOW = 1_790_000_000.0
PROJECT = Path(__file__).parents[2]
SCHEMA = json.loads(log_schema())
STORE = FolderStore(Path("output"))


class Topics:
    """Results and chunks by offset, as they were published; results are made as they are read."""

    def __init__(self, results, chunks=()):
        self._results, self._chunks, self.read = results, list(chunks), 0

    async def results(self, start, end):
        for at in range(start, end, 500):
            values = self._results[at:min(end, at + 500)]
            self.read += len(values)
            yield values

    async def chunk(self, offset):
        return self._chunks[offset]     # an IndexError, where there is none, is a LookupError


@pytest.fixture(autouse=True)
def _own_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def job(requested):
    """Makes the job of a run that has ended, its tallies counted from the given results."""
    def make(values, total, run=None, chunks=(), skipped=0, **plan):
        record, tallies = RunRecord(), {}
        run = run or requested()
        plan |= {"total": total, "skipped": skipped, "chunks": list(chunks)}
        reported = RunPlanReported(run_id=run.run_id, at=NOW + 5, **plan)
        for event in (run, reported):
            record.apply(event)
        if not reported.error:
            record.end(NOW + 15, cancelled=False)
        for offset, value in enumerate(values):
            result = read_result(value, offset)
            if result.run_id == run.run_id:
                tallies.setdefault(result.chunk, Tally()).note(result)
        head = log_head(record, Counts(total=total, sent=total, skipped=skipped), {"id": "relay", "host": "mx"})
        return LogJob(log_name(run), head, reported, tallies)
    return make


def path(job):
    return Path(STORE.place(job.name))


def read_log(job):
    written = json.loads(path(job).read_text())
    jsonschema.validate(written, SCHEMA, format_checker=jsonschema.FormatChecker())
    return written


async def test_the_log_tells_the_run_and_every_recipient(job, result):
    """All of the run, by the published schema, in a file named by the day of its admission and its id."""
    values = [result(0, provider_message_id="p-0").encode(), result(1, status="failed", reason="550").encode()]
    one = job(values, 2)
    listed = await write_log(one, Topics(values), STORE)
    log = read_log(one)

    assert listed == 2
    assert path(one).as_posix() == f"output/2026-09-21/{log['run']['id']}.json"
    assert log["run"]["state"] == "COMPLETED"
    assert log["run"]["states"]["QUEUED"] == "2026-09-21T14:13:20.000Z"
    assert log["workflow"] == {"id": "7", "name": "Spring", "version": "3", "spec_digest": "d" * 64,
                               "template": {"id": "spring", "version": "2"}}
    assert log["summary"]["durations"] == {"to_plan": 5.0, "to_send": 10.0, "total": 16.0}
    assert log["recipients"][1] == {
        "email": "p0-1@example.org", "status": "failed", "reason": "550", "engine": "relay",
        "message_id": "<0.1@example.org>", "provider_message_id": None, "attempts": 1, "possible_duplicate": False,
        "recovered": False, "started_at": "2026-09-21T12:53:19.000Z", "finished_at": "2026-09-21T12:53:20.000Z"}


async def test_each_recipient_is_listed_once_under_the_end_that_is_believed(job, result):
    """Repeated, recovered, weaker and foreign results, and what is no result, leave one line for each recipient."""
    values = [
        result(0).encode(),
        result(0, run_id="another-run").encode(),
        result(1, status="failed", reason="weaker").encode(),
        result(0, recovered=True).encode(),
        result(1, status="sent", possible_duplicate=True).encode(),
        result(2, recovered=True).encode(),
        result(1, status="failed").encode(),
        result(2).encode(),
    ]
    one = job(values, 3)
    await write_log(one, Topics([*values[:3], b"not json " + result(0).run_id.encode(), *values[4:]]), STORE)
    people = read_log(one)["recipients"]

    assert [(it["email"], it["status"], it["possible_duplicate"], it["recovered"]) for it in people] == [
        ("p0-0@example.org", "sent", False, False),
        ("p0-1@example.org", "sent", True, False),
        ("p0-2@example.org", "sent", False, True),
    ]


async def test_skipped_recipients_are_listed_with_their_reasons(job, result, requested):
    """Those whom the planner left out come from the run's chunks."""
    chunk = RunChunk(run_id=requested().run_id, plan_id="p", chunk=0, columns=[], rows=[["p0-0@example.org", None]],
                     skipped=[("nobody@", "invalid"), ("p0-0@example.org", "duplicate")])
    values = [result(0).encode()]
    one = job(values, 1, chunks=[0], skipped=2)
    await write_log(one, Topics(values, [chunk.encode()]), STORE)
    people = read_log(one)["recipients"]

    assert [(it["email"], it["status"], it["reason"]) for it in people] == [
        ("p0-0@example.org", "sent", None),
        ("nobody@", "skipped", "invalid"),
        ("p0-0@example.org", "skipped", "duplicate"),
    ]


async def test_results_that_retention_took_do_not_keep_the_log_away(job, result, requested):
    """A log that came very late says what the marks and the chunks know, instead of being tried for ever."""
    class Gone(Topics):
        async def results(self, start, end):
            raise LookupError
            yield

    chunk = RunChunk(run_id=requested().run_id, plan_id="p", chunk=0, columns=[], rows=[["p0-0@example.org", None]])
    one = job([result(0).encode()], 1, chunks=[0])
    await write_log(one, Gone([], [chunk.encode()]), STORE)

    assert [(it["email"], it["status"]) for it in read_log(one)["recipients"]] == [("p0-0@example.org", "sent")]


async def test_a_recipient_whose_result_is_gone_is_listed_all_the_same(job, result, requested):
    """What the marks know is said, with the address from the chunk, or from an express run's own recipients.

    If that is gone too, the log has a warning instead of being tried for ever.
    """
    values = [result(0).encode(), result(1, status="failed").encode()]
    chunk = RunChunk(run_id=requested().run_id, plan_id="p", chunk=0, columns=[],
                     rows=[["p0-0@example.org", None], ["p0-1@example.org", None]])
    one = job(values, 2, chunks=[0])
    await write_log(one, Topics(values[:1], [chunk.encode()]), STORE)
    last = read_log(one)["recipients"][-1]
    assert (last["email"], last["status"], last["attempts"]) == ("p0-1@example.org", "failed", None)

    given = [InlineRecipient(email=f"p0-{index}@example.org") for index in range(2)]
    await write_log(replace(job(values, 2), recipients=given), Topics(values[:1]), STORE)
    assert read_log(one)["recipients"][-1] == last

    for lost in (job(values, 2), job(values, 2, chunks=[0])):
        assert await write_log(lost, Topics(values[:1]), STORE) == 1
        log = read_log(lost)
        assert len(log["recipients"]) == 1
        assert log["run"]["warnings"] == ["1 recipients are not listed: what the topics kept of them is gone"]
    assert list(path(lost).parent.iterdir()) == [path(lost)]


async def test_a_run_that_was_given_up_lists_those_without_an_end_as_such(job, result, requested):
    """Those that have an end have their line as always; of the others it is said that nothing is known."""
    chunks = [RunChunk(run_id=requested().run_id, plan_id="p", chunk=chunk, columns=[], skipped=[("x@", "invalid")],
                       rows=[[f"p{chunk}-{i}@example.org", None] for i in range(2)]).encode() for chunk in (0, 1)]
    values = [result(1).encode()]
    given_up = replace(job(values, 4, chunks=[0, 1], skipped=2), given_up=True)

    assert await write_log(given_up, Topics(values, chunks), STORE) == 6
    log = read_log(given_up)
    assert [(it["email"], it["status"]) for it in log["recipients"]] == [
        ("p0-1@example.org", "sent"), ("x@", "skipped"), ("p0-0@example.org", None), ("x@", "skipped"),
        ("p1-0@example.org", None), ("p1-1@example.org", None)]
    assert log["recipients"][2]["reason"] == "no end is known"
    assert log["run"]["warnings"] == []

    await write_log(given_up, Topics(values, chunks[:1]), STORE)
    assert len(read_log(given_up)["recipients"]) == 3
    assert "3 recipients are not listed" in read_log(given_up)["run"]["warnings"][0]


async def test_a_run_that_was_never_planned_has_a_log(job, requested):
    """It was given up, or cancelled before it began; a replay says of which run."""
    run = requested(replay={"run_id": "earlier", "statuses": ["failed"]})
    one = replace(job([], 0, run, cancelled=True), plan=None)

    assert await write_log(one, Topics([]), STORE) == 0
    run = read_log(one)["run"]
    assert (run["state"], run["reason"], run["parent"]) == ("CANCELLED", "cancelled before it was planned", "earlier")


async def test_a_run_that_was_not_planned_has_a_log_without_recipients(job):
    """It says why, and lists nobody."""
    one = job([], 0, error="template: `code` is in no column")
    await write_log(one, Topics([]), STORE)
    log = read_log(one)

    assert (log["run"]["state"], log["run"]["reason"]) == ("FAILED", "template: `code` is in no column")
    assert log["recipients"] == []
    assert log["summary"]["durations"] == {"to_plan": 5.0, "to_send": None, "total": 6.0}


async def test_only_the_runs_own_segments_are_read(job, result):
    """A small run among many results costs what lies between its first and last one, chunk by chunk."""
    values = [result(i % 1000, run_id="another-run").encode() for i in range(3_000)]
    values[100], values[200], values[2_900] = result(0).encode(), result(1).encode(), result(0, 7).encode()
    topics, one = Topics(values), job(values, 3)
    await write_log(one, topics, STORE)

    assert len(read_log(one)["recipients"]) == 3
    assert topics.read == 102


async def test_two_hundred_thousand_recipients_in_constant_memory(job, result):
    """Memory does not follow the recipients: a few bits each, not a line each."""
    template = orjson.loads(result(0).encode())

    class Endless:
        def __getitem__(self, span):
            return [orjson.dumps(template | {"chunk": i // 1000, "index": i % 1000, "email": f"p{i}@example.org"})
                    for i in range(span.start, span.stop)]

    one = job([], 200_000)
    for chunk in range(200):
        tally = one.tallies[chunk] = Tally()
        tally.marks.bits[0] = (1 << 1000) - 1
        tally.first, tally.last = chunk * 1000, chunk * 1000 + 999
    tracemalloc.start()
    try:
        listed = await write_log(one, Topics(Endless()), STORE)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert listed == 200_000
    assert peak < 16 * 1024 * 1024      # of which 8 MiB are the JSON parser's own
    assert path(one).stat().st_size > 200_000 * 200
    assert len({it["email"] for it in orjson.loads(path(one).read_bytes())["recipients"]}) == 200_000


def test_the_published_schema_is_fresh():
    """`python -m outreach_stream.runs.log_schema` was run after the models were changed."""
    assert (PROJECT / SCHEMA_FILE).read_text() == log_schema()
