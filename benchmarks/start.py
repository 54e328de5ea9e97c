"""How soon a worker works: from the start of its process, and after a kill -9, to its first record done.

    python benchmarks/start.py [--rounds 5] [--session-timeout 6] [--json]

Start: the record waits, nobody else runs, and the clock runs from exec until what the role makes of it is published.
Kill -9 of one of two senders, with requests for all lanes going on: until its lanes have results again. Its successor
is the other sender, or itself, started again on its state folder at once (a static member of its group).
"""

import argparse
import asyncio
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from statistics import median
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from outreach_stream import topics
from outreach_stream.broker.admin import create_topics
from outreach_stream.broker.embedded import EmbeddedBroker
from outreach_stream.cli.bench.usage import cpu_seconds
from outreach_stream.settings import Settings
from outreach_stream.streaming.produce import Record, new_producer, produce

LAYOUT = topics.Layout()
MADE = {"aggregator": topics.RUN_ADMITTED_EXPRESS.name, "dispatcher": topics.SEND_REQUESTED_EXPRESS.name,
        "sender": topics.SEND_RESULT.name}
"""What each role makes of a trigger, in the order in which a mail meets them."""
CATALOG = {
    "workflows/hello.yaml": "name: Hello\ntemplate: hello\nengines: [memory]\nfrom: us@shop.example\n",
    "templates/hello.yaml": "subject: Hello {{ name }}\ntext: A good day to you, {{ name }}.\n",
    "engines/memory.yaml": "kind: memory\n",
}
EVERY = 0.1
"""Seconds between two requests of a lane."""
STOOD_STILL = 0.7
"""Seconds of silence after a kill from which a lane counts as the killed one's."""
PATIENCE = 90.0
type Figures = dict[str, dict[str, float]]


class World:
    """A broker's topics, seen from outside, and the workers on them."""

    def __init__(self, bootstrap: str, folder: Path, session_timeout: float) -> None:
        self.bootstrap, self.folder, self.seen = bootstrap, folder, dict.fromkeys(MADE.values(), 0)
        self.latest = b""                       # the latest request of a mail
        self.answered: dict[tuple[str, int], float] = {}
        self.workers: dict[str, subprocess.Popen[bytes]] = {}
        self.env = os.environ | {
            "OUTREACH_KAFKA_BOOTSTRAP": bootstrap, "OUTREACH_CATALOG": str(folder / "catalog"),
            "OUTREACH_OUTPUT": str(folder / "output"), "OUTREACH_LOG_LEVEL": "warning", "OUTREACH_METRICS_PORT": "0",
            "OUTREACH_SESSION_TIMEOUT": str(session_timeout), "OUTREACH_DRAIN_TIMEOUT": "5",
            # As installed: compiled, which packages of the image are, and a checkout is after its first run.
            "PYTHONDONTWRITEBYTECODE": "", "PYTHONPYCACHEPREFIX": str(folder / "compiled")}

    @asynccontextmanager
    async def watched(self) -> AsyncIterator["World"]:
        for name, text in CATALOG.items():
            self.folder.joinpath("catalog", name).parent.mkdir(parents=True, exist_ok=True)
            self.folder.joinpath("catalog", name).write_text(text)
        async with (new_producer(self.bootstrap) as self.producer,
                    AIOKafkaConsumer(bootstrap_servers=self.bootstrap, fetch_max_wait_ms=50) as consumer):
            consumer.assign([TopicPartition(topic.name, partition) for topic in topics.FLOW
                             if topic.name in self.seen for partition in range(LAYOUT.partitions(topic))])
            await consumer.seek_to_end()
            watching = asyncio.create_task(self._watch(consumer))
            try:
                yield self
            finally:
                watching.cancel()
                for worker in self.workers.values():
                    worker.kill()
                    worker.wait()

    async def _watch(self, consumer: AIOKafkaConsumer) -> None:
        async for record in consumer:
            self.seen[record.topic] += 1
            if record.topic == MADE["dispatcher"]:
                self.latest = record.value
            elif record.topic == MADE["sender"]:
                result = json.loads(record.value)
                self.answered.setdefault((result["run_id"], result["index"]), time.monotonic())

    def start(self, role: str, state: str) -> float:
        """Starts a worker; when that was."""
        began = time.monotonic()
        with self.folder.joinpath(f"{state}.log").open("ab") as log:
            self.workers[state] = subprocess.Popen(
                [sys.executable, "-m", "outreach_stream.cli", "worker", role, "--data-dir", str(self.folder / state)],
                env=self.env, stdout=log, stderr=log)
        return began

    async def end(self, state: str, number: signal.Signals) -> None:
        worker = self.workers.pop(state)
        worker.send_signal(number)
        await asyncio.to_thread(worker.wait)

    async def until(self, condition: Callable[[], Any]) -> None:
        async with asyncio.timeout(PATIENCE):
            while not condition():  # noqa: ASYNC110 - what is waited for is in other processes
                await asyncio.sleep(0.005)


