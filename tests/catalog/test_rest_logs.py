"""Logs of finished runs on their way to a catalog's API."""

import json
import time

import pytest
from structlog.testing import capture_logs

from outreach_stream.catalog.rest_logs import FOLDER, PIECE, LogDelivery
from outreach_stream.runs.log_store import FolderStore, log_store
from tests.buckets import bucket_server
from tests.catalog.rest_stage import stage


@pytest.fixture
def output(tmp_path):
    """An output folder with one log."""
    log = tmp_path / "output" / "2026-11-24" / "run-1.json"
    log.parent.mkdir(parents=True)
    log.write_text(json.dumps({"recipients": ["x" * 100_000]}))
    return tmp_path / "output"


@pytest.fixture
def there(tmp_path):
    with stage(tmp_path / "catalog", logs=tmp_path / "received") as there:
        yield there


def undelivered(output) -> list[str]:
    return [note.name for note in (output / FOLDER).iterdir()]


def delivery(there, output, **more) -> LogDelivery:
    return LogDelivery(there.url, None, FolderStore(output), **more)


def test_a_log_is_delivered_whole(there, output, tmp_path) -> None:
    """Byte for byte, by a thread of its own, soon after it was noted."""
    bringing = delivery(there, output)
    bringing.start()
    bringing.note("2026-11-24/run-1.json")
    until = time.monotonic() + 10
    while undelivered(output):
        assert time.monotonic() < until
        time.sleep(0.005)
    bringing.stop()

    assert (tmp_path / "received" / "run-1.json").read_bytes() == (output / "2026-11-24/run-1.json").read_bytes()


def test_a_log_in_a_bucket_is_delivered_from_there(there, tmp_path) -> None:
    """Read piece by piece; the note, which any aggregator finds, is gone afterwards."""
    with bucket_server():
        store = log_store("s3://logs/output")
        store.put("2026-11-24/run-1.json", b'{"recipients": ["%s"]}' % (b"x" * 2 * PIECE))
        bringing = LogDelivery(there.url, None, store)
        bringing.note("2026-11-24/run-1.json")
        noted = store.names(FOLDER)
        bringing.deliver()
        left = store.names(FOLDER)

    assert (noted, left) == ([f"{FOLDER}/run-1"], [])
    assert json.loads((tmp_path / "received" / "run-1.json").read_bytes()) == {"recipients": ["x" * 2 * PIECE]}


def test_an_api_that_is_away_gets_it_later(there, output, tmp_path) -> None:
    """From another process, if this one ends meanwhile; the pauses grow, and each is told."""
    now = [0.0]
    there.between.answers = [(503, b"")] * 3
    bringing = delivery(there, output, clock=lambda: now[0])
    bringing.note("2026-11-24/run-1.json")
    with capture_logs() as said:
        for moment in (0.0, 4.9, 5.0, 14.9, 15.0):
            now[0] = moment
            bringing.deliver()
    assert [each["retry_in"] for each in said] == [5.0, 10.0, 20.0]
    assert "answers 503" in said[0]["why"]
    assert undelivered(output) == ["run-1"]

    delivery(there, output).deliver()
    assert undelivered(output) == []
    assert (tmp_path / "received" / "run-1.json").is_file()


def test_nobody_at_the_address(there, output) -> None:
    """A refused connection and a log that was removed keep nothing else waiting."""
    bringing = LogDelivery("http://127.0.0.1:1", None, FolderStore(output))
    bringing.note("2026-11-24/run-1.json")
    bringing.note("2026-11-24/removed.json")
    with capture_logs() as said:
        bringing.deliver()

    assert {(each["run_id"], each["event"]) for each in said} == {
        ("run-1", "log_not_delivered"), ("removed", "log_not_delivered")}
    assert sorted(undelivered(output)) == ["removed", "run-1"]


def test_an_api_that_keeps_no_logs_is_not_asked_again(tmp_path, output) -> None:
    """It says so with 501."""
    with stage(tmp_path / "catalog") as there:
        bringing = delivery(there, output)
        bringing.note("2026-11-24/run-1.json")
        bringing.deliver()
        bringing.deliver()

    assert there.between.seen == [("/logs/run-1", 501)]
    assert undelivered(output) == []
