"""What stands around a dispatcher in the tests: runs admitted, plans and requests read, lanes finished."""

import asyncio
import json
import os
import time
from collections import defaultdict
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from aiokafka import AIOKafkaConsumer, ConsumerRecord

from outreach_stream import topics
from outreach_stream.catalog.models import Template, Workflow
from outreach_stream.catalog.spec import WorkflowSpec
from outreach_stream.domain.control import EngineFuse, Matter, RunOrder, Subject, control_key
from outreach_stream.domain.events import LaneProgress, RunPlanned, RunRequested, SendRequested
from outreach_stream.domain.identity import lanes_of_engine, partition_of
from outreach_stream.streaming.produce import Record, new_producer, produce
from tests.chaos.nursery import Worker, born

LAYOUT = topics.Layout()
SEEN = (topics.RUN_EVENT, topics.RUN_CHUNK, topics.RUN_PLANNED, topics.SEND_REQUESTED, topics.SEND_REQUESTED_EXPRESS)


class Stage:
    """Admits runs, and sends as fast as it reads: what is requested is reported as finished every 100 ms."""

    def __init__(self, bootstrap: str, folder: Path, rates: dict[str, float | None]) -> None:
        """`folder` takes the catalog, with an engine of each of the `rates`, and the dispatcher's state."""
        self.bootstrap = bootstrap
        engines = folder / "catalog" / "engines"
        engines.mkdir(parents=True)
        for engine, rate in rates.items():
            text = "kind: smtp\nhost: localhost\n" + (f"rate: {rate}\n" if rate else "")
            (engines / f"{engine}.yaml").write_text(text)
        self.environment = {"OUTREACH_KAFKA_BOOTSTRAP": bootstrap, "OUTREACH_CATALOG": str(folder / "catalog"),
                            "OUTREACH_SESSION_TIMEOUT": "6"}
        self.folder = folder
        self.workflow: dict[str, Any] = {}
        self.producer = new_producer(bootstrap)
        self.seen: defaultdict[str, list[ConsumerRecord]] = defaultdict(list)
        self._workers: list[Worker] = []
        self._finished: dict[bytes, int] = {}

    async def __aenter__(self) -> Self:
        await self.producer.start()
        self._consumer = AIOKafkaConsumer(*(topic.name for topic in SEEN), bootstrap_servers=self.bootstrap,
                                          auto_offset_reset="earliest")
        await self._consumer.start()
        self._tasks = [asyncio.create_task(self._read()), asyncio.create_task(self._report())]
        return self

    async def __aexit__(self, kind: type[BaseException] | None, exc: BaseException | None,
                        trace: TracebackType | None) -> None:
        for worker in self._workers:
            worker.kill()
            worker.wait()
        for task in self._tasks:
            task.cancel()
        await self._consumer.stop()
        await self.producer.stop()

    async def _read(self) -> None:
        while True:
            for records in (await self._consumer.getmany(timeout_ms=50)).values():
                for record in records:
                    self.seen[record.topic].append(record)
                    if record.topic == topics.SEND_REQUESTED.name:
                        engine = SendRequested.model_validate_json(record.value).engine
                        self._finished[f"{record.topic}:{record.partition}:{engine}".encode()] = record.offset + 1

    async def _report(self) -> None:
        while True:
            await asyncio.sleep(0.1)
            await self.write(topics.LANE_PROGRESS, 0, *(
                Record(lane, LaneProgress(finished=finished).encode()) for lane, finished in self._finished.items()))

    async def write(self, topic: topics.Topic, partition: int, *records: Record) -> list[int]:
        """The records' offsets."""
        return await produce(self.producer, topic.name, partition, records)

    def start(self) -> Worker:
        """Starts a dispatcher in the one state folder."""
        worker = born("dispatcher", self.folder / "state", self.folder / "dispatcher.log",
                      os.environ | self.environment)
        self._workers.append(worker)
        return worker

    async def admit(self, query: str | None, database: Path, **changes: Any) -> RunRequested:
        """Admits a run of a workflow with this query, and with what is in `workflow`."""
        workflow = {"id": "w", "template": "t", "engines": ["relay"], "from": "us@example.org", **self.workflow,
                    "recipients": {"database": f"sqlite:///{database}", "query": query} if query else None}
        spec = WorkflowSpec(workflow=Workflow.model_validate(workflow),
                            template=Template(id="t", subject="{{ season }}", text="Dear {{ name }}"))
        await self.write(topics.WORKFLOW_SPEC, 0, Record(spec.digest.encode(), spec.model_dump_json().encode()))
        now = time.time()
        run = RunRequested(**{
            "run_id": "run", "trigger_id": "t", "source": "s", "workflow_id": "w", "workflow_name": "W",
            "workflow_version": "1", "template_id": "t", "template_version": "1", "spec": spec.digest,
            "engine": "relay", "lanes": lanes_of_engine("relay", LAYOUT.lanes, LAYOUT.lanes), "priority": "bulk",
            "body": "b", "parameters": {"season": "spring"}, "triggered_at": now, "admitted_at": now,
            "deadline": now + 3_600, **changes})
        topic = topics.RUN_ADMITTED_EXPRESS if run.priority == "express" else topics.RUN_ADMITTED
        await self.write(topic, partition_of(run.run_id, LAYOUT.runs), Record(run.run_id.encode(), run.encode()))
        return run

    async def order(self, subject: Subject, matter: Matter, *, back: bool = False) -> None:
        """Cancels or pauses a run, stops an engine; or takes that back."""
        order = (EngineFuse(reason="535", at=time.time()) if matter == "fuse" else RunOrder(at=time.time())).encode()
        await self.write(topics.CONTROL, 0, Record(control_key(subject, matter), None if back else order))

    async def publish(self, plan: RunPlanned) -> int:
        """Publishes a plan; its offset."""
        [offset] = await self.write(topics.RUN_PLANNED, partition_of(plan.engine, LAYOUT.engines),
                                    Record(plan.run_id.encode(), plan.encode()))
        return offset

    def of(self, topic: topics.Topic, run_id: str = "run") -> list[dict[str, Any]]:
        """The run's events seen on a topic so far, in the order of each partition, with their partition."""
        events = ((record.partition, json.loads(record.value)) for record in list(self.seen[topic.name]))
        return [event | {"partition": partition} for partition, event in events if event["run_id"] == run_id]

    def requested(self, run_id: str = "run") -> dict[tuple[int, int], set[tuple[int, str]]]:
        """Lanes and addresses by place in the plan."""
        places = defaultdict(set)
        for event in self.of(topics.SEND_REQUESTED, run_id):
            places[event["chunk"], event["index"]].add((event["partition"], event["email"]))
        return dict(places)

    async def until(self, condition: Any, seconds: float = 60.0) -> None:
        """Waits until `condition()` holds; TimeoutError otherwise."""
        async with asyncio.timeout(seconds):
            while not condition():
                await asyncio.sleep(0.05)
