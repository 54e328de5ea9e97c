"""Reading `dead.letter`: its one partition, from its beginning to its end as it is now."""

from collections.abc import AsyncIterator
from typing import NamedTuple

from aiokafka import AIOKafkaConsumer, TopicPartition

from outreach_stream.broker.access import kafka_access
from outreach_stream.cli.dead_letters.letter import DeadLetter
from outreach_stream.cli.exits import CommandError
from outreach_stream.cli.kafka import READ_TIMEOUT, told_if_away
from outreach_stream.streaming.reader import RangeReader, RecordGone
from outreach_stream.topics import DEAD_LETTER

PARTITION = TopicPartition(DEAD_LETTER.name, 0)


class Bounds(NamedTuple):
    """Offsets that are there: from `start` up to, not including, `end`."""

    start: int
    end: int


async def bounds(bootstrap: str) -> Bounds:
    """What the partition holds now. Raises `BrokerUnreachableError`."""
    with told_if_away(bootstrap, "being read"):
        async with AIOKafkaConsumer(bootstrap_servers=bootstrap, isolation_level="read_committed",
                                    request_timeout_ms=int(READ_TIMEOUT * 1000), **kafka_access()) as consumer:
            consumer.assign([PARTITION])
            return Bounds((await consumer.beginning_offsets([PARTITION]))[PARTITION],
                          (await consumer.end_offsets([PARTITION]))[PARTITION])


async def letters(bootstrap: str, within: Bounds) -> AsyncIterator[DeadLetter]:
    """Those there are, oldest first, in constant memory. Raises `BrokerUnreachableError`."""
    try:
        with told_if_away(bootstrap, "being read"):
            async for record in RangeReader(bootstrap).records(DEAD_LETTER.name, 0, within.start, within.end):
                yield DeadLetter.read(record)
    except RecordGone as error:
        raise CommandError(f"{error}: it was kept for its time. Look again: `outreach dead-letters list`.") from error


async def letters_at(bootstrap: str, offsets: list[int]) -> list[DeadLetter]:
    """Those at these offsets, in this order. Raises `CommandError` if one is not there."""
    start, end = await bounds(bootstrap)
    found: list[DeadLetter] = []
    for offset in offsets:
        if start <= offset < end:
            found += [letter async for letter in letters(bootstrap, Bounds(offset, offset + 1))]
        if not found or found[-1].offset != offset:
            there = f"it has {start} to {end - 1}" if end > start else "it has none"
            raise CommandError(f"{DEAD_LETTER.name} has no record at offset {offset}: {there}. "
                               "`outreach dead-letters list` shows them.")
    return found
