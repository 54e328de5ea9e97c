"""The whole system as real processes on a real broker, for tests that break it: worker by worker, or the broker."""

import asyncio
import contextlib
import json
import os
import sys
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

from aiokafka import AIOKafkaConsumer, TopicPartition

from outreach_stream import topics
from outreach_stream.broker.admin import create_topics
from outreach_stream.domain.events import RunStatus
from outreach_stream.domain.identity import run_id
from outreach_stream.domain.triggers import WorkflowTriggered
from outreach_stream.inbox.modes import Mode
from outreach_stream.inbox.record import InboxRecord
from outreach_stream.settings import Settings
from outreach_stream.streaming.produce import Record, new_producer, produce
from outreach_stream.streaming.views import View
from outreach_stream.topics import Layout

from .catalog import Catalog
from .workers import Workers, leashed


class System:
    """Broker (given), catalog, inbox and workers of one test. Use as an async context manager."""

    def __init__(self, folder: Path, bootstrap: str, *, rate: float | None = None, burst: float | None = None,
                 concurrency: int = 20, session_timeout: float = 6.0, drain_timeout: float = 25.0,
                 latency_ms: float = 0.0, replication: int = 1, keep: bool = False) -> None:
        self.folder, self.bootstrap, self.latency_ms, self.replication = folder, bootstrap, latency_ms, replication
        self.kept = folder / "kept" if keep else None
        self.catalog, self.output, self.record = folder / "catalog", folder / "output", folder / "inbox.jsonl"
        self._mode = folder / "mode"
        self.content = Catalog(self.catalog)
        self.content.relay(concurrency=concurrency, rate=rate, burst=burst)
        self.people = self.content.people
        self.workers = Workers(folder, {
            **os.environ, "OUTREACH_KAFKA_BOOTSTRAP": bootstrap, "OUTREACH_CATALOG": str(self.catalog),
            "OUTREACH_OUTPUT": str(self.output), "OUTREACH_STATE_DIR": str(folder / "state"),
            "OUTREACH_SESSION_TIMEOUT": str(session_timeout), "OUTREACH_DRAIN_TIMEOUT": str(drain_timeout),
            "OUTREACH_LOG_FORMAT": "json",
            "OUTREACH_REPLICATION": str(replication),
        })
        self.start, self.kill, self.terminate = self.workers.start, self.workers.kill, self.workers.terminate

    async def __aenter__(self) -> "System":
        insync = Settings(replication=self.replication).insync
        await create_topics(self.bootstrap, Layout(), self.replication, insync)
        self._inbox = leashed(
            sys.executable, "-m", "outreach_stream.inbox", "--record", str(self.record), "--mode-file", str(self._mode),
            "--latency-ms", str(self.latency_ms), *(["--keep", str(self.kept)] if self.kept else []),
            stdout=-1, text=True)
        port = json.loads(await asyncio.to_thread(self._inbox.stdout.readline))["port"]
        self.workers.environment["CHAOS_SMTP_PORT"] = str(port)
        self.producer = new_producer(self.bootstrap)
        await self.producer.start()
        self.statuses = View(self.bootstrap, topics.RUN_STATUS.name, decode=RunStatus.model_validate_json)
        await self.statuses.start()
        return self

    async def __aexit__(self, *_) -> None:
        self.workers.close()
        self._inbox.kill()
        self._inbox.wait()
        for close in (self.statuses.stop, self.producer.stop):
            with contextlib.suppress(Exception):
                await asyncio.wait_for(close(), 5)

    def mode(self, mode: Mode) -> None:
        """How the inbox behaves from the next connection or mail on."""
        self._mode.write_text(mode)

    async def trigger(self, workflow: int | str = 1, **fields) -> str:
        """Publish a trigger; returns the id of its run."""
        key = fields.setdefault("idempotency_key", os.urandom(8).hex()) if "slot" not in fields else None
        event = WorkflowTriggered(workflow_id=workflow, source="chaos", **fields)
        await produce(self.producer, topics.WORKFLOW_TRIGGERED.name, 0, [Record(None, event.encode())])
        return run_id(workflow, slot=event.slot, key=key, trigger_id="")

    # --- what came of it ---
    def status(self, run: str) -> RunStatus | None:
        """The run's last status."""
        return self.statuses.get(run.encode())

    async def until_sent(self, count: int, seconds: float = 60) -> None:
        """Wait until the inbox has so many mails."""
        await self.until(lambda: self.received() >= count, seconds, lambda: f"{self.received()} of {count} mails")

    async def until_state(self, run: str, *states: str, seconds: float = 60) -> None:
        """Wait until the run is in one of these states."""
        def reached() -> bool:
            status = self.status(run)
            return status is not None and status.state in states
        await self.until(reached, seconds, lambda: f"run is at {self.status(run)}")

    async def completed(self, run: str, seconds: float = 90) -> RunStatus:
        """Wait until the run is over and its log written; returns the last status."""
        def over() -> bool:
            status = self.status(run)
            return status is not None and status.state.terminal and status.log is not None
        await self.until(over, seconds, lambda: f"run is at {self.status(run)}, inbox has {self.received()}")
        return self.status(run)

    async def working(self, name: str, seconds: float = 60) -> None:
        """Wait until a worker that was started has come as far as to heed signals."""
        await self.until(lambda: "worker_started" in self.workers.log(name), seconds, lambda: f"{name} does not start")

    async def until(self, condition: Callable[[], bool], seconds: float, state: Callable[[], str]) -> None:
        """Wait for `condition` while no worker ends by itself; `state` tells what there was instead."""
        end = time.monotonic() + seconds
        while not condition():
            self.workers.check()
            if time.monotonic() > end:
                raise AssertionError(f"not within {seconds} s: {state()}\n{self.workers.tails()}")
            await asyncio.sleep(0.05)

    def received(self) -> int:
        """Mails at the inbox, repeated ones too."""
        return self.record.read_bytes().count(b"\n") if self.record.exists() else 0

    def arrived(self) -> InboxRecord:
        """What the inbox has recorded."""
        return InboxRecord(self.record)

    def silence(self) -> float:
        """The longest time in seconds between two mails at the inbox."""
        moments = sorted(mail.at for mail in self.arrived().mails())
        return max(later - earlier for earlier, later in pairwise(moments))

    def log(self, status: RunStatus) -> dict:
        """The run's JSON log."""
        return json.loads(Path(status.log).read_text())

    async def records(self, topic: topics.Topic) -> list[bytes]:
        """The values of all records that a topic has now."""
        consumer = AIOKafkaConsumer(bootstrap_servers=self.bootstrap, enable_auto_commit=False)
        await consumer.start()
        try:
            places = [TopicPartition(topic.name, i) for i in range(Layout().partitions(topic))]
            consumer.assign(places)
            await consumer.seek_to_beginning(*places)
            ends, values = await consumer.end_offsets(places), []
            while any([await consumer.position(place) < ends[place] for place in places]):
                for batch in (await consumer.getmany(timeout_ms=500)).values():
                    values += [record.value for record in batch]
            return values
        finally:
            await consumer.stop()
