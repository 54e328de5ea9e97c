"""Logs in a bucket, by a real aggregator: what a folder promises, a bucket does."""

import json
from collections.abc import Iterator
from pathlib import Path

import jsonschema
import pytest

from outreach_stream.runs.log_schema import log_schema
from outreach_stream.runs.log_store import log_store, open_log
from tests.buckets import bucket_server
from tests.kafka.aggregator_stage import Stage, new_key, publish, trigger


@pytest.fixture
def bucket() -> Iterator[str]:
    """An output."""
    with bucket_server():
        yield "s3://logs/of/tests"


async def test_a_kill_between_the_upload_and_the_word_of_it_leaves_one_log(stage: Stage, bucket: str, tmp_path: Path
                                                                           ) -> None:
    """The next aggregator writes it anew under the same name; the status names its URL, where it is read by ranges."""
    key, run = new_key()
    killed = stage.start(output=bucket, dies=str(tmp_path / run))
    await publish(stage.bootstrap, [trigger(key)], keyed=False)
    await stage.until(lambda: stage.admitted()[run])
    await stage.plan(run, 2)
    await stage.send(run, [0, 1])
    assert await stage.until(killed.poll) == -9
    assert not stage.last(run).get("log")
    stage.start(output=bucket)
    await stage.until(lambda: stage.last(run).get("log"))

    place = stage.last(run)["log"]
    day = place.split("/")[-2]
    assert place == f"{bucket}/{day}/{run}.json"
    assert log_store(bucket).names(day).count(f"{day}/{run}.json") == 1   # beside those of runs of other tests
    assert log_store(bucket).names(".undelivered").count(f".undelivered/{run}") == 1
    with open_log(place) as log:
        text = b"".join(log.read(at, 1000) for at in range(0, log.size, 1000))
    written = json.loads(text)
    jsonschema.validate(written, json.loads(log_schema()))
    assert [it["email"] for it in written["recipients"]] == ["p0@example.org", "p1@example.org"]
