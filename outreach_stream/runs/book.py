"""The runs of one partition: what was told of them, how many recipients have ended, and what follows."""

from collections import Counter, OrderedDict
from collections.abc import Awaitable, Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import groupby
from operator import attrgetter

import orjson

from outreach_stream.domain.clock import Clock
from outreach_stream.domain.control import Control, Subject
from outreach_stream.domain.events import RunEvent, RunRequested, RunStatus
from outreach_stream.domain.states import RecipientStatus, RunState
from outreach_stream.runs.ports import Table
from outreach_stream.runs.record import RunRecord
from outreach_stream.runs.results import Result
from outreach_stream.runs.status import Ends, run_status
from outreach_stream.runs.tally import Tally

REMEMBERED_CHUNKS = 1_024
"""Chunks whose marks one book keeps in memory, the least recently touched go first: under a MiB, however big a run."""


@dataclass(slots=True)
class Run:
    """A run in memory: its facts, and the sums of its chunks."""

    record: RunRecord
    ends: Ends


@dataclass(slots=True)
class Touched:
    """What a batch has touched, and must be made durable."""

    runs: dict[str, None] = field(default_factory=dict)
    """Ids, in the order in which they came."""
    records: set[str] = field(default_factory=set)
    chunks: dict[tuple[str, int], None] = field(default_factory=dict)


