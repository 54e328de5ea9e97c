"""finalize: writes the JSON log of each run that has ended, and says where it is."""

import asyncio
from collections import Counter
from collections.abc import Callable
from functools import partial
from typing import Any

import orjson
import structlog

from outreach_stream import topics
from outreach_stream.agents.admit import CatalogProvider
from outreach_stream.agents.durable import bury_all, make_durable
from outreach_stream.agents.published import KafkaPublished
from outreach_stream.agents.readings import of_logs
from outreach_stream.agents.side_loop import SideLoop
from outreach_stream.agents.track import Track
from outreach_stream.catalog.snapshot import CatalogErrors
from outreach_stream.domain.clock import Clock, wall_clock
from outreach_stream.domain.events import RunLogged
from outreach_stream.domain.states import RunState
from outreach_stream.runs.log import LogJob, write_log
from outreach_stream.runs.log_head import log_head, log_name
from outreach_stream.runs.log_store import LogStore
from outreach_stream.runs.record import RunRecord
from outreach_stream.runs.status import counts_of
from outreach_stream.streaming.app import StreamApp
from outreach_stream.streaming.batch import Batch
from outreach_stream.streaming.produce import Record, produce
from outreach_stream.streaming.tables import PartitionNotOwned

log = structlog.get_logger()

AT_A_TIME = 2
"""Logs written at the same time."""
FIRST_RETRY, LONGEST_RETRY = 1.0, 60.0
"""Seconds until a log that could not be written is tried again: doubled each time, up to the second."""

_ENDED = {state.value for state in RunState if state.terminal}


