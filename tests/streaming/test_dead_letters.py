"""Burying: whole if it fits, else what fits and where the rest is."""

from types import SimpleNamespace
from typing import Any

from faust.types import TP

from outreach_stream import topics
from outreach_stream.streaming import dead_letters
from outreach_stream.streaming.dead_letters import bury
from tests.streaming.conftest import LoggedProducer

DEAD = (topics.DEAD_LETTER.name, 0)


def batch(value: bytes | None, *, key: bytes | None = b"k", headers: Any = ()) -> Any:
    return SimpleNamespace(tp=TP("t", 3), records=[SimpleNamespace(key=key, value=value, headers=headers, offset=7)])


async def test_a_record_is_kept_as_it_came(producer: LoggedProducer) -> None:
    """Key, value and headers, and in further headers where it came from and what was wrong with it."""
    await bury(producer, batch(b"value", headers=[("ce_id", b"1")]), 0, "not JSON")

    [record] = producer.log[DEAD]
    assert (record.key, record.value) == (b"k", b"value")
    assert dict(record.headers) == {"ce_id": b"1", "source_topic": b"t", "source_partition": b"3",
                                    "source_offset": b"7", "reason": b"not JSON"}


async def test_of_one_that_does_not_fit_the_beginning_is_kept(producer: LoggedProducer, monkeypatch: Any) -> None:
    """However large value, key or headers are: whoever buries must not fail, or it would meet the record for ever."""
    monkeypatch.setattr(dead_letters, "KEPT_OF_LARGE", 100)
    large = b"x" * 2_000
    for record in (batch(large), batch(b"v", key=large), batch(None, headers=[("h", large)])):
        await bury(producer, record, 0, "too odd")

    assert [record.value for record in producer.log[DEAD]] == [b"x" * 100, b"v", b""]
    assert all(dict(record.headers)["truncated"] == b"true" for record in producer.log[DEAD])
    assert all(dict(record.headers)["source_offset"] == b"7" for record in producer.log[DEAD])


async def test_a_reason_may_be_of_any_length(producer: LoggedProducer, monkeypatch: Any) -> None:
    """It may quote what was wrong, and half a character of it."""
    monkeypatch.setattr(dead_letters, "LONGEST_REASON", 100)
    await bury(producer, batch(b"v"), 0, "\ud800" + "x" * 5_000)

    assert len(dict(producer.log[DEAD][0].headers)["reason"]) == 100