class Book:
    """The runs of one partition, read from its tables when they are first met.

    Everything is noted at once in memory and, by `write`, in the tables' local store; the awaitables say when it is
    durable. Noting a thing twice, or in another order, changes nothing. Not for several threads.
    """

    def __init__(self, partition: int, runs: Table, tallies: Table, clock: Clock,
                 control: Control | None = None) -> None:
        self._partition, self._records, self._tallies, self._clock = partition, runs, tallies, clock
        self._control = control or Control()
        self._runs: dict[str, Run] = {}
        self._chunks: OrderedDict[tuple[str, int], Tally] = OrderedDict()
        self.dirty: dict[str, None] = {}
        """Runs whose status has changed since it was last taken: results were counted, something was ordered."""

    def run(self, run_id: str) -> Run:
        """The run, from memory or else from the tables; an empty one if nothing is known of it."""
        if run_id not in self._runs:
            ends = Ends()
            for _, tally in self.tallies(run_id):
                ends.add(tally)
            self._runs[run_id] = Run(self.record(run_id), ends)
        return self._runs[run_id]

    def record(self, run_id: str) -> RunRecord:
        """The facts of a run, an empty record if nothing is known of it; takes nothing into memory."""
        if run := self._runs.get(run_id):
            return run.record
        return _record(value for _, value in self._records.copies(self._partition, run_id.encode()))

    def tallies(self, run_id: str) -> Iterator[tuple[int, Tally]]:
        """Chunk and tally, for every chunk of the run of which a result has come."""
        copies = self._tallies.scan(self._partition, f"{run_id}:".encode())
        for key, same in groupby(copies, key=lambda copy: copy[0]):
            yield int(key.rpartition(b":")[2]), _merged(value for _, _, value in same)

    def new_requests(self, events: Iterable[RunEvent]) -> list[RunRequested]:
        """The first request of each run that is not admitted yet: to be published for planning before `apply`."""
        new: dict[str, RunRequested] = {}
        for event in events:
            if isinstance(event, RunRequested) and self.run(event.run_id).record.request is None:
                new.setdefault(event.run_id, event)
        return list(new.values())

    def apply(self, events: Iterable[RunEvent]) -> Touched:
        """Note what happened to runs."""
        touched = Touched()
        for event in events:
            self.run(event.run_id).record.apply(event)
            touched.runs[event.run_id] = None
        touched.records.update(touched.runs)
        self._end_completed(touched)
        return touched

    def count(self, results: Iterable[Result]) -> Touched:
        """Note how it ended for recipients."""
        touched = Touched()
        for key, of_chunk in groupby(results, key=_CHUNK_OF):
            if key not in touched.chunks:
                touched.chunks[key] = None
                touched.runs[key[0]] = None
                self.run(key[0]).ends.subtract(self._tally(key))
            note = self._chunks[key].note
            for result in of_chunk:
                note(result)
        for run_id, chunk in touched.chunks:
            self.run(run_id).ends.add(self._chunks[run_id, chunk])
        self.dirty.update(touched.runs)
        self._end_completed(touched)
        return touched

    def _tally(self, key: tuple[str, int]) -> Tally:
        tally = self._chunks.get(key)
        if tally is None:
            copies = self._tallies.copies(self._partition, _chunk_key(key))
            tally = self._chunks[key] = _merged(value for _, value in copies)
        self._chunks.move_to_end(key)
        return tally

    def _end_completed(self, touched: Touched) -> None:
        for run_id in touched.runs:
            run = self.run(run_id)
            record = run.record
            if record.planned and record.plan and not record.ending and run.ends.total >= record.plan.total:
                record.end(self._clock(), cancelled=run.ends.counts[RecipientStatus.CANCELLED] > 0)
                touched.records.add(run_id)

    def write(self, touched: Touched) -> list[Awaitable[None]]:
        """Write what was touched to the tables, as it stands now; to be repeated if one of the awaitables raises."""
        return [
            *(self._records.write(self._partition, run_id.encode(),
                                  self.run(run_id).record.model_dump_json(exclude_none=True).encode())
              for run_id in touched.records),
            *(self._tallies.write(self._partition, _chunk_key(key), self._tally(key).encode())
              for key in touched.chunks),
        ]

    def status(self, run_id: str) -> RunStatus | None:
        """Where the run stands now, for everybody; None: it is not known yet who asked for it."""
        self.dirty.pop(run_id, None)
        run = self.run(run_id)
        return run_status(run_id, run.record, run.ends, self._control, self._clock())

    def ended(self, touched: Touched) -> list[str]:
        """Those touched whose status is due at once, because it may be the last."""
        states = ((run_id, self.run(run_id).record.state) for run_id in touched.runs)
        return [run_id for run_id, state in states if state and state.terminal]

    def logged(self, run_id: str) -> bool:
        """Whether its log is written; takes nothing into memory."""
        return self.record(run_id).log is not None

    def ordered(self, subject: Subject) -> None:
        """Something was ordered: the status of the run is due, or of an engine's runs, of those in memory."""
        if subject.kind == "run":
            about = [(subject.id, self.record(subject.id))]
        else:
            about = [(run_id, run.record) for run_id, run in self._runs.items()
                     if run.record.request and run.record.request.engine == subject.id]
        self.dirty.update((run_id, None) for run_id, record in about if record.request and not record.ending)

    def recall(self, prefix: str) -> None:
        """Take those runs into memory whose ids begin so and of which more is expected. Their statuses are due."""
        copies = self._records.scan(self._partition, prefix.encode())
        for key, same in groupby(copies, key=lambda copy: copy[0]):
            values = [value for *_, value in same]
            # Nearly all have their log: that is seen without taking the record apart.
            if not any(orjson.loads(value).get("log") for value in values) and not _record(values).settled:
                self.run(key.decode())
                self.dirty[key.decode()] = None

    def states(self) -> Counter[RunState]:
        """How many of the runs in memory are in which state."""
        return Counter(state for run in self._runs.values() if (state := run.record.state))

    def overdue(self, before: float) -> dict[str, int]:
        """Runs in memory that have not ended and whose deadline was `before`, with how many recipients have an end."""
        return {run_id: run.ends.total for run_id, run in self._runs.items()
                if run.record.request and run.record.request.deadline < before and not run.record.ending}

    def give_up(self, run_ids: Iterable[str]) -> Touched:
        """Note that nobody works on these any more."""
        touched = Touched(runs=dict.fromkeys(run_ids))
        for run_id in touched.runs:
            run = self.run(run_id)
            total = run.record.plan.total if run.record.plan else 0
            run.record.give_up(self._clock(), unknown=max(0, total - run.ends.total))
        touched.records.update(touched.runs)
        return touched

    def forget(self, touched: Touched) -> None:
        """Drop from memory what is durable and not likely to be needed soon."""
        for run_id in touched.runs:
            run = self._runs.get(run_id)
            if run and run.record.settled:
                del self._runs[run_id]
                self.dirty.pop(run_id, None)
        while len(self._chunks) > REMEMBERED_CHUNKS:
            self._chunks.popitem(last=False)


_CHUNK_OF: Callable[[Result], tuple[str, int]] = attrgetter("run_id", "chunk")


def _chunk_key(key: tuple[str, int]) -> bytes:
    return f"{key[0]}:{key[1]}".encode()


def _record(copies: Iterable[bytes]) -> RunRecord:
    record = RunRecord()
    for value in copies:
        record.merge(RunRecord.model_validate_json(value))
    return record


def _merged(copies: Iterable[bytes]) -> Tally:
    tally = Tally()
    for value in copies:
        tally.merge(Tally.decode(value))
    return tally
