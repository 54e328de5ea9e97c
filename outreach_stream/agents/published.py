"""What a run left on the topics, read from Kafka."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from typing import Any, Self, cast

from outreach_stream import topics
from outreach_stream.streaming.reader import RangeReader

TOGETHER = 500
"""Results handed over at a time."""


class KafkaPublished:
    """`runs.ports.Published` for one partition, as an async context manager, for one event loop.

    Results are read by a consumer of their own; the one for chunks is connected when the first is asked for.
    """

    def __init__(self, bootstrap: str, partition: int) -> None:
        self._partition = partition
        self._reader = RangeReader(bootstrap)
        self._connected = False

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._connected:
            await self._reader.stop()

    async def results(self, start: int, end: int) -> AsyncGenerator[Sequence[bytes]]:
        """Values of `send.result` from offset `start` up to before `end`."""
        values: list[bytes] = []
        records = self._reader.records(topics.SEND_RESULT.name, self._partition, start, end)
        async with aclosing(cast("AsyncGenerator[Any]", records)):      # or its consumer stays open after an error
            async for record in records:
                values.append(record.value)
                if len(values) >= TOGETHER:
                    yield values
                    values = []
        yield values

    async def chunk(self, offset: int) -> bytes:
        """Value of the `run.chunk` record at `offset`."""
        if not self._connected:
            await self._reader.start()
            self._connected = True
        return await self._reader.get(topics.RUN_CHUNK.name, self._partition, offset)
