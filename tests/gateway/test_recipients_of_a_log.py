"""A run's recipients over HTTP, from its log."""

import asyncio
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import orjson
import pytest

from outreach_stream.domain.events import RunPlanReported, RunRequested
from outreach_stream.domain.states import Counts, RecipientStatus, RunState
from outreach_stream.gateway.runs import recipient_log
from outreach_stream.runs.log import LogJob, write_log
from outreach_stream.runs.log_head import log_head
from outreach_stream.runs.log_store import FolderStore
from outreach_stream.runs.record import RunRecord
from outreach_stream.runs.results import read_result
from outreach_stream.runs.tally import Tally
from tests.gateway.reading import all_pages, emails, now, page
from tests.gateway.records import publish, result, say, status
from tests.gateway.test_control_api import shown
from tests.runs.test_log import Topics

SENT, FAILED = RecipientStatus.SENT, RecipientStatus.FAILED


def written_log(folder: Path, run: str, entries: list[dict[str, Any]]) -> Path:
    """A log as `runs.log` lays it out."""
    path = folder / f"{run}.json"
    head = orjson.dumps({"schema_version": 1, "run": {"id": run, "recipients": []}}, option=orjson.OPT_INDENT_2)
    lines = b",\n    ".join(orjson.dumps(entry) for entry in entries)
    path.write_bytes(head.removesuffix(b"\n}") + b',\n  "recipients": [' + (b"\n    " + lines if lines else b"") +
                     b"\n  ]\n}\n")
    assert len(orjson.loads(path.read_bytes())["recipients"]) == len(entries)
    return path


def entry(number: int, end: RecipientStatus | None = SENT) -> dict[str, Any]:
    return {"email": f"reader-{number}@example.com", "status": end, "reason": None, "engine": "relay",
            "message_id": None, "provider_message_id": None, "attempts": 1, "possible_duplicate": False,
            "recovered": False, "started_at": None, "finished_at": "2026-01-01T00:00:00.000Z"}


async def test_an_ended_run_is_read_from_its_log(
        client: httpx.AsyncClient, kafka_topics: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each recipient once, whoever was skipped or has no end too, in pages that begin at any line of any block."""
    monkeypatch.setattr(recipient_log, "BLOCK", 1_000)
    run = str(uuid4())
    entries = [entry(0, RecipientStatus.SKIPPED), entry(1, None), *(entry(n, FAILED if n % 10 == 5 else SENT)
                                                                  for n in range(2, 300))]
    log = written_log(tmp_path, run, entries)
    await say(kafka_topics, status(run, RunState.COMPLETED, log=str(log), ended=now()))
    await shown(client, run)

    found, pages = await all_pages(client, run, limit=7)
    failed, _ = await all_pages(client, run, status="failed", limit=7)
    some, _ = await all_pages(client, run, search="READER-29")

    assert emails(found) == [each["email"] for each in entries]
    assert pages == 43
    assert [each["status"] for each in found[:2]] == ["skipped", None]
    assert emails(failed) == [f"reader-{n}@example.com" for n in range(5, 300, 10)]
    assert len(some) == 11
    assert (await page(client, run, limit=1))["source"] == "log"


async def test_a_log_is_read_as_the_aggregator_writes_it(
        client: httpx.AsyncClient, kafka_topics: str, tmp_path: Path) -> None:
    """Its layout and ours agree: head, one line for each recipient, and an end."""
    run = str(uuid4())
    record, tallies = RunRecord(), {0: Tally()}
    record.apply(RunRequested(
        run_id=run, trigger_id="t", source="test", workflow_id="1", workflow_name="Spring", workflow_version="1",
        template_id="spring", template_version="1", spec="d", engine="relay", lanes=[0], priority="bulk", body="b",
        triggered_at=1e9, admitted_at=1e9, deadline=2e9))
    plan = RunPlanReported(run_id=run, total=30, at=1e9)
    record.apply(plan)
    record.end(1.1e9, cancelled=False)
    values = [result(run, n, FAILED if n % 3 == 0 else SENT, email=f"ü{n}@example.com").encode() for n in range(30)]
    for offset, value in enumerate(values):
        tallies[0].note(read_result(value, offset))
    store = FolderStore(tmp_path)
    job = LogJob(f"2026-01-01/{run}.json", log_head(record, Counts(total=30), None), plan, tallies)
    await write_log(job, Topics(values), store)
    await say(kafka_topics, status(run, RunState.COMPLETED, log=store.place(job.name)))
    await shown(client, run)

    found, pages = await all_pages(client, run, status="failed", limit=4)

    assert emails(found) == [f"ü{n}@example.com" for n in range(0, 30, 3)]
    assert pages == 3
    assert (await page(client, run, search="Ü29"))["source"] == "log"


async def test_a_log_that_is_not_here_is_no_obstacle(
        client: httpx.AsyncClient, kafka_topics: str, tmp_path: Path) -> None:
    """On another machine, of another layout, of another run: then the results are read, and the answer says so."""
    run = str(uuid4())
    await publish(kafka_topics, [result(run, 0)], run)
    strange, another = tmp_path / f"{run}.json", written_log(tmp_path, "another", [entry(5)])
    strange.write_text("[]", encoding="utf-8")
    for log in ("/nowhere/else.json", f"/nowhere/{run}.json", str(strange), str(another)):
        await say(kafka_topics, status(run, RunState.COMPLETED, log=log, began=now(), ended=now()))
        async with asyncio.timeout(15):
            while (await client.get(f"/api/v1/runs/{run}")).json().get("log") != log:
                await asyncio.sleep(0.05)

        answer = await page(client, run)

        assert (emails(answer["recipients"]), answer["source"]) == (["reader-0@example.com"], "results")


async def test_a_log_of_nobody_is_an_empty_page(client: httpx.AsyncClient, kafka_topics: str, tmp_path: Path) -> None:
    """A run without recipients has a log all the same."""
    run = str(uuid4())
    log = written_log(tmp_path, run, [])
    await say(kafka_topics, status(run, RunState.COMPLETED, log=str(log)))
    await shown(client, run)

    assert await page(client, run) == {"recipients": [], "next": None, "source": "log"}


async def test_what_is_asked_wrongly_is_refused(client: httpx.AsyncClient, kafka_topics: str, tmp_path: Path) -> None:
    """Unknown runs are 404; cursors that are none, of no line, or of a log that is gone: 422."""
    run = str(uuid4())
    log = written_log(tmp_path, run, [entry(0), entry(1)])
    await say(kafka_topics, status(run, RunState.COMPLETED, log=str(log)))
    await shown(client, run)
    cursor = (await page(client, run, limit=1))["next"]

    async def code(**asked: Any) -> int:
        return (await client.get(f"/api/v1/runs/{run}/recipients", params=asked)).status_code

    assert [await code(cursor="nonsense"), await code(cursor="bG9nOjI"), await code(cursor="bG9nOjI1"),
            await code(cursor="bG9nOjk5OTk5OTk5"), await code(status="lost"), await code(limit=0)] == [422] * 6
    log.unlink()
    assert await code(cursor=cursor) == 422
    assert (await client.get(f"/api/v1/runs/{uuid4()}/recipients")).status_code == 404
