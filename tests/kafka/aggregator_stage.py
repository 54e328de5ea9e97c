"""What stands around an aggregator in the tests: who triggers, plans and sends, and who reads what it says."""

import asyncio
import json
import subprocess
import sys
import time
import uuid
from collections import defaultdict
from collections.abc import Callable, Iterable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRecord, TopicPartition

from outreach_stream import topics
from outreach_stream.domain.event import Event
from outreach_stream.domain.events import RunPlanReported, SendResult
from outreach_stream.domain.identity import partition_of, run_id, send_id
from outreach_stream.streaming.produce import Record, new_producer, produce
from tests.kafka.streaming_farm import committed

PROGRAM = Path(__file__).with_name("aggregator_worker.py")
LAYOUT = topics.Layout()
RUNS = LAYOUT.runs
SEEN = (topics.RUN_ADMITTED, topics.RUN_ADMITTED_EXPRESS, topics.RUN_STATUS, topics.DEAD_LETTER, topics.WORKFLOW_SPEC,
        topics.CONTROL, topics.RUN_EVENT)


def new_key() -> tuple[str, str]:
    """An idempotency key that no other test uses, and the run it stands for."""
    key = uuid.uuid4().hex
    return key, run_id("1", slot=None, key=key, trigger_id="")


def trigger(key: str | None, **fields: object) -> bytes:
    """A trigger of the workflow that there is."""
    return json.dumps({"workflow_id": 1, "key": key, "source": "test", **fields}).encode()


async def publish(bootstrap: str, values: Iterable[bytes], keyed: bool, **options: object) -> None:
    """Publishes triggers as a foreign producer does: its own client, its own keys, its own partitioner."""
    async with AIOKafkaProducer(bootstrap_servers=bootstrap, **options) as producer:
        for i, value in enumerate(values):
            await producer.send_and_wait(topics.WORKFLOW_TRIGGERED.name, value, key=b"%d" % i if keyed else None)


class Stage:
    """Reads all that is published from now on. Workers share one state folder, one after the other."""

    def __init__(self, bootstrap: str, state: Path, output: Path) -> None:
        self.bootstrap, self.output = bootstrap, output
        self._orders = {"bootstrap": bootstrap, "data_dir": str(state), "output": str(output)}
        self.producer = new_producer(bootstrap)
        self.seen: defaultdict[str, list[ConsumerRecord]] = defaultdict(list)
        self._workers: list[subprocess.Popen[bytes]] = []

    async def __aenter__(self) -> Self:
        await self.producer.start()
        self._consumer = AIOKafkaConsumer(bootstrap_servers=self.bootstrap)
        await self._consumer.start()
        self._consumer.assign([TopicPartition(topic.name, partition) for topic in SEEN
                               for partition in range(LAYOUT.partitions(topic))])
        await self._consumer.seek_to_end()
        self._reading = asyncio.create_task(self._read())
        return self

    async def __aexit__(self, kind: type[BaseException] | None, exc: BaseException | None,
                        trace: TracebackType | None) -> None:
        for worker in self._workers:
            worker.kill()
            worker.wait()
        self._reading.cancel()
        await self._consumer.stop()
        await self.producer.stop()

    async def _read(self) -> None:
        while True:
            for records in (await self._consumer.getmany(timeout_ms=50)).values():
                for record in records:
                    self.seen[record.topic].append(record)

    def start(self, state: Path | None = None, **further: object) -> "subprocess.Popen[bytes]":
        """Starts an aggregator, in a state folder of its own if another one is to go on beside it."""
        orders = self._orders | ({"data_dir": str(state)} if state else {}) | further
        worker = subprocess.Popen([sys.executable, str(PROGRAM), json.dumps(orders)])
        self._workers.append(worker)
        return worker

    def admitted(self) -> dict[str, list[dict[str, Any]]]:
        """Runs published for planning, by id."""
        runs = defaultdict(list)
        for topic in (topics.RUN_ADMITTED, topics.RUN_ADMITTED_EXPRESS):
            for record in self.seen[topic.name]:
                runs[record.key.decode()].append(json.loads(record.value) | {"topic": topic.name})
        return runs

    def statuses(self, run_id: str) -> list[dict[str, Any]]:
        """All statuses of a run, in their order."""
        return [json.loads(it.value) for it in self.seen[topics.RUN_STATUS.name] if it.key.decode() == run_id]

    def last(self, run_id: str) -> dict[str, Any]:
        """The run's status, as one who reads the compacted topic has it."""
        return (self.statuses(run_id) or [{"state": None, "counts": {}}])[-1]

    async def order(self, key: str, order: Event | None) -> None:
        """Gives an order, or takes it back."""
        await produce(self.producer, topics.CONTROL.name, 0, [Record(key.encode(), order.encode() if order else None)])

    async def plan(self, run_id: str, total: int, **fields: Any) -> None:
        """Says that the run is planned."""
        event = RunPlanReported(run_id=run_id, total=total, at=time.time(), **fields)
        await produce(self.producer, topics.RUN_EVENT.name, partition_of(run_id, RUNS),
                      [Record(run_id.encode(), event.encode())])

    async def send(self, run_id: str, people: Iterable[int], **fields: Any) -> None:
        """Publishes results, a thousand recipients to a chunk."""
        records = []
        for number in people:
            chunk, index = divmod(number, 1000)
            result = SendResult(**{
                "run_id": run_id, "send_id": send_id(run_id, chunk, index), "chunk": chunk, "index": index,
                "email": f"p{number}@example.org", "status": "sent", "engine": "relay", "attempts": 1,
                "finished_at": "2026-11-24T12:00:00.000Z", **fields})
            records.append(Record(run_id.encode(), result.encode()))
        await produce(self.producer, topics.SEND_RESULT.name, partition_of(run_id, RUNS), records)

    async def until[T](self, condition: Callable[[], T], seconds: float = 60.0) -> T:
        """What `condition` returns, as soon as that is true; TimeoutError otherwise."""
        async with asyncio.timeout(seconds):
            while not (value := condition()):
                await asyncio.sleep(0.05)
        return value

    async def noted(self, run_id: str) -> None:
        """Returns when every result that is in the run's partition now is acknowledged, not only told of."""
        name, partition = topics.SEND_RESULT.name, partition_of(run_id, RUNS)
        tp = TopicPartition(name, partition)
        end = (await self._consumer.end_offsets([tp]))[tp]
        async with asyncio.timeout(30):
            while (await committed(self.bootstrap, "outreach-aggregator")).get((name, partition), 0) < end:
                await asyncio.sleep(0.1)

    def read_log(self, status: dict[str, Any]) -> dict[str, Any]:
        """The log that a status names."""
        log: dict[str, Any] = json.loads(Path(status["log"]).read_text())
        return log
