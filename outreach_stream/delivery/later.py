"""What a lane put off: durable in the lane's table, due by time, and armed again wherever the lane goes."""

import asyncio
import heapq
from collections.abc import Callable, Iterable
from typing import NamedTuple

import orjson
import structlog

from outreach_stream.delivery.item import History, ItemKey, LaneKey
from outreach_stream.domain.events import SendRequested
from outreach_stream.domain.ports import Copies

log = structlog.get_logger()


class Entry(NamedTuple):
    """One request that was put off, as it stands in the table."""

    request: SendRequested
    due: float
    """Not to be attempted before; seconds since the epoch."""
    history: History
    tried: bool = False
    """Since it was put off it may have been handed over: durable before that is done."""

    @property
    def key(self) -> ItemKey:
        """What identifies the recipient."""
        return self.request.run_id, self.request.chunk, self.request.index

    def encode(self) -> bytes:
        """The bytes in the table."""
        head = orjson.dumps({"due": self.due, "history": list(self.history), "tried": self.tried})
        return head + b"\n" + self.request.encode()

    @classmethod
    def decode(cls, data: bytes) -> "Entry":
        """What `encode` wrote."""
        head, _, request = data.partition(b"\n")
        told = orjson.loads(head)
        return cls(SendRequested.model_validate_json(request), told["due"], History(*told["history"]), told["tried"])


def merged(copies: Iterable[Entry]) -> Entry:
    """What the copies of several writers say together: the furthest of them, and tried if any was."""
    entries = list(copies)
    last = max(entries, key=lambda entry: (entry.history.rounds, entry.history.attempts, entry.due))
    return last._replace(tried=any(entry.tried for entry in entries))


def prefix(key: LaneKey) -> bytes:
    """What the keys of a lane's entries begin with."""
    return f"l:{key.engine}:{key.topic}:".encode()


def lanes_with_entries(table: Copies, partition: int) -> set[LaneKey]:
    """The lanes of a partition in which something is put off."""
    named = {tuple(stored.decode().split(":", 3)[1:3]) for stored, *_ in table.scan(partition, b"l:")}
    return {LaneKey(topic, partition, engine) for engine, topic in named}


class PutOff:
    """The entries of one lane. In memory are only their keys and when they are to be looked at.

    Each is looked at once at the beginning, and once when it was put: whatever was ordered meanwhile, and is ordered no
    more, is noticed then.

    An entry is removed when its recipient's end is durable, and not before: one that is found beside an end is old.
    """

    def __init__(self, table: Copies, key: LaneKey) -> None:
        self._table, self._partition, self._prefix = table, key.partition, prefix(key)
        self._due: dict[ItemKey, float] = {}
        self._heap: list[tuple[float, ItemKey]] = []
        self.stirred = asyncio.Event()
        """There may be something to look at, or room for more."""
        for stored, *_ in table.scan(key.partition, self._prefix):
            run_id, chunk, index = stored[len(self._prefix):].decode().rsplit(":", 2)
            self._arm((run_id, int(chunk), int(index)), 0.0)

    def __len__(self) -> int:
        return len(self._due)

    def __contains__(self, key: ItemKey) -> bool:
        return key in self._due

    def _arm(self, key: ItemKey, due: float) -> None:
        self._due[key] = due
        heapq.heappush(self._heap, (due, key))
        self.stirred.set()

    async def put(self, entry: Entry) -> None:
        """Write an entry; returns when it is durable, and only then is it looked at."""
        await self.write(entry)
        self._arm(entry.key, 0.0)

    async def write(self, entry: Entry) -> None:
        """Write an entry that is here, as it now is; returns when that is durable."""
        await self._table.write(self._partition, self._stored(entry.key), entry.encode())

    async def write_again(self, key: ItemKey) -> None:
        """Have an entry durable that is here: its first write may have failed, and whoever wrote it may be gone."""
        if (entry := self.read(key)) is not None:
            await self.write(entry)

    def park(self, key: ItemKey, until: float) -> None:
        """Look at an entry again at `until`, or when it is woken; what is durable of it stays."""
        self._arm(key, until)

    def next_due(self) -> float | None:
        """When something is to be looked at; None: nothing is armed."""
        while self._heap and self._due.get(self._heap[0][1]) != self._heap[0][0]:
            heapq.heappop(self._heap)  # armed anew since, or gone
        return self._heap[0][0] if self._heap else None

    def take_due(self, now: float, most: int) -> list[ItemKey]:
        """Keys of entries to be looked at, `most` at most. They stay here, unarmed."""
        taken: list[ItemKey] = []
        while len(taken) < most and (due := self.next_due()) is not None and due <= now:
            key = heapq.heappop(self._heap)[1]
            self._due[key] = float("inf")
            taken.append(key)
        return taken

    def wake(self, now: float, wanted: Callable[[ItemKey], bool] = lambda _: True) -> None:
        """Have those be looked at now that are armed and `wanted`."""
        for key, due in list(self._due.items()):
            if now < due < float("inf") and wanted(key):
                self._arm(key, now)

    def read(self, key: ItemKey) -> Entry | None:
        """The entry; None: it is gone."""
        copies = self._table.copies(self._partition, self._stored(key))
        return merged(Entry.decode(value) for _, value in copies) if copies else None

    async def remove(self, key: ItemKey) -> None:
        """Forget an entry, in the table too; one that cannot be removed there is found to be old later."""
        self._due.pop(key, None)
        self.stirred.set()
        try:
            stored = self._stored(key)
            await asyncio.gather(*(self._table.delete(self._partition, stored, writer)
                                   for writer, _ in self._table.copies(self._partition, stored)))
        except Exception as error:  # noqa: BLE001 - nothing depends on it
            log.info("entry_not_removed", error=repr(error))

    def _stored(self, key: ItemKey) -> bytes:
        return self._prefix + f"{key[0]}:{key[1]}:{key[2]}".encode()
