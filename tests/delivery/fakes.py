"""What a sending floor stands on, in memory: a table that is durable a moment later, and a ledger's batches."""

import asyncio
from collections.abc import Sequence
from typing import Any

from outreach_stream.domain.events import SendRequested
from outreach_stream.domain.identity import send_id
from outreach_stream.domain.marks import Marks
from outreach_stream.domain.message import OutgoingMessage
from outreach_stream.domain.outcomes import Accepted, Outcome, Transient
from outreach_stream.domain.ports import Unrenderable
from outreach_stream.engines.memory import Script
from tests.messages import raw

BULK, EXPRESS, RUN, NOW = "bulk", "express", "run", 1_000.0


class DurableTable:
    """`Copies` in memory: readable at once, durable a moment later, as the real one."""

    def __init__(self, durable: dict[tuple[int, bytes], dict[bytes, bytes]], writer: bytes, journal: list[Any]) -> None:
        self.durable, self.writer, self.journal = durable, writer, journal
        self.store = {place: dict(copies) for place, copies in durable.items()}
        self.failures = 0
        self.stalled = False

    def copies(self, partition: int, key: bytes) -> list[tuple[bytes, bytes]]:
        return list(self.store.get((partition, key), {}).items())

    def scan(self, partition: int, prefix: bytes) -> list[tuple[bytes, bytes, bytes]]:
        return [(key, writer, value) for (owned, key), copies in sorted(self.store.items())
                if owned == partition and key.startswith(prefix) for writer, value in copies.items()]

    async def write(self, partition: int, key: bytes, value: bytes) -> None:
        self.store.setdefault((partition, key), {})[self.writer] = value
        await asyncio.sleep(0.001)
        while self.stalled:
            await asyncio.sleep(0.001)
        if self.failures:
            self.failures -= 1
            raise OSError("not written")
        self.durable.setdefault((partition, key), {})[self.writer] = value
        self.journal.append(("table", key[:1].decode()))

    async def delete(self, partition: int, key: bytes, writer: bytes) -> None:
        self.store[partition, key].pop(writer, None)
        await asyncio.sleep(0.001)  # after the writes that came before it
        self.durable.get((partition, key), {}).pop(writer, None)

    def marks(self, partition: int, key: bytes) -> Marks:
        """What is durable of a chunk, merged."""
        marks = Marks()
        for value in self.durable.get((partition, key), {}).values():
            marks.merge(Marks.decode(value))
        return marks


class FakeBatch:
    """`Ledgered`, with the gate in the test's hands."""

    def __init__(self, size: int, journal: list[Any]) -> None:
        self.live, self.draining, self.stale, self.lost = True, False, False, False
        self.states = ["waiting"] * size
        self.journal = journal

    async def claim(self, i: int) -> bool:
        while self.live and not self.draining:
            if self.claim_nowait(i):
                return True
            await asyncio.sleep(0.001)
        return False

    def claim_nowait(self, i: int) -> bool:
        if not self.live or self.draining or self.stale:
            return False
        if self.states[i] == "waiting":
            self.states[i] = "claimed"
        return True

    async def owned(self) -> bool:
        while self.live and not self.lost:
            if not self.stale:
                return True
            await asyncio.sleep(0.001)
        return False

    def done(self, i: int) -> None:
        self.states[i] = "done"
        self.journal.append(("done", i))

    def release(self, i: int) -> None:
        if self.states[i] == "claimed":
            self.states[i] = "waiting"


class PlainComposer:
    def compose(self, request: SendRequested, now: float) -> OutgoingMessage:
        if request.variables.get("broken"):
            raise Unrenderable("template: subject: 'broken' is undefined")
        if request.variables.get("bug"):
            raise KeyError("bug")
        return raw(send_id(request.run_id, request.chunk, request.index), "us@x.example", request.email)

    def compose_all(self, requests: Sequence[SendRequested], now: float) -> list[OutgoingMessage | Unrenderable]:
        made: list[OutgoingMessage | Unrenderable] = []
        for request in requests:
            try:
                made.append(self.compose(request, now))
            except Unrenderable as error:
                made.append(error)
        return made


def request(index: int, **fields: Any) -> SendRequested:
    given = {"run_id": RUN, "chunk": 0, "index": index, "email": f"p{index}@x.example", "spec": "d", "engine": "e",
             "deadline": NOW + 60} | fields
    return SendRequested.model_validate(given)


def busy_for(*indexes: int) -> Script:
    """A provider that defers these at their first attempt."""
    seen: set[str] = set()

    def script(message: OutgoingMessage) -> Outcome:
        first = message.message_id not in seen
        seen.add(message.message_id)
        return Transient("busy") if first and int(message.message_id.rsplit(":", 1)[1]) in indexes else Accepted("1")
    return script
