"""`run.chunk` as storage: written at its end, read by offset."""

from dataclasses import dataclass
from typing import Protocol

from outreach_stream.dispatch.ports import ChunkGone
from outreach_stream.domain.identity import partition_of
from outreach_stream.streaming.app import StreamApp
from outreach_stream.streaming.produce import Record, produce
from outreach_stream.streaming.reader import RecordGone
from outreach_stream.topics import RUN_CHUNK


class Records(Protocol):
    """Records by their place: a `RangeReader`, or several."""

    async def get(self, topic: str, partition: int, offset: int) -> bytes:
        """The value of one; raises `RecordGone`, `TimeoutError`."""


@dataclass(frozen=True, slots=True)
class RunChunks:
    """Writes one run's chunks."""

    app: StreamApp
    run_id: str
    partitions: int

    async def append(self, chunk: bytes) -> int:
        """The chunk's offset, once it is durable."""
        records = [Record(self.run_id.encode(), chunk)]
        partition = partition_of(self.run_id, self.partitions)
        return (await produce(self.app.aiokafka_producer, RUN_CHUNK.name, partition, records))[0]


@dataclass(frozen=True, slots=True)
class StoredChunks:
    """Reads chunks of any run."""

    reader: Records
    partitions: int

    async def read(self, run_id: str, offset: int) -> bytes:
        """A chunk as it was written; raises `ChunkGone`, `TimeoutError`."""
        try:
            return await self.reader.get(RUN_CHUNK.name, partition_of(run_id, self.partitions), offset)
        except RecordGone as error:
            raise ChunkGone(str(error)) from error
