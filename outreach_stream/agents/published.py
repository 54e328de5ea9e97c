"""What a run left on the topics, read from Kafka."""

from collections.abc import AsyncIterator, Sequence

from outreach_stream import topics
from outreach_stream.streaming.reader import RangeReader

TOGETHER = 500
"""Results handed over at a time."""


class KafkaPublished:
    """`runs.ports.Published` for one partition. Connects anew for each use: logs are written seldom."""

    def __init__(self, bootstrap: str, partition: int) -> None:
        self._bootstrap, self._partition = bootstrap, partition

    async def results(self, start: int, end: int) -> AsyncIterator[Sequence[bytes]]:
        """Values of `send.result` from offset `start` up to before `end`."""
        values: list[bytes] = []
        reader = RangeReader(self._bootstrap)
        async for record in reader.records(topics.SEND_RESULT.name, self._partition, start, end):
            values.append(record.value)
            if len(values) >= TOGETHER:
                yield values
                values = []
        yield values

    async def chunk(self, offset: int) -> bytes:
        """Value of the `run.chunk` record at `offset`."""
        async with RangeReader(self._bootstrap) as reader:
            return await reader.get(topics.RUN_CHUNK.name, self._partition, offset)
