"""Several readers by offset, so that nobody who reads one partition waits for whoever reads another."""

import asyncio

from outreach_stream.streaming.reader import RangeReader

READERS = 4
"""Consumers, each with a connection or two of its own."""


class RangeReaders:
    """Reads single records as `RangeReader` does; a partition is always read by the same one of several.

    One consumer that jumps between partitions loses what it had fetched ahead, and waits for fetches under way: twenty
    times as long. `start` before the first read, `stop` after the last.
    """

    def __init__(self, bootstrap: str) -> None:
        self._readers = [RangeReader(bootstrap) for _ in range(READERS)]

    async def start(self) -> None:
        """Connects them."""
        await asyncio.gather(*(reader.start() for reader in self._readers))

    async def stop(self) -> None:
        """Closes them."""
        await asyncio.gather(*(reader.stop() for reader in self._readers))

    async def get(self, topic: str, partition: int, offset: int) -> bytes:
        """The value of one record. Raises `RecordGone`, `TimeoutError`."""
        return await self._readers[partition % READERS].get(topic, partition, offset)
