"""A Faust app whose work is neither lost nor, as far as a crash allows, repeated."""

import asyncio
import inspect
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterable, Mapping
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any, override

import faust
import faust.streams
from aiokafka import AIOKafkaProducer
from faust.auth import Credentials, SASLCredentials, SSLCredentials
from faust.serializers.schemas import Schema
from faust.transport.drivers import aiokafka as driver
from faust.types import TP

from outreach_stream.broker.access import kafka_access
from outreach_stream.streaming import vitals
from outreach_stream.streaming.batch import Batch
from outreach_stream.streaming.consumer import BatchConsumer
from outreach_stream.streaming.instance import InstanceId
from outreach_stream.streaming.lease import Lease
from outreach_stream.streaming.limits import BATCH_BYTES, CLOSE_RESERVE, FORCE_RESERVE, LINGER_MS, Limits, StopClock
from outreach_stream.streaming.producer import IdempotentProducer
from outreach_stream.streaming.recovery import FastTableManager

if TYPE_CHECKING:
    from outreach_stream.telemetry.readings import Reading, Source

if getattr(faust.streams, "_CStreamIterator", None) is None:
    raise ImportError("Faust's compiled stream is missing: the one in Python acknowledges events of an old generation")

WEEK = 7 * 86_400.0

SAFE: dict[str, Any] = {
    "processing_guarantee": "at_least_once",
    "store": "rocksdb://",
    "web_enabled": False,
    "topic_disable_leader": True,
    "table_standby_replicas": 0,
    "key_serializer": "raw",
    "value_serializer": "raw",
    "canonical_url": "http://worker",           # nothing is routed by it, but static membership needs it to stay
    "consumer_auto_offset_reset": "earliest",
    "consumer_max_fetch_size": 256 * 1024,      # per partition: what is fetched beyond `load_high`
    "broker_commit_interval": 0.5,
    "broker_heartbeat_interval": 1.0,           # members learn of a rebalance by it
    "broker_rebalance_timeout": 60.0,
    "broker_request_timeout": 60.0,
    "broker_max_poll_interval": WEEK,           # a consumer that exceeds it leaves the group and never comes back
    "broker_commit_livelock_soft_timeout": WEEK,    # both only log errors, and do not know batches
    "stream_processing_timeout": WEEK,
    "stream_recovery_delay": 0.0,
    "stream_wait_empty": True,                  # without it a drain would overlap with the next owner
    "producer_linger": LINGER_MS / 1000,
    "producer_max_batch_size": BATCH_BYTES,
    "producer_max_request_size": 1_000_000,
    "producer_request_timeout": 60.0,
    "worker_redirect_stdouts": False,
}
"""Faust's settings as they are safe and fast for batches; times in seconds."""


class StreamTransport(driver.Transport):
    """aiokafka, with our consumer and producer."""

    Consumer, Producer = BatchConsumer, IdempotentProducer


class RawBatches(Schema[Any, Any]):
    """The schema of batch topics: the event's value is the Batch itself."""

    @override
    def compile(self, app: Any, **_: Any) -> Any:   # stock: decodes key and value; the agent decodes the records
        async def decode(message: Any, *, propagate: bool = False) -> Any:  # noqa: ARG001
            return app.create_event(None, message.value, None, message)
        return decode


def _credentials(access: Mapping[str, Any]) -> Credentials | None:
    """A client's keyword arguments in Faust's words."""
    context = access.get("ssl_context")
    if "sasl_mechanism" in access:
        return SASLCredentials(username=access["sasl_plain_username"], password=access["sasl_plain_password"],
                               mechanism=access["sasl_mechanism"], ssl_context=context)
    return SSLCredentials(context) if context else None


