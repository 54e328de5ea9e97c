"""`outreach dead-letters` against a real broker, and what it makes of a record."""

import asyncio
import json
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

import pytest
from aiokafka import AIOKafkaProducer, ConsumerRecord
from faust.types import TP

from outreach_stream.cli.dead_letters.letter import DeadLetter, printable, text_or_hex
from outreach_stream.streaming import dead_letters
from outreach_stream.streaming.dead_letters import bury
from outreach_stream.streaming.produce import new_producer
from outreach_stream.topics import DEAD_LETTER, WORKFLOW_TRIGGERED
from tests.cli.conftest import Outreach
from tests.gateway.test_api import triggers

FROM = TP(WORKFLOW_TRIGGERED.name, 2)


def buried(bootstrap: str, value: bytes, key: bytes = b"k", tp: TP = FROM) -> int:
    """Bury a record as an agent does; returns its offset in `dead.letter`."""
    async def begin_to_end() -> int:
        producer: AIOKafkaProducer = new_producer(bootstrap)
        await producer.start()
        try:
            record = SimpleNamespace(key=key, value=value, headers=[("ce_id", b"1"), ("reason", b"theirs")], offset=7)
            batch: Any = SimpleNamespace(tp=tp, records=[record], live=True)
            await bury(producer, batch, 0, "not JSON \x1b[31m [bold]")
            return (await producer.send_and_wait(DEAD_LETTER.name, b"odd", partition=0)).offset - 1
        finally:
            await producer.stop()
    return asyncio.run(begin_to_end())


def test_letters_are_listed_and_shown(inside: Outreach, kafka_topics: str) -> None:
    """The newest last, with place and reason and without contents; one of them whole, headers and all."""
    offset = buried(kafka_topics, b"caf\xc3\xa9 \x1b[31m")
    settings = {"OUTREACH_KAFKA_BOOTSTRAP": kafka_topics}
    listed = json.loads(inside("dead-letters", "list", "--limit", "2", "--json", **settings).stdout)
    table = inside("dead-letters", "list", **settings).stdout
    shown = inside("dead-letters", "show", str(offset), **settings).stdout
    as_json = json.loads(inside("dead-letters", "show", str(offset), "--json", **settings).stdout)

    assert [(each["offset"], each["topic"], each["partition"], each["source_offset"]) for each in listed] == [
        (offset, *FROM, 7), (offset + 1, None, None, None)]
    assert "[bold]" in table
    assert "\x1b[31m" not in table + shown
    assert "header reason: theirs" in shown
    assert "café" in shown
    assert (as_json["encoding"], as_json["value"], as_json["key"]) == ("text", "café \x1b[31m", "k")


def test_a_letter_goes_back_to_where_it_came_from(inside: Outreach, kafka_topics: str) -> None:
    """To its partition, with key, value and its own headers, and none of ours."""
    key = uuid4().hex
    offset = buried(kafka_topics, b"\xff\x00", key.encode())
    refused = inside("dead-letters", "replay", str(offset), OUTREACH_KAFKA_BOOTSTRAP=kafka_topics)
    answer = inside("dead-letters", "replay", str(offset), str(offset), "--yes",
                      OUTREACH_KAFKA_BOOTSTRAP=kafka_topics)

    assert (refused.returncode, answer.returncode) == (2, 0), answer.stderr
    assert "--yes" in refused.stderr
    (record,) = asyncio.run(triggers(kafka_topics, key))
    assert (record.partition, record.value) == (2, b"\xff\x00")
    assert list(record.headers) == [("ce_id", b"1"), ("reason", b"theirs")]


def test_all_or_none_go_back(inside: Outreach, kafka_topics: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that was cut, is not ours, or came from where nothing is, and nothing is put back; each is named."""
    key = uuid4().hex
    whole = buried(kafka_topics, b"{}", key.encode())
    gone, foreign = (buried(kafka_topics, b"{}", tp=TP(*at)) for at in ((WORKFLOW_TRIGGERED.name, 99), ("theirs", 0)))
    monkeypatch.setattr(dead_letters, "KEPT_OF_LARGE", 10)
    cut = buried(kafka_topics, b"x" * 600_000)

    answer = inside("dead-letters", "replay", "--yes", *map(str, (whole, gone, foreign, cut, whole + 1)),
                      OUTREACH_KAFKA_BOOTSTRAP=kafka_topics)

    assert answer.returncode == 1
    assert [line.split(":")[0] for line in answer.stderr.splitlines()] == [
        "Nothing was put back", *map(str, sorted((gone, foreign, cut, whole + 1)))]
    assert asyncio.run(triggers(kafka_topics, key)) == []


def test_an_offset_that_is_not_there_is_said(inside: Outreach, kafka_topics: str) -> None:
    """With the offsets there are."""
    end = buried(kafka_topics, b"x") + 1
    answer = inside("dead-letters", "show", "999999", OUTREACH_KAFKA_BOOTSTRAP=kafka_topics)

    assert answer.returncode == 1
    assert f"0 to {end}" in answer.stderr


def record(headers: list[tuple[str, bytes]]) -> ConsumerRecord:
    return ConsumerRecord(DEAD_LETTER.name, 0, 5, 1_000, 0, b"k", b"v", None, 1, 1, headers)


def test_headers_of_the_sender_are_not_taken_for_ours() -> None:
    """Ours are the last ones, in their order: the same names before them are the sender's, and so are odd ones."""
    ours = [("source_topic", b"t"), ("source_partition", b"1"), ("source_offset", b"2"), ("reason", b"bad")]
    theirs = [("truncated", b"true"), ("reason", b"theirs")]

    whole, cut = DeadLetter.read(record([*theirs, *ours])), DeadLetter.read(record([*ours, ("truncated", b"true")]))
    odd = DeadLetter.read(record([("source_topic", b"t"), ("source_partition", b"x"), *ours[2:]]))

    assert (whole.headers, whole.truncated, whole.reason) == (tuple(theirs), False, "bad")
    assert (cut.headers, cut.truncated) == ((), True)
    assert odd.source is None
    assert odd.hindrance


def test_what_is_shown_is_text_if_it_is_text() -> None:
    """UTF-8 as it reads, without what commands a terminal; anything else in hex."""
    assert text_or_hex(b"\xff\x00") == ("hex", "ff00")
    assert text_or_hex(None) == ("null", "")
    assert printable("a\x1b[2Jé\n\u202e") == "a\\x1b[2Jé\n\\u202e"
