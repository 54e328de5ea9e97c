"""track: the runs' book-keeper. Publishes new runs for planning, counts results, says where each run stands."""

import asyncio
from collections import Counter, defaultdict
from collections.abc import Iterable
from contextlib import suppress
from functools import partial
from typing import Any

import structlog
from aiokafka.errors import KafkaError
from pydantic import ValidationError

from outreach_stream import topics
from outreach_stream.agents.by_run import produce_by_run
from outreach_stream.agents.cloud_events import cloud_headers
from outreach_stream.agents.durable import bury_all, make_durable
from outreach_stream.agents.readings import of_runs
from outreach_stream.agents.unreadable import problem
from outreach_stream.domain.clock import Clock, wall_clock
from outreach_stream.domain.control import Control, Subject
from outreach_stream.domain.events import RUN_EVENT, ReplayRequested, RunEvent, RunRequested, RunStatus
from outreach_stream.domain.identity import partition_of
from outreach_stream.domain.states import RunState
from outreach_stream.runs.book import Book, Touched
from outreach_stream.runs.replay import replayed
from outreach_stream.runs.results import MalformedResultError, Result, read_result
from outreach_stream.streaming.app import StreamApp
from outreach_stream.streaming.batch import Batch
from outreach_stream.streaming.produce import Record, produce
from outreach_stream.streaming.tables import MergedTable, PartitionNotOwned

log = structlog.get_logger()

KEPT = 90 * topics.DAY
"""Seconds a run is known: repeated triggers are recognised for so long."""

STATUS_SECONDS = 0.25
"""Seconds between two progress statuses of a run."""


