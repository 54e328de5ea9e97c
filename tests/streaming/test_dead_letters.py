"""Burying: whole if it fits, else what fits and where the rest is; and as often as it takes."""

import asyncio
from types import SimpleNamespace
from typing import Any

from aiokafka.errors import KafkaTimeoutError
from faust.types import TP

from outreach_stream import topics
from outreach_stream.streaming import dead_letters
from outreach_stream.streaming.dead_letters import bury
from tests.streaming.conftest import LoggedProducer

DEAD = (topics.DEAD_LETTER.name, 0)


def batch(value: bytes | None, *, key: bytes | None = b"k", headers: Any = ()) -> Any:
    record = SimpleNamespace(key=key, value=value, headers=headers, offset=7)
    return SimpleNamespace(tp=TP("t", 3), live=True, records=[record])


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


async def test_a_reason_names_nobody(producer: LoggedProducer) -> None:
    """Whatever library said it: an address in a reason is masked. The record itself is kept as it came."""
    await bury(producer, batch(b"ada@example.org"), 0, "slot: Invalid isoformat string: 'ada@example.org'")

    [record] = producer.log[DEAD]
    assert record.value == b"ada@example.org"
    assert b"slot: Invalid isoformat string" in dict(record.headers)["reason"]
    assert b"ada" not in dict(record.headers)["reason"]


async def test_many_wait_for_their_turn(producer: LoggedProducer) -> None:
    """Each is written once, though one of those who wait is cancelled."""
    burying = [asyncio.create_task(bury(producer, batch(f"{n}".encode()), 0, "odd")) for n in range(100)]
    await asyncio.sleep(0)
    burying[50].cancel()
    await asyncio.wait(burying)

    values = [record.value for record in producer.log[DEAD]]
    assert sorted(set(values) | {b"50"}) == sorted(f"{n}".encode() for n in range(100))
    assert len(values) <= 100


async def test_the_broker_is_waited_for_while_the_record_is_ours(producer: LoggedProducer, monkeypatch: Any) -> None:
    """What the broker refuses is written when it takes it again; nobody waits for a partition that has left."""
    monkeypatch.setattr(dead_letters, "RETRY", 0.01)
    producer.failure, mine, left = KafkaTimeoutError(), batch(b"mine"), batch(b"left")
    burying = [asyncio.create_task(bury(producer, it, 0, "odd")) for it in (mine, left)]
    await asyncio.sleep(0.05)
    assert not any(task.done() for task in burying)

    left.live = False
    await asyncio.wait_for(burying[1], 5)
    producer.failure = None
    await asyncio.wait_for(burying[0], 5)

    assert [record.value for record in producer.log[DEAD]] == [b"mine"]