class Finalize:
    """The agent of `run.status`: every ended run without a log is a log to be written, however long that takes."""

    def __init__(self, app: StreamApp, track: Track, catalog: CatalogProvider, store: LogStore, bootstrap: str, *,
                 clock: Clock = wall_clock, deliver: Callable[[str], None] | None = None) -> None:
        """`deliver` is told the name of each log that is written, before the run's end says so; it may block."""
        self._app, self._track, self._catalog, self._clock = app, track, catalog, clock
        self._store, self._bootstrap, self._deliver = store, bootstrap, deliver
        self._writers = asyncio.Semaphore(AT_A_TIME)
        self._side = SideLoop("run-logs")
        self._jobs: dict[str, asyncio.Task[None]] = {}
        self.logged: Counter[RunState] = Counter()  # runs that ended so and whose log was written here

    def register(self) -> None:
        """Have the app write logs."""
        self._app.agent(self._app.batch_topic(topics.RUN_STATUS.name), name="finalize")(self._agent)
        self._app.on_drain.append(self._give_up)
        self._app.on_released.append(self._side.stop)
        self._app.sources.append(partial(of_logs, self))

    @property
    def due(self) -> int:
        """Logs that are being written, or wait for it."""
        return len(self._jobs)

    async def _agent(self, stream: Any) -> None:
        async for batch in self._app.batches(stream):
            for i, record in enumerate(batch.records):
                try:
                    run_id, ended = _without_log(record.value)
                except _UnreadableError as error:
                    self._app.spawn(self._bury(batch, i, f"not a RunStatus: {error}"))
                    continue
                if run_id and (ended or self._is_old(batch.tp.partition, run_id)):
                    self._begin(batch, i, run_id)
                else:
                    batch.done(i)

    async def _bury(self, batch: Batch, i: int, reason: str) -> None:
        await make_durable(batch, lambda: bury_all(self._app, batch, {i: reason}), i)

    def _is_old(self, partition: int, run_id: str) -> bool:
        """Whether a status without a log came after the log: from a process that was frozen with it in its buffer."""
        try:
            return self._track.book(partition).logged(run_id)
        except PartitionNotOwned:
            return False

    def _begin(self, batch: Batch, i: int, run_id: str) -> None:
        job = self._app.spawn(self._finalize(batch, i, run_id, self._jobs.get(run_id)))
        self._jobs[run_id] = job
        job.add_done_callback(lambda _: self._jobs.get(run_id) is job and self._jobs.pop(run_id))

    def _give_up(self) -> None:
        """The partitions leave: whoever gets them begins again."""
        for job in self._jobs.values():
            job.cancel()
        self._jobs.clear()

    async def _finalize(self, batch: Batch, i: int, run_id: str, earlier: asyncio.Task[None] | None) -> None:
        """Write one log, again and again until it is there. Others go on meanwhile."""
        if earlier:                             # the same status, published again
            await asyncio.wait([earlier])
        wait = FIRST_RETRY
        while await batch.claim(i):
            try:
                async with self._writers:
                    await self._write(batch.tp.partition, run_id)
            except Exception as error:  # noqa: BLE001 - a full disk, an absent broker, a bug: none may end the worker
                log.warning("log_not_written", run_id=run_id, error=repr(error), retry_in=wait)
            else:
                batch.done(i)
                return
            finally:
                batch.release(i)
            await asyncio.sleep(wait)
            wait = min(2 * wait, LONGEST_RETRY)

    async def _write(self, partition: int, run_id: str) -> None:
        book = self._track.book(partition)
        if book.logged(run_id):
            await self._take_orders_back(book.record(run_id), run_id)
            await self._track.tell_again(partition, run_id)
            return
        run = book.run(run_id)
        record = run.record
        if record.request is None or record.ending is None:
            return
        config = await asyncio.to_thread(self._engine_config, record.request.engine)
        job = LogJob(log_name(record.request), log_head(record, counts_of(record, run.ends), config),
                     record.plan, dict(book.tallies(run_id)), record.request.recipients or (),
                     given_up=record.given_up is not None)
        recipients = await self._side.run(_write(job, self._bootstrap, partition, self._store))
        if self._deliver:
            await asyncio.to_thread(self._deliver, job.name)
        event = RunLogged(run_id=run_id, log=self._store.place(job.name), at=self._clock())
        await produce(self._app.aiokafka_producer, topics.RUN_EVENT.name, partition,
                      [Record(run_id.encode(), event.encode())])
        if record.state:
            self.logged[record.state] += 1
        book.apply([event])     # at once, so that the same status, published again, finds it
        log.info("run_logged", run_id=run_id, recipients=recipients)
        await self._take_orders_back(record, run_id)

    async def _take_orders_back(self, record: RunRecord, run_id: str) -> None:
        """What was ordered of a run that has its log need not be kept; before, somebody may still have to obey it."""
        if record.plan and record.plan.cancelled and record.request and record.request.priority == "express":
            return      # no lane and no plan remembers it: were it planned once more, nothing else would stop it
        orders = [Record(key, None) for key in self._track.control.ordered(run_id)]
        await produce(self._app.aiokafka_producer, topics.CONTROL.name, 0, orders)

    def _engine_config(self, engine: str) -> dict[str, Any] | None:
        """The engine as the catalog has it now; secrets are references there already."""
        try:
            config = self._catalog().engines.get(engine)
        except CatalogErrors:
            return None
        return config.model_dump(mode="json") if config else None


async def _write(job: LogJob, bootstrap: str, partition: int, store: LogStore) -> int:
    async with KafkaPublished(bootstrap, partition) as published:
        return await write_log(job, published, store)


class _UnreadableError(ValueError):
    """The bytes are no status; the message says why, without repeating them."""


def _without_log(value: bytes | None) -> tuple[str | None, bool]:
    """The run of a status without a log, and whether it says that the run has ended; None: nothing is to be done.

    Raises `_UnreadableError`.
    """
    if value is None:
        return None, False
    try:
        status = orjson.loads(value)
        version, run_id, ended = status.get("schema_version", 1), status["run_id"], status["state"] in _ENDED
    except (ValueError, TypeError, KeyError, AttributeError):
        raise _UnreadableError("no JSON object with a run_id and a state") from None
    if version != 1:
        raise _UnreadableError("its schema_version is unknown here: 1 is read")
    if type(run_id) is not str:
        raise _UnreadableError("its run_id must be text")
    return None if status.get("log") else run_id, ended
