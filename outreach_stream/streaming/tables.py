"""Tables that several writers may write at once, because each keeps a copy of its own."""

import asyncio
import os
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from faust.types import TP

from outreach_stream.streaming.changelog import Changelog
from outreach_stream.streaming.copies import WRITER_BYTES, escape, split, stored_key, stored_prefix
from outreach_stream.streaming.produce import Record

if TYPE_CHECKING:
    from outreach_stream.streaming.app import StreamApp

SMALL = {"block_cache_size": 32 << 20, "write_buffer_size": 8 << 20}
"""RocksDB's caches per partition; Faust's defaults are 2 GiB and 64 MiB."""

COMPACT_OFTEN = {"segment.ms": "600000", "min.cleanable.dirty.ratio": "0.1"}
"""A recovery reads what compaction left: 15,000 records a second."""

WRITER = os.urandom(WRITER_BYTES)
"""This process, as a writer. Random: a restart is another writer, for its predecessor's records may still arrive."""


class PartitionNotOwned(LookupError):  # noqa: N818 - named as it is said
    """The partition is not open here: it was never ours, or has left."""


class MergedTable:
    """A table of raw bytes, partition by partition, with one copy of a value per writer.

    A process that was frozen thaws with records in its send buffer, and no lease can stop those. Were there one copy,
    they would overwrite the next owner's. So each writes its own, and a reader merges all of them by a rule of its own
    (OR of bitmaps, maximum, first by offset); an owner may fold old copies into its own and delete them.

    Keys and values are any bytes. `partitions` must be the count of the source topics: then their owner owns the
    table's partition of the same number. `ttl_seconds`: entries are dropped some time after so long without a write.
    Reads are local and never wait. May be called from any task between `on_assigned` and `on_released`; afterwards
    everything raises PartitionNotOwned once Faust has closed the partition.
    """

    def __init__(self, app: "StreamApp", name: str, partitions: int, *, ttl_seconds: int | None = None) -> None:
        self._app, self.writer = app, WRITER
        table: Any = app.Table(
            name, partitions=partitions, key_type=bytes, value_type=bytes,
            extra_topic_configs=COMPACT_OFTEN | app.changelog_config,
            options={**SMALL, **({} if ttl_seconds is None else {"ttl": ttl_seconds})})
        table.changelog_topic = table._new_changelog_topic(
            retention=ttl_seconds, compacting=True, deleting=ttl_seconds is not None)
        self._table = table
        self._changelogs: dict[int, Changelog] = {}
        app.on_released.append(self._close)

    def copies(self, partition: int, key: bytes) -> list[tuple[bytes, bytes]]:
        """(writer, value) of every copy of `key`."""
        return [(writer, value) for _, writer, value in self._entries(partition, stored_prefix(key))]

    def scan(self, partition: int, prefix: bytes = b"") -> Iterator[tuple[bytes, bytes, bytes]]:
        """(key, writer, value) of every copy whose key begins with `prefix`, in key order, as of the first step."""
        return self._entries(partition, escape(prefix))

    def write(self, partition: int, key: bytes, value: bytes) -> asyncio.Future[None]:
        """Writes our own copy: visible here at once, durable when the future is done (await many together).

        Raises RecordTooLarge. If the future raises, the store is ahead of the changelog: write it again.
        """
        return self._put(partition, stored_key(key, self.writer), value)

    def delete(self, partition: int, key: bytes, writer: bytes) -> asyncio.Future[None]:
        """Deletes one writer's copy, as `write` writes one."""
        return self._put(partition, stored_key(key, writer), None)

    def _put(self, partition: int, stored: bytes, value: bytes | None) -> asyncio.Future[None]:
        db = self._db(partition)
        written = self._changelog(partition).add(Record(stored, value))
        if value is None:
            db.delete(stored)
        else:
            db.put(stored, value)
        return written

    def _entries(self, partition: int, prefix: bytes) -> Iterator[tuple[bytes, bytes, bytes]]:
        for stored, value in self._db(partition).items(from_key=prefix):
            if not stored.startswith(prefix):
                return
            if entry := split(stored):
                yield *entry, value

    def _db(self, partition: int) -> Any:
        db = self._table.data._dbs.get(partition)   # stock opens what is not there, and would keep it open
        if db is None:
            raise PartitionNotOwned(f"table {self._table.name}, partition {partition}")
        return db

    def _changelog(self, partition: int) -> Changelog:
        changelog = self._changelogs.get(partition)
        if changelog is None:
            tp = TP(self._table.changelog_topic_name, partition)
            recovered: int = self._app.tables.recovery.active_highwaters.get(tp, -1)    # type: ignore[attr-defined]
            changelog = self._changelogs[partition] = Changelog(self._app, tp, recovered, self._persist)
        return changelog

    def _persist(self, tp: TP, offset: int) -> None:
        if tp.partition in self._table.data._dbs:
            self._table.data.set_persisted_offset(tp, offset)

    def _close(self) -> None:
        for changelog in self._changelogs.values():
            changelog.close()
        self._changelogs.clear()