async def started(world: World) -> Figures:
    """One trigger, and one role after the other that takes it further."""
    trigger = json.dumps({"workflow_id": "hello", "recipients": [{"email": "ada@example.com", "name": "Ada"}]})
    await produce(world.producer, topics.WORKFLOW_TRIGGERED.name, 0, [Record(None, trigger.encode())])
    figures = {}
    for role, made in MADE.items():
        before, began = world.seen[made], world.start(role, role)
        await world.until(lambda made=made, before=before: world.seen[made] > before)  # type: ignore[misc]
        seconds = time.monotonic() - began
        cpu = cpu_seconds({role: world.workers[role].pid}).get(role, 0.0)
        figures[f"start of {role}"] = {"seconds": seconds, "cpu_seconds": cpu}
        await world.end(role, signal.SIGTERM)
    return figures


async def stable(world: World, members: int) -> None:
    """Returns when so many senders have partitions."""
    admin = AIOKafkaAdminClient(bootstrap_servers=world.bootstrap)
    await admin.start()
    try:
        async with asyncio.timeout(PATIENCE):
            while True:
                _, _, state, _, _, found, *_ = (await admin.describe_consumer_groups(["outreach-sender"]))[0].groups[0]
                if state == "Stable" and len(found) == members:
                    return
                await asyncio.sleep(0.05)
    finally:
        await admin.close()


class Requests:
    """One request for each lane, again and again, in runs of our own."""

    def __init__(self, world: World) -> None:
        self.world, self.run, self.asked = world, str(uuid.uuid4()), dict[int, float]()

    async def go_on(self) -> None:
        """Until cancelled. The lane of request `index` is its remainder by the number of lanes."""
        request = json.loads(self.world.latest) | {"run_id": self.run, "deadline": time.time() + 600}
        for first in range(0, 1000, LAYOUT.lanes):
            self.asked |= dict.fromkeys(range(first, first + LAYOUT.lanes), time.monotonic())
            await asyncio.gather(*(
                produce(self.world.producer, MADE["dispatcher"], lane, [Record(None, json.dumps(
                    request | {"index": first + lane, "email": f"p{first + lane}@example.com"}).encode())])
                for lane in range(LAYOUT.lanes)))
            await asyncio.sleep(EVERY)

    def again(self, moment: float) -> dict[int, float]:
        """For each lane that has a result of a request made after `moment`: seconds from it to the first."""
        found: dict[int, float] = {}
        for index, at in self.asked.items():
            if at > moment and (answered := self.world.answered.get((self.run, index))):
                lane = index % LAYOUT.lanes
                found[lane] = min(found.get(lane, answered - moment), answered - moment)
        return found


async def killed(world: World, *, restart: bool) -> dict[str, float]:
    """Two senders at work; one of them is killed. When the first and the last of its lanes work again."""
    for state in ("a", "b"):
        if state not in world.workers:
            world.start("sender", state)
    await stable(world, 2)
    requests = Requests(world)
    going_on = asyncio.create_task(requests.go_on())
    began = time.monotonic()
    await world.until(lambda: len(requests.again(began)) == LAYOUT.lanes)
    moment = time.monotonic()
    await world.end("a", signal.SIGKILL)
    if restart:
        world.start("sender", "a")
    await world.until(lambda: len(requests.again(moment)) == LAYOUT.lanes)
    going_on.cancel()
    stood = sorted(seconds for seconds in requests.again(moment).values() if seconds > STOOD_STILL)
    return {"first_lane_seconds": stood[0], "last_lane_seconds": stood[-1], "lanes": len(stood)}


async def measure(rounds: int, session_timeout: float) -> Figures:
    with tempfile.TemporaryDirectory(prefix="outreach-start-", ignore_cleanup_errors=True) as name:
        async with EmbeddedBroker(Path(name) / "kafka", Settings().cache_dir) as broker:
            await create_topics(broker.bootstrap, LAYOUT)
            async with World(broker.bootstrap, Path(name), session_timeout).watched() as world:
                first, *measured = [await started(world) for _ in range(rounds + 1)]
                for figures in measured:
                    figures["kill -9, started again"] = await killed(world, restart=True)
                    figures["kill -9, the other takes over"] = await killed(world, restart=False)
    return {f"first {what}": figures for what, figures in first.items()} | {
        what: {key: round(median(each[what][key] for each in measured), 3) for key in measured[0][what]}
        for what in measured[0]}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--session-timeout", type=float, default=6.0, help="seconds (the default of workers is 20)")
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    figures = asyncio.run(measure(asked.rounds, asked.session_timeout))
    if asked.json:
        print(json.dumps(figures))
        return
    print(f"medians of {asked.rounds}; sessions of {asked.session_timeout} s")
    for what, row in figures.items():
        print(f"{what:<32}" + "  ".join(f"{key.replace('_', ' ')} {value:.2f}" for key, value in row.items()))


if __name__ == "__main__":
    main()