class Track:
    """The agents of `run.event` and `send.result`, and the books of the partitions that are ours.

    Both write to the same books; an order between them is not needed, because noting is commutative.
    """

    def __init__(self, app: StreamApp, layout: topics.Layout, control: Control | None = None, *,
                 clock: Clock = wall_clock) -> None:
        self._app, self._layout, self._clock = app, layout, clock
        self.control = control or Control()
        self._runs = MergedTable(app, "runs", layout.runs, ttl_seconds=KEPT)
        self._tallies = MergedTable(app, "tally", layout.runs, ttl_seconds=KEPT)
        self._books: dict[int, Book] = {}
        self._telling: defaultdict[int, asyncio.Lock] = defaultdict(asyncio.Lock)

    def register(self) -> None:
        """Have the app keep the books."""
        self._app.agent(self._app.batch_topic(topics.RUN_EVENT.name), name="track:events")(self._events)
        results = self._app.batch_topic(topics.SEND_RESULT.name, unhurried=True)
        self._app.agent(results, name="track:results")(self._results)
        self._app.on_released.append(self._books.clear)
        self.control.listeners.append(self._ordered)
        self._app.task(self._tell_progress)
        self._app.sources.append(partial(of_runs, self))

    def states(self) -> Counter[RunState]:
        """How many of the runs in memory are in which state."""
        return sum((book.states() for book in self._books.values()), Counter())

    def book(self, partition: int) -> Book:
        """The book of a partition that is ours; what is in it is read from the tables as it is asked for."""
        if partition not in self._books:
            self._books[partition] = Book(partition, self._runs, self._tallies, self._clock, self.control)
        return self._books[partition]

    def _ordered(self, subject: Subject) -> None:
        for partition, book in self._books.items():
            if subject.kind == "engine" or partition == partition_of(subject.id, self._layout.runs):
                with suppress(PartitionNotOwned):
                    book.ordered(subject)

    async def _events(self, stream: Any) -> None:
        async for batch in self._app.batches(stream):
            await make_durable(batch, lambda batch=batch: self._note_events(batch))     # type: ignore[misc]

    async def _note_events(self, batch: Batch) -> None:
        partition, (events, replays, unreadable) = batch.tp.partition, _read_events(batch)
        await bury_all(self._app, batch, unreadable)
        book = self.book(partition)
        # A run is only noted once it is published for planning: a crash between the two plans it twice, harmlessly.
        await self._publish_for_planning(partition, book.new_requests(events))
        if await batch.owned():
            touched = book.apply(events)
            await asyncio.gather(*book.write(touched))
            await self._answer(book, replays)
            await self._finish(batch, book, touched, touched.runs)

    async def _answer(self, book: Book, replays: list[ReplayRequested]) -> None:
        """The new runs, or why there are none, to their own partitions. Asked again, the first answer stands there."""
        answers = [replayed(it, book.record(it.run_id), book.tallies(it.run_id), self._clock()) for it in replays]
        await produce_by_run(self._app, topics.RUN_EVENT.name, self._layout.runs, (
            (answer.run_id, Record(answer.run_id.encode(), answer.encode())) for answer in answers))

    async def _results(self, stream: Any) -> None:
        async for batch in self._app.batches(stream):
            await make_durable(batch, lambda batch=batch: self._note_results(batch))    # type: ignore[misc]

    async def _note_results(self, batch: Batch) -> None:
        results, unreadable = _read_results(batch)
        await bury_all(self._app, batch, unreadable)
        if await batch.owned():
            book = self.book(batch.tp.partition)
            touched = book.count(results)
            await asyncio.gather(*book.write(touched))
            await self._finish(batch, book, touched, book.ended(touched))

    async def _finish(self, batch: Batch, book: Book, touched: Touched, told: Iterable[str]) -> None:
        if await batch.owned():
            await self._tell(batch.tp.partition, book, list(told))
        book.forget(touched)

    async def _publish_for_planning(self, partition: int, requests: list[RunRequested]) -> None:
        by_topic: defaultdict[str, list[Record]] = defaultdict(list)
        for request in requests:
            topic = topics.RUN_ADMITTED_EXPRESS if request.priority == "express" else topics.RUN_ADMITTED
            by_topic[topic.name].append(Record(request.run_id.encode(), request.encode()))
        await asyncio.gather(*(produce(self._app.aiokafka_producer, topic, partition, records)
                               for topic, records in by_topic.items()))

    async def tell_again(self, partition: int, run_id: str) -> None:
        """Publish the status of a run that has its log: what was published last is older."""
        await self._tell(partition, self.book(partition), [run_id])

    async def give_up(self, partition: int, run_ids: list[str]) -> None:
        """End runs that nobody works on any more."""
        book = self.book(partition)
        await asyncio.gather(*book.write(book.give_up(run_ids)))
        await self._tell(partition, book, run_ids)

    async def _tell(self, partition: int, book: Book, run_ids: list[str]) -> None:
        """Publish the statuses of runs, as they stand now; one at a time, so that an old one never follows a newer."""
        async with self._telling[partition]:
            statuses = [status for run_id in run_ids if (status := book.status(run_id))]
            await produce(self._app.aiokafka_producer, topics.RUN_STATUS.name, partition, map(_status_record, statuses))
        book.forget(Touched(runs=dict.fromkeys(run_ids)))

    async def _tell_progress(self) -> None:
        while not self._app.should_stop:
            await asyncio.sleep(STATUS_SECONDS)
            for partition, book in list(self._books.items()):
                dirty = list(book.dirty)
                if not dirty or not self._app.lease.valid():
                    continue
                try:
                    await self._tell(partition, book, dirty)
                except (KafkaError, PartitionNotOwned) as error:
                    log.warning("progress_not_told", partition=partition, error=repr(error))
                    book.dirty.update(dict.fromkeys(dirty))


def _read_events(batch: Batch) -> tuple[list[RunEvent], list[ReplayRequested], dict[int, str]]:
    """What happened to runs, what is asked of them, and what cannot be read."""
    events: list[RunEvent] = []
    replays: list[ReplayRequested] = []
    unreadable = {}
    for i, record in enumerate(batch.records):
        try:
            event = RUN_EVENT.validate_json(record.value or b"")
        except ValidationError as error:
            unreadable[i] = problem("RunEvent", error)
        else:
            if isinstance(event, ReplayRequested):
                replays.append(event)
            else:
                events.append(event)
    return events, replays, unreadable


def _read_results(batch: Batch) -> tuple[list[Result], dict[int, str]]:
    results, unreadable = [], {}
    for i, record in enumerate(batch.records):
        try:
            results.append(read_result(record.value, record.offset))
        except MalformedResultError as error:
            unreadable[i] = f"not a SendResult: {error}"
    return results, unreadable


def _status_record(status: RunStatus) -> Record:
    headers = cloud_headers("outreach.run.status", f"/workflows/{status.workflow_id}",
                            f"{status.run_id}/{status.state}/{status.updated_at}", status.updated_at)
    return Record(status.run_id.encode(), status.encode(), headers)