class StreamApp(faust.App):
    """One role of the system: agents that take batches, tables, and one way to stop.

    In use::

        app = StreamApp("outreach-sender", bootstrap="127.0.0.1:9092", data_dir=Path("state/sender"))

        @app.agent(app.batch_topic("send.requested"))
        async def send(stream):
            async for batch in app.batches(stream):
                ...

    `data_dir` holds the tables and belongs to one process. `session_timeout`: seconds until the broker gives a dead
    process's partitions away. `instance_id` (from `instance.hold`): static membership, a restart within the session
    timeout causes no rebalance. `read_committed`: records of aborted transactions are skipped. `min_insync`: replicas
    that must have a record of a table's changelog before it counts. Other settings are
    Faust's, and override those in SAFE. Topics with equal partition counts have one owner per partition number;
    an assignment that breaks this crashes the app (NotCoLocated). `sources`: what the role's parts say in numbers.

    Hooks are lists to append to, called in this order at a rebalance or stop, in the main loop:

    on_drain        sync. No claim succeeds any more: cancel and release what would take long.
    before_release  async. Claimed work has ended (or its time is over), nothing is committed yet: write last words.
                    The lease may be lost: ask `app.lease` if it matters.
    on_released     sync. All batches are dead: close lanes. Nothing is delivered before `on_assigned`.
    on_assigned     sync or async, with the set of (topic, partition) of batch topics that are now ours: tables are
                    recovered, no batch of the new assignment has been delivered yet.
    """

    def __init__(self, app_id: str, *, bootstrap: str, data_dir: Path, session_timeout: float = 45.0,
                 instance_id: InstanceId | None = None, read_committed: bool = True, limits: Limits | None = None,
                 min_insync: int = 1, **settings: Any) -> None:
        if not isinstance(instance_id, InstanceId | None):
            raise TypeError("instance_id comes from instance.hold(): static membership needs the folder's lock")
        self.limits, self.read_committed = limits or Limits(), read_committed
        self.changelog_config = {"min.insync.replicas": str(min_insync)}
        self.batch_topics: set[str] = set()
        self.unhurried_topics: set[str] = set()
        self.hurried_topics: set[str] = set()
        self.lease, self.stop_clock = Lease(), StopClock()
        self.on_drain: list[Callable[[], None]] = []
        self.before_release: list[Callable[[], Awaitable[None]]] = []
        self.on_released: list[Callable[[], None]] = []
        self.on_assigned: list[Callable[[frozenset[TP]], Awaitable[None] | None]] = []
        self.buried: Counter[str] = Counter()   # records that went to the dead letters, by topic
        self.sources: list[Source] = [lambda: vitals.readings(self)]
        self._spawned: set[asyncio.Task[Any]] = set()
        merged = {**SAFE, "TableManager": FastTableManager, "broker_session_timeout": session_timeout,
                  "consumer_group_instance_id": instance_id, **settings}
        if self.limits.drain + self.limits.commit >= merged["broker_rebalance_timeout"]:
            raise ValueError("a drain and its commit must fit into broker_rebalance_timeout, or the broker expels us")
        super().__init__(app_id, broker=[f"kafka://{server}" for server in bootstrap.split(",")],
                         broker_credentials=_credentials(kafka_access()), datadir=str(data_dir), **merged)

    def batch_topic(self, name: str, *, unhurried: bool = False, hurried: bool = False) -> Any:
        """The topic, for `@app.agent(...)`. It must exist. One agent per topic.

        `unhurried`: while it is busy its records may come a tenth of a second later, and cheaper (see `rest`).
        `hurried`: they do not wait for those of others to be taken (see `thread.PREFETCH_PAUSE`).
        """
        self.batch_topics.add(name)
        if unhurried:
            self.unhurried_topics.add(name)
        if hurried:
            self.hurried_topics.add(name)
        return self.topic(name, schema=RawBatches())

    async def batches(self, stream: Any) -> AsyncIterator[Batch]:
        """The batches of a batch topic, each partition's in offset order. Acknowledges nothing by itself."""
        async for event in stream.noack().events():
            yield event.value

    def own_work(self, tp: TP) -> Batch:
        """Work of a partition that is ours, which came from a table and not as a record (see `own_work`)."""
        return self._consumer.own_work.begin(tp)    # type: ignore[union-attr,no-any-return]

    @property
    def aiokafka_producer(self) -> AIOKafkaProducer:
        """The app's own idempotent producer, for `produce`. Raises faust's NotReady before the start."""
        return self.producer._ensure_producer()  # type: ignore[attr-defined]

    def readings(self) -> "Iterable[Reading]":
        """What the role says in numbers."""
        return chain.from_iterable(source() for source in self.sources)

    def spawn(self, coro: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        """Runs `coro` as a task whose unexpected end stops the worker: a lane that died silently would stall."""
        task = asyncio.get_running_loop().create_task(coro)
        self._spawned.add(task)
        task.add_done_callback(self._task_ended)
        return task

    def _task_ended(self, task: asyncio.Task[Any]) -> None:
        self._spawned.discard(task)
        if not task.cancelled() and (exc := task.exception()) and not self.should_stop:
            crash = asyncio.get_running_loop().create_task(self.crash(exc))
            self._spawned.add(crash)
            crash.add_done_callback(self._spawned.discard)

    def co_located_topics(self) -> set[str]:
        """Topics of which partitions with equal numbers must have one owner, if their counts are equal."""
        changelogs = set() if self.conf.table_standby_replicas else self.tables.changelog_topics
        return self.batch_topics | changelogs

    async def call_assigned(self, tps: set[TP]) -> None:
        """Calls the `on_assigned` hooks; an exception in one crashes the app."""
        for hook in list(self.on_assigned):     # one that waits lets others be added
            result = hook(frozenset(tps))
            if inspect.isawaitable(result):
                await result

    # --- what is overridden in Faust ---

    @override
    def _new_transport(self) -> StreamTransport:            # stock: looks the class up by URL
        return StreamTransport(self.conf.broker_consumer, self)

    @override
    def _new_producer_transport(self) -> StreamTransport:   # stock: the same
        return StreamTransport(self.conf.broker_producer, self)

    @override
    async def _on_agent_error(self, agent: Any, exc: BaseException) -> None:
        # stock: commits, and starts the agent anew without the batch: its partition would stand still unnoticed
        if not self.should_stop:
            await self.crash(exc)

    @override
    async def on_first_start(self) -> None:     # stock: changelogs are created while the group is being joined
        """Every changelog is there before we join: a leader that does not see one yet assigns it to nobody.

        Static membership would then repeat that assignment at every restart.
        """
        await super().on_first_start()
        for table in self.tables.values():
            await table.changelog_topic.maybe_declare()

    @override
    async def stop(self) -> None:               # stock: each part waits for its own time, together far too long
        """Stops within `limits.stop` seconds, whatever the broker does."""
        self.stop_clock.start(self.limits.stop - FORCE_RESERVE)
        try:
            async with asyncio.timeout(self.stop_clock.left(self.limits.stop, reserve=0.0)):
                await super().stop()
        except TimeoutError:
            self.log.warning("Stop: gave up after %.0f s", self.limits.stop)

    @override
    async def on_stop(self) -> None:            # stock: drains, but only when partitions are assigned
        if self._consumer is not None:
            self._consumer.drain.begin()        # type: ignore[attr-defined]
        await super().on_stop()
        for task in list(self._spawned):
            task.cancel()
        if self._spawned:
            await asyncio.wait(self._spawned, timeout=self.stop_clock.left(1.0, reserve=CLOSE_RESERVE))
