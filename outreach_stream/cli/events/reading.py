"""Reading a topic as a bystander: all its partitions, without a group, nothing committed."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from heapq import merge
from typing import Self

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition

from outreach_stream.broker.access import kafka_access
from outreach_stream.cli.kafka import READ_TIMEOUT, told_if_away

POLL_MS = 200
"""Milliseconds after which a read that brought nothing returns, so that the end is noticed."""

CLOSE_TIMEOUT = 1.0
"""Seconds that the connections have to close; whoever pressed Ctrl-C does not wait for a broker that is away."""

type Places = Mapping[TopicPartition, int]


class Topic:
    """A topic of a broker that answers; use as an async context manager. All raise `BrokerUnreachableError`.

    Of a partition, records come in their order; those of several that come at a time are sorted by their times.
    """

    def __init__(self, bootstrap: str, name: str) -> None:
        self._bootstrap, self._name = bootstrap, name

    async def __aenter__(self) -> Self:
        self._consumer = AIOKafkaConsumer(
            self._name, bootstrap_servers=self._bootstrap, group_id=None, enable_auto_commit=False,
            auto_offset_reset="earliest", isolation_level="read_committed", request_timeout_ms=int(READ_TIMEOUT * 1000),
            **kafka_access())
        try:
            with told_if_away(self._bootstrap, "being read"):
                await self._consumer.start()
                self._begin: Places = await self._consumer.beginning_offsets(self._consumer.assignment())
                self._end: Places = await self._consumer.end_offsets(self._consumer.assignment())
        except BaseException:
            await self._close()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._close()

    async def _close(self) -> None:
        await asyncio.wait([asyncio.create_task(self._consumer.stop())], timeout=CLOSE_TIMEOUT)

    async def all(self) -> AsyncIterator[Iterable[ConsumerRecord]]:
        """Everything that was there at the start."""
        async for records in self._until_end(self._begin):
            yield records

    async def last(self, count: int, wanted: Callable[[ConsumerRecord], bool]) -> list[ConsumerRecord]:
        """The last so many of the wanted ones that were there at the start, oldest first.

        Looks further and further back until it has enough and no partition has younger ones in what is not read: of a
        long topic that is mostly little.
        """
        found: list[ConsumerRecord] = []
        back, complete = count, not count
        while not complete:
            start = {tp: max(begin, self._end[tp] - back) for tp, begin in self._begin.items()}
            found, since = [], dict[int, int]()
            async for records in self._until_end(start):
                came = list(records)
                for record in came:
                    since.setdefault(record.partition, _time(record))
                found = sorted([*found, *filter(wanted, came)], key=_time)[-count:]
            oldest = _time(found[0]) if len(found) == count else 0
            complete = all(offset == self._begin[tp] or since.get(tp.partition, oldest + 1) <= oldest
                           for tp, offset in start.items())
            back *= 10
        return found

    async def new(self) -> AsyncIterator[Iterable[ConsumerRecord]]:
        """What has come since the start, and comes, without end; waits for a broker that is away."""
        self._seek(self._end)
        while True:
            with told_if_away(self._bootstrap, "being read"):
                fetched = await self._consumer.getmany(timeout_ms=POLL_MS)
            yield merge(*fetched.values(), key=_time)

    async def _until_end(self, start: Places) -> AsyncIterator[Iterable[ConsumerRecord]]:
        self._seek(start)
        position = start
        while any(position[tp] < end for tp, end in self._end.items()):
            with told_if_away(self._bootstrap, "being read"):
                async with asyncio.timeout(READ_TIMEOUT):
                    fetched, position = await self._some(position)
            yield merge(*([record for record in records if record.offset < self._end[tp]]
                          for tp, records in fetched.items() if tp in self._end), key=_time)

    async def _some(self, position: Places) -> tuple[Mapping[TopicPartition, list[ConsumerRecord]], Places]:
        """What comes next, and where that ends: further on at least in one partition."""
        while True:
            fetched = await self._consumer.getmany(timeout_ms=POLL_MS)
            reached = {tp: await self._consumer.position(tp) for tp in self._end}
            if reached != position:
                return fetched, reached

    def _seek(self, places: Places) -> None:
        for tp, offset in places.items():
            self._consumer.seek(tp, offset)


def _time(record: ConsumerRecord) -> int:
    return int(record.timestamp)
