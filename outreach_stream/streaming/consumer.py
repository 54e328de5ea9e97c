"""Faust's consumer, made to deliver batches and to commit only what is finished.

Written for faust-streaming 0.15.3 and aiokafka 0.14.0; `tests/streaming/test_library_guard.py` notices a change of what
is overridden here. Each override says why the stock code will not do.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from time import time
from typing import TYPE_CHECKING, Any, cast, override

from aiokafka import ConsumerRecord
from faust.transport.consumer import ensure_TP
from faust.transport.drivers import aiokafka as driver
from faust.types import TP
from faust.types.tuples import ConsumerMessage

from outreach_stream.streaming.batch import Gate
from outreach_stream.streaming.co_location import check_co_location, unseen_changelogs
from outreach_stream.streaming.drain import Drain
from outreach_stream.streaming.ledger import Ledger, cut
from outreach_stream.streaming.own_work import OwnWork
from outreach_stream.streaming.thread import LeasedThread

if TYPE_CHECKING:
    from outreach_stream.streaming.app import StreamApp


class BatchConsumer(driver.Consumer):
    """Delivers one Faust event per partition and fetch, and commits the lowest unfinished offset."""

    app: "StreamApp"

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.ledgers: dict[TP, Ledger] = {}     # absent from the revocation until the seek: nothing is admitted
        self.positioned = False                 # true from the seek until the revocation
        self._announced = False                 # `on_assigned` was begun, so `on_released` is due
        self._assignment = 0                    # grows with each beginning and end of an assignment
        self.taken: Counter[str] = Counter()    # records that were handed out, by topic
        self.batches_taken: Counter[str] = Counter()
        self.committed_at = 0.0                 # when a commit last succeeded, in seconds since the epoch
        self._seeking = asyncio.Lock()          # recovery and the fetcher may both ask for the seek
        super().__init__(*args, **kwargs)
        self.gate = Gate(self.app.lease)
        self.own_work = OwnWork(self.gate)
        self.drain = Drain(self)

    @override
    def _new_consumer_thread(self) -> LeasedThread:  # stock: its own thread class, by name
        return LeasedThread(self, loop=self.loop, beacon=self.beacon)

    # --- fetching ---

    @override
    async def getmany(self, timeout: float) -> AsyncIterator[tuple[TP, ConsumerMessage]]:
        # stock: one message per record, and fetched records are dropped for good at a rebalance or a full buffer
        if self.flow_active and not self._get_active_partitions():
            await self.sleep(0.02)              # stock: 1 s when every partition is over its bound
            return
        if self.flow_active and not self.app.rebalancing:
            await self._read_dropped_again()
        fetched, active = await self._wait_next_records(min(timeout, 0.2))
        if not fetched or self.should_stop:
            return
        generation, refused = self.app.consumer_generation_id, set()
        items = self._items(fetched)
        for tp, item in self.scheduler.iterate(items):
            if not self.flow_active or self.app.consumer_generation_id != generation:
                self._mark_suspect(items)       # a rebalance: a seek follows
                return
            if tp in refused or not (active is None or tp in active or tp in self._buffered_partitions):
                self._mark_suspect([tp])
                continue
            message = self._admit(tp, item) if tp.topic in self.app.batch_topics else self._to_message(tp, item)
            if message is None:
                refused.add(tp)                 # nor what follows it in this fetch
                continue
            self.app.monitor.track_tp_end_offset(tp, self.highwater(tp))
            yield tp, message

    def _items(self, fetched: Mapping[Any, list[ConsumerRecord]]) -> dict[TP, list[Any]]:
        """What the scheduler takes turns with: runs of records of batch topics, records of the others."""
        limits, topics = self.app.limits, self.app.batch_topics
        return {ensure_TP(tp): cut(records, limits.batch_records, limits.batch_bytes) if tp.topic in topics else records
                for tp, records in fetched.items()}

    def _admit(self, tp: TP, records: Sequence[ConsumerRecord]) -> ConsumerMessage | None:
        """A run of records as one Faust message; None: not now (it is read again), or handed out before."""
        ledger = self.ledgers.get(tp)
        if ledger is None or self.app.rebalancing:  # a seek is still to come, or Faust will clear the queues
            self._mark_suspect([tp])
            return None
        batch = ledger.admit(records)
        if batch is None:
            return None
        self.taken[tp.topic] += len(batch.records)
        self.batches_taken[tp.topic] += 1
        if ledger.load >= self.app.limits.load_high or ledger.size >= self.app.limits.load_bytes:
            self.on_buffer_full(tp)
        first = batch.records[0]
        message = ConsumerMessage(              # its value is the batch: nothing is copied
            tp.topic, tp.partition, first.offset, first.timestamp / 1000.0, first.timestamp_type, None, None,
            cast("Any", batch), None, 0, 0, tp, generation_id=self.app.consumer_generation_id)
        message.tracked = True                  # keeps it out of Faust's own list of unacknowledged messages
        return message

    def _mark_suspect(self, tps: Iterable[TP]) -> None:
        for tp in tps:
            if tp in self.ledgers:
                self.ledgers[tp].mark_suspect()

    async def _read_dropped_again(self) -> None:
        """Seeks back to what was dropped: once, for a hole that stays is compaction or a transaction marker."""
        if not self.positioned and self.assignment():
            await self.perform_seek()           # a recovery that another rebalance overtook may not have come to it
        again = {tp: ledger for tp, ledger in self.ledgers.items() if ledger.must_read_again()}
        if not again:
            return
        try:
            await self.seek_wait({tp: ledger.next_offset for tp, ledger in again.items()})
        except Exception as exc:  # noqa: BLE001  (tried again at the next fetch; a rebalance may be under way)
            self.log.warning("Seek to dropped records: %r", exc)
        else:
            for ledger in again.values():
                ledger.reading_again()

    @override
    async def _add_gap(self, tp: TP, offset_from: int, offset_to: int) -> None:
        if tp.topic not in self.app.batch_topics:   # stock: every batch but the first looks like a gap
            await super()._add_gap(tp, offset_from, offset_to)

    def _finished(self, tp: TP) -> None:
        ledger, limits = self.ledgers.get(tp), self.app.limits
        if ledger is None or self.gate.draining:
            return
        if ledger.load <= limits.load_low and ledger.size <= limits.load_bytes // 2:
            self.on_buffer_drop(tp)

    # --- committing: the lowest unfinished offset ---

    @override
    def _filter_tps_with_pending_acks(self, topics: Any = None) -> Iterator[TP]:
        # stock: only partitions in Faust's own list of acks
        yield from (tp for tp in super()._filter_tps_with_pending_acks(topics) if tp not in self.ledgers)
        yield from (tp for tp in list(self.ledgers) if topics is None or tp in topics or tp.topic in topics)

    @override
    def _new_offset(self, tp: TP) -> int | None:    # stock: passes over records that are still in work
        ledger = self.ledgers.get(tp)
        return super()._new_offset(tp) if ledger is None else ledger.committable()

    @override
    async def _commit_offsets(self, offsets: Mapping[TP, int], start_new_transaction: bool = True) -> bool:
        before = {tp: self._committed_offset[tp] for tp in offsets if tp in self.ledgers}
        did_commit = await super()._commit_offsets(offsets, start_new_transaction)
        if not did_commit:                      # stock: notes a failed commit as made, and never repeats it
            self._committed_offset.update(before)
        else:
            self.committed_at = time()
        return did_commit

    # --- rebalance, recovery, stop ---

    @override
    async def wait_empty(self) -> None:         # stock: no time limit, and does not know batches
        """Called before partitions are revoked and (twice) on stop: claimed records end, then a commit."""
        await self.drain.run()

    @override
    async def on_partitions_revoked(self, revoked: set[TP]) -> None:
        # stock forgets its offsets only after it has called the app, which drains; so does this with the ledgers
        await super().on_partitions_revoked(revoked)
        self._leave()

    @override
    async def on_partitions_assigned(self, assigned: set[TP], generation_id: int = 0) -> None:
        # stock knows no drain: it ends here, and what is left of the old assignment is dead
        self._leave()
        self.drain.end()
        await super().on_partitions_assigned(assigned, generation_id)

    @override
    async def on_stop(self) -> None:            # stock drains here too; lanes have to be closed as well
        await super().on_stop()
        self._leave()

    def _leave(self) -> None:
        """The assignment is over; one whose seek is still under way never begins."""
        self._assignment += 1
        self._forget()

    def _forget(self) -> None:
        """The assignment is over (all of it: Faust rebalances eagerly): its batches are dead."""
        for tp, ledger in self.ledgers.items():
            ledger.close()
            self._buffered_partitions.discard(tp)
        self.ledgers.clear()
        self.own_work.close()
        self.positioned = False
        if self._announced:
            self._announced = False
            for hook in self.app.on_released:
                hook()

    @override
    async def perform_seek(self) -> None:       # stock: no seek where nothing is committed, and resumes before it seeks
        """Last step of recovery: opens a ledger for each partition, at the offset that is read next.

        Until then another rebalance may come at every wait: what was found out before it is of no use after it.
        """
        async with self._seeking:
            if not self.positioned:
                await self._position(self._assignment)

    async def _position(self, assignment: int) -> None:
        await super().perform_seek()
        if assignment != self._assignment:
            return
        mine = {tp for tp in self.assignment() if tp.topic in self.app.batch_topics}
        if unseen := self._unseen_changelogs():
            # Nothing is delivered without its tables. The fetcher comes here again until the next assignment.
            self.log.warning("Assigned without changelogs %s: join again", unseen)
            await cast("LeasedThread", self._thread).join_again()
            return
        check_co_location(self.assignment(), self._counts(self.app.co_located_topics()))
        start = {tp: offset for tp in mine if (offset := self._committed_offset[tp])}
        if fresh := mine - start.keys():
            earliest = await self.earliest_offsets(*fresh)
            await self.seek_wait({tp: earliest[tp] for tp in fresh})
            start.update({tp: earliest[tp] for tp in fresh})
        if assignment != self._assignment:
            return
        self._forget()                          # hooks that were cut off are called again
        self._announced = True
        await self.app.call_assigned(mine)
        if assignment != self._assignment:
            return
        self.ledgers = {tp: Ledger(tp, self.gate, offset, self._finished) for tp, offset in start.items()}
        self.positioned = True

    def _counts(self, topics: Iterable[str]) -> dict[str, int | None]:
        return {topic: self.topic_partitions(topic) for topic in topics}

    def _unseen_changelogs(self) -> list[str]:
        co_located = self.app.co_located_topics()
        changelogs = {name: table.partitions for table in self.app.tables.values()
                      if (name := table.changelog_topic_name) in co_located}
        return unseen_changelogs(self.assignment(), self._counts(self.app.batch_topics), changelogs)
