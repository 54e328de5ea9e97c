"""What tests of the runs are made of: requests, results, and tables in memory."""

import asyncio
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from outreach_stream.domain.events import RunRequested, SendResult
from outreach_stream.domain.identity import send_id

NOW = 1_790_000_000.0
RUN = "3f2b6c1e-8d0a-5c57-9a51-0d8c2f0f7a11"


class MemoryTable:
    """A `runs.ports.Table` in which several writers can be played; `entries` outlives a book, as the real one does."""

    def __init__(self, entries: dict[tuple[bytes, bytes], bytes] | None = None, writer: bytes = b"writer-1") -> None:
        self.entries = {} if entries is None else entries
        self.writer = writer
        self.writes = 0

    def copies(self, partition: int, key: bytes) -> list[tuple[bytes, bytes]]:
        return [(writer, value) for (known, writer), value in self.entries.items() if known == key]

    def scan(self, partition: int, prefix: bytes) -> Iterator[tuple[bytes, bytes, bytes]]:
        for (key, writer), value in sorted(self.entries.items()):
            if key.startswith(prefix):
                yield key, writer, value

    async def _durable(self) -> None:
        await asyncio.sleep(0)

    def write(self, partition: int, key: bytes, value: bytes) -> Any:
        self.entries[key, self.writer] = value
        self.writes += 1
        return self._durable()


@pytest.fixture
def memory_table() -> type[MemoryTable]:
    """The table's class: a test makes as many writers as it needs."""
    return MemoryTable


@pytest.fixture
def requested() -> Callable[..., RunRequested]:
    """Makes the request of a run; keywords override its fields."""
    def make(**fields: Any) -> RunRequested:
        return RunRequested(**{
            "run_id": RUN, "trigger_id": "t-1", "source": "test", "workflow_id": "7", "workflow_name": "Spring",
            "workflow_version": "3", "template_id": "spring", "template_version": "2", "spec": "d" * 64,
            "engine": "relay", "lanes": [0, 1], "priority": "bulk", "body": "b" * 64, "triggered_at": NOW - 1,
            "admitted_at": NOW, "deadline": NOW + 86_400, **fields})
    return make


@pytest.fixture
def result() -> Callable[..., SendResult]:
    """Makes the result of recipient `index` of a chunk; keywords override its fields."""
    def make(index: int, chunk: int = 0, **fields: Any) -> SendResult:
        run_id = fields.pop("run_id", RUN)
        return SendResult(**{
            "run_id": run_id, "send_id": send_id(run_id, chunk, index), "chunk": chunk, "index": index,
            "email": f"p{chunk}-{index}@example.org", "status": "sent", "engine": "relay", "attempts": 1,
            "message_id": f"<{chunk}.{index}@example.org>", "started_at": "2026-09-21T12:53:19.000Z",
            "finished_at": "2026-09-21T12:53:20.000Z", **fields})
    return make
