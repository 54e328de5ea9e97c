"""The runs of one partition: what was told of them, how many recipients have ended, and what follows."""

from collections import OrderedDict
from collections.abc import Awaitable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import groupby

from outreach_stream.domain.clock import Clock
from outreach_stream.domain.events import RunEvent, RunRequested, RunStatus
from outreach_stream.domain.states import RecipientStatus
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

    def __init__(self, partition: int, runs: Table, tallies: Table, clock: Clock) -> None:
        self._partition, self._records, self._tallies, self._clock = partition, runs, tallies, clock
        self._runs: dict[str, Run] = {}
        self._chunks: OrderedDict[tuple[str, int], Tally] = OrderedDict()
        self.dirty: dict[str, None] = {}
        """Runs of which results were counted since their status was last taken."""

    def run(self, run_id: str) -> Run:
        """The run, from memory or else from the tables; an empty one if nothing is known of it."""
        if run_id not in self._runs:
            ends = Ends()
            for _, tally in self.tallies(run_id):
                ends.add(tally)
            self._runs[run_id] = Run(self._read_record(run_id), ends)
        return self._runs[run_id]

    def _read_record(self, run_id: str) -> RunRecord:
        record = RunRecord()
        for _, value in self._records.copies(self._partition, run_id.encode()):
            record.merge(RunRecord.model_validate_json(value))
        return record

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
        for result in results:
            key = (result.run_id, result.chunk)
            if key not in touched.chunks:
                touched.chunks[key] = None
                touched.runs[result.run_id] = None
                self.run(result.run_id).ends.subtract(self._tally(key))
            self._chunks[key].note(result)
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
            if record.planned and record.plan and record.ended_at is None and run.ends.total >= record.plan.total:
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
        return run_status(run_id, run.record, run.ends, self._clock())

    def ended(self, touched: Touched) -> list[str]:
        """Those touched whose status is due at once, because it may be the last."""
        states = ((run_id, self.run(run_id).record.state) for run_id in touched.runs)
        return [run_id for run_id, state in states if state and state.terminal]

    def logged(self, run_id: str) -> bool:
        """Whether its log is written; takes nothing into memory."""
        run = self._runs.get(run_id)
        record = run.record if run else self._read_record(run_id)
        return record.log is not None

    def forget(self, touched: Touched) -> None:
        """Drop from memory what is durable and not likely to be needed soon."""
        for run_id in touched.runs:
            run = self._runs.get(run_id)
            if run and run.record.settled:
                del self._runs[run_id]
                self.dirty.pop(run_id, None)
        while len(self._chunks) > REMEMBERED_CHUNKS:
            self._chunks.popitem(last=False)


def _chunk_key(key: tuple[str, int]) -> bytes:
    return f"{key[0]}:{key[1]}".encode()


def _merged(copies: Iterable[bytes]) -> Tally:
    tally = Tally()
    for value in copies:
        tally.merge(Tally.decode(value))
    return tally
