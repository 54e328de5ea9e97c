"""What stands around senders in the tests: requests written, a mail server that receives, results read."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterable
from pathlib import Path
from types import TracebackType
from typing import Self

from aiokafka import AIOKafkaConsumer

from outreach_stream import topics
from outreach_stream.catalog.folder import FolderCatalog
from outreach_stream.catalog.spec import freeze
from outreach_stream.domain.events import SendRequested, SendResult
from outreach_stream.domain.identity import lane_of
from outreach_stream.domain.lanes import lanes_for
from outreach_stream.domain.states import RecipientStatus
from outreach_stream.inbox.record import InboxRecord
from outreach_stream.streaming.produce import Record, new_producer, produce
from tests.chaos.nursery import Worker, born

LAYOUT = topics.Layout()
FILES = {
    "workflows/hello.yaml": "name: Hello\ntemplate: hello\nengines: [{engine}]\nfrom: us@shop.example\n",
    "templates/hello.yaml": "subject: Hello {{{{ name }}}}\ntext: You are number {{{{ number }}}}.\n",
    "engines/{engine}.yaml": "kind: smtp\nhost: 127.0.0.1\nport: {port}\nsecurity: none\nconcurrency: 10\n{limits}",
}


class Stage:
    """One engine with an inbox of its own. Senders share the group, and a state folder by name, with later stages."""

    def __init__(self, bootstrap: str, folder: Path, states: Path, engine: str, *, limits: str = "",
                 latency_ms: float = 0.0) -> None:
        self.bootstrap, self.folder, self.states, self.engine = bootstrap, folder, states, engine
        self.limits, self.latency_ms = limits, latency_ms
        self.inbox = InboxRecord(folder / "inbox.jsonl")
        self.results: defaultdict[int, list[SendResult]] = defaultdict(list)
        self.dead: list[bytes] = []
        self.producer = new_producer(bootstrap)
        self._processes: list[subprocess.Popen[str] | Worker] = []

    async def __aenter__(self) -> Self:
        port = self._open_inbox()
        for name, text in FILES.items():
            file = self.folder / "catalog" / name.format(engine=self.engine)
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text.format(engine=self.engine, port=port, limits=self.limits))
        self._consumer = AIOKafkaConsumer(topics.SEND_RESULT.name, topics.DEAD_LETTER.name,
                                          bootstrap_servers=self.bootstrap, auto_offset_reset="earliest")
        await self.producer.start()
        await self._consumer.start()
        self._reading = asyncio.create_task(self._read())
        catalog = FolderCatalog(self.folder / "catalog").current()
        self.spec = freeze(catalog, "hello", LAYOUT.lanes)
        self.lanes = lanes_for(catalog.engines[self.engine], LAYOUT.lanes)
        spec = Record(self.spec.digest.encode(), self.spec.model_dump_json().encode())
        await produce(self.producer, topics.WORKFLOW_SPEC.name, 0, [spec])
        return self

    async def __aexit__(self, kind: type[BaseException] | None, exc: BaseException | None,
                        trace: TracebackType | None) -> None:
        for process in self._processes:
            process.kill()
            process.wait()
        self._reading.cancel()
        await self._consumer.stop()
        await self.producer.stop()

    def _open_inbox(self) -> int:
        process = subprocess.Popen(
            [sys.executable, "-m", "outreach_stream.inbox", "--record", str(self.inbox.path),
             "--latency-ms", str(self.latency_ms)], stdout=subprocess.PIPE, text=True)
        self._processes.append(process)
        assert process.stdout
        return int(json.loads(process.stdout.readline())["port"])

    def start(self, state: str = "a") -> Worker:
        """Starts a sender in the state folder of this name."""
        environment = os.environ | {
            "OUTREACH_KAFKA_BOOTSTRAP": self.bootstrap, "OUTREACH_CATALOG": str(self.folder / "catalog"),
            "OUTREACH_SESSION_TIMEOUT": "6", "OUTREACH_DRAIN_TIMEOUT": "10"}
        process = born("sender", self.states / state, self.folder / f"{state}.log", environment)
        self._processes.append(process)
        return process

    async def stop(self, process: Worker, number: signal.Signals = signal.SIGTERM) -> int:
        """The exit code."""
        process.send_signal(number)
        return await asyncio.to_thread(process.wait, 40)

    async def request(self, emails: Iterable[str], topic: topics.Topic = topics.SEND_REQUESTED, first: int = 0) -> None:
        """One recipient each, its place (from `first` on) being its index."""
        lanes: defaultdict[int, list[Record]] = defaultdict(list)
        for place, email in enumerate(emails, first):
            asked = SendRequested(
                run_id=self.engine, chunk=place // 1024, index=place % 1024, email=email, variables={"number": place},
                spec=self.spec.digest, engine=self.engine, deadline=time.time() + 600)
            lanes[lane_of(asked.run_id, asked.chunk, asked.index, self.lanes)].append(Record(None, asked.encode()))
        await asyncio.gather(*(produce(self.producer, topic.name, lane, records) for lane, records in lanes.items()))

    async def _read(self) -> None:
        async for record in self._consumer:
            if record.topic == topics.DEAD_LETTER.name:
                self.dead.append(record.value)
                continue
            result = SendResult.model_validate_json(record.value)
            if result.run_id == self.engine:
                self.results[result.chunk * 1024 + result.index].append(result)

    async def until(self, condition: Callable[[], object], seconds: float = 60.0) -> None:
        """Waits, and fails with what was reached."""
        deadline = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < deadline, f"{len(self.results)} results, {self.received()} mails received"
            await asyncio.sleep(0.02)

    def received(self) -> int:
        """Mails in the inbox."""
        return sum(1 for _ in self.inbox.mails())

    def by_status(self, status: RecipientStatus) -> set[str]:
        """Addresses with such a result."""
        return {result.email for results in self.results.values() for result in results if result.status is status}

    def labelled(self) -> set[str]:
        """Addresses that are said to be possible duplicates."""
        return {result.email for results in self.results.values() for result in results if result.possible_duplicate}

    def duplicates(self) -> set[str]:
        """Addresses that were mailed more than once."""
        return {email for email, count in self.inbox.recipients().items() if count > 1}
