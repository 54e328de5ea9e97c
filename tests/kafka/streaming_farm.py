"""Worker processes on a topic of their own, and what they did."""

import asyncio
import json
import signal
import subprocess
import sys
import uuid
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from outreach_stream.streaming.app import StreamApp
from outreach_stream.streaming.produce import Record, new_producer, produce
from outreach_stream.streaming.worker import serve

PROGRAM = Path(__file__).with_name("streaming_worker.py")


async def create_topic(bootstrap: str, name: str, partitions: int) -> None:
    """Creates a topic, and returns when it is there."""
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        await admin.create_topics([NewTopic(name, partitions, 1)])
    finally:
        await admin.close()


async def committed(bootstrap: str, group: str) -> dict[tuple[str, int], int]:
    """Committed offsets of a group."""
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        offsets = await admin.list_consumer_group_offsets(group)
    finally:
        await admin.close()
    return {(tp.topic, tp.partition): at.offset for tp, at in offsets.items() if at.offset >= 0}


@asynccontextmanager
async def running(app: StreamApp) -> AsyncIterator[StreamApp]:
    """Runs the app in this event loop; raises what it crashed with."""
    stop = asyncio.Event()
    serving = asyncio.create_task(serve(app, stop))
    try:
        yield app
    finally:
        stop.set()
        await serving
    if app.crash_reason:
        raise app.crash_reason


async def until(condition: Callable[[], Any], seconds: float = 30.0) -> None:
    """Waits until `condition()` holds; TimeoutError otherwise."""
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.02)


async def fill(bootstrap: str, topic: str, partitions: int, count: int) -> None:
    """Writes the numbers 0 to count - 1, number n to partition n mod `partitions`."""
    producer = new_producer(bootstrap)
    await producer.start()
    try:
        for partition in range(partitions):
            await produce(producer, topic, partition,
                          [Record(None, b"%d" % n) for n in range(partition, count, partitions)])
    finally:
        await producer.stop()


class Farm:
    """Workers of one app on one topic; all are gone at the end of the `async with` block."""

    partitions = 4

    def __init__(self, bootstrap: str, folder: Path, *, session_timeout: float = 6.0, static: bool = False,
                 stop: float = 30.0, commit: float = 10.0) -> None:
        name = f"farm-{uuid.uuid4().hex[:8]}"
        self.topic, self.app_id, self._folder = name, f"{name}-app", folder
        self._orders = {"bootstrap": bootstrap, "topic": self.topic, "app_id": self.app_id, "static": static,
                        "session_timeout": session_timeout, "stop": stop, "commit": commit,
                        "effects": str(folder / "effects")}
        self._running: list[subprocess.Popen[bytes]] = []

    async def __aenter__(self) -> Self:
        await create_topic(self._orders["bootstrap"], self.topic, self.partitions)
        return self

    async def __aexit__(self, kind: type[BaseException] | None, exc: BaseException | None,
                        trace: TracebackType | None) -> None:
        for worker in self._running:
            worker.send_signal(signal.SIGCONT)
            worker.kill()
            worker.wait()

    async def fill(self, count: int) -> None:
        """Gives the workers the numbers 0 to count - 1."""
        await fill(self._orders["bootstrap"], self.topic, self.partitions, count)

    def start(self, name: str) -> "subprocess.Popen[bytes]":
        """Starts a worker whose state folder is called `name`."""
        orders = self._orders | {"data_dir": str(self._folder / name)}
        worker = subprocess.Popen([sys.executable, str(PROGRAM), json.dumps(orders)])
        self._running.append(worker)
        return worker

    def effects(self) -> "Counter[int]":
        """How often each number had its effect."""
        return Counter(int(line.split()[0]) for line in self._lines() if not line.startswith("#"))

    def by(self, worker: "subprocess.Popen[bytes]") -> int:
        """Effects of one worker."""
        return sum(line.split()[1] == str(worker.pid) for line in self._lines() if not line.startswith("#"))

    def owned(self, worker: "subprocess.Popen[bytes]") -> int:
        """Partitions that a worker was assigned last."""
        mine = [line.split() for line in self._lines() if line.startswith(f"# {worker.pid} ")]
        return int(mine[-1][3]) if mine else 0

    def assignments(self, worker: "subprocess.Popen[bytes]") -> int:
        """How often a worker was assigned partitions."""
        return sum(line.startswith(f"# {worker.pid} ") for line in self._lines())

    def _lines(self) -> list[str]:
        path = Path(self._orders["effects"])
        return path.read_text().splitlines() if path.exists() else []


async def ended(worker: "subprocess.Popen[bytes]", seconds: float = 30.0) -> int:
    """The worker's exit code, once it has ended."""
    return await asyncio.wait_for(asyncio.to_thread(worker.wait), seconds)
