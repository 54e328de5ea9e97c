"""How soon a worker works: from the start of its process, and after a kill -9, to its first record done.

    python benchmarks/start.py [--rounds 5] [--session-timeout 6] [--json]

Start: the record waits, nobody else runs, and the clock runs from exec until what the role makes of it is published.
Kill -9 of one of two senders, with requests for all lanes going on: until its lanes have results again. Its successor
is the other sender, or itself, started again on its state folder at once (a static member of its group).
"""

import asyncio
import json
import signal
import time
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from statistics import median

from aiokafka import AIOKafkaConsumer, TopicPartition
from asking import answer, parser
from new_kafka import new_kafka
from workers import Workers, settled, until

from outreach_stream import topics
from outreach_stream.cli.bench.usage import cpu_seconds
from outreach_stream.streaming.produce import Record, new_producer, produce

LAYOUT = topics.Layout()
MADE = {"aggregator": topics.RUN_ADMITTED_EXPRESS.name, "dispatcher": topics.SEND_REQUESTED_EXPRESS.name,
        "sender": topics.SEND_RESULT.name}
"""What each role makes of a trigger, in the order in which a mail meets them."""
EVERY = 0.1
"""Seconds between two requests of a lane."""
STOOD_STILL = 0.7
"""Seconds of silence after a kill from which a lane counts as the killed one's."""
type Figures = dict[str, dict[str, float]]


class World(Workers):
    """A broker's topics, seen from outside, and the workers on them."""

    def __init__(self, bootstrap: str, folder: Path, session_timeout: float) -> None:
        super().__init__(bootstrap, folder, session_timeout)
        self.seen = dict.fromkeys(MADE.values(), 0)
        self.latest = b""                       # the latest request of a mail
        self.answered: dict[tuple[str, int], float] = {}

    @asynccontextmanager
    async def watched(self) -> AsyncIterator["World"]:
        async with (new_producer(self.bootstrap) as self.producer,
                    AIOKafkaConsumer(bootstrap_servers=self.bootstrap, fetch_max_wait_ms=50) as consumer):
            consumer.assign([TopicPartition(topic.name, partition) for topic in topics.FLOW
                             if topic.name in self.seen for partition in range(LAYOUT.partitions(topic))])
            await consumer.seek_to_end()
            watching = asyncio.create_task(self._watch(consumer))
            try:
                with self.at_hand():
                    yield self
            finally:
                watching.cancel()

    async def _watch(self, consumer: AIOKafkaConsumer) -> None:
        async for record in consumer:
            self.seen[record.topic] += 1
            if record.topic == MADE["dispatcher"]:
                self.latest = record.value
            elif record.topic == MADE["sender"]:
                result = json.loads(record.value)
                self.answered.setdefault((result["run_id"], result["index"]), time.monotonic())


async def started(world: World) -> Figures:
    """One trigger, and one role after the other that takes it further."""
    trigger = json.dumps({"workflow_id": "hello", "recipients": [{"email": "ada@example.com", "name": "Ada"}]})
    await produce(world.producer, topics.WORKFLOW_TRIGGERED.name, 0, [Record(None, trigger.encode())])
    figures = {}
    for role, made in MADE.items():
        before, began = world.seen[made], world.start(role, role)
        await until(lambda made=made, before=before: world.seen[made] > before)  # type: ignore[misc]
        seconds = time.monotonic() - began
        cpu = cpu_seconds({role: world.running[role].pid}).get(role, 0.0)
        figures[f"start of {role}"] = {"seconds": seconds, "cpu_seconds": cpu}
        await world.end(role, signal.SIGTERM)
    return figures


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
        if state not in world.running:
            world.start("sender", state)
    await settled(world.bootstrap, "sender", 2)
    requests = Requests(world)
    going_on = asyncio.create_task(requests.go_on())
    began = time.monotonic()
    await until(lambda: len(requests.again(began)) == LAYOUT.lanes)
    moment = time.monotonic()
    await world.end("a", signal.SIGKILL)
    if restart:
        world.start("sender", "a")
    await until(lambda: len(requests.again(moment)) == LAYOUT.lanes)
    going_on.cancel()
    stood = sorted(seconds for seconds in requests.again(moment).values() if seconds > STOOD_STILL)
    return {"first_lane_seconds": stood[0], "last_lane_seconds": stood[-1], "lanes": len(stood)}


async def measure(rounds: int, session_timeout: float) -> Figures:
    async with (new_kafka("start") as kafka,
                World(kafka.bootstrap, kafka.folder, session_timeout).watched() as world):
        first, *measured = [await started(world) for _ in range(rounds + 1)]
        for figures in measured:
            figures["kill -9, started again"] = await killed(world, restart=True)
            figures["kill -9, the other takes over"] = await killed(world, restart=False)
    return {f"first {what}": figures for what, figures in first.items()} | {
        what: {key: round(median(each[what][key] for each in measured), 3) for key in measured[0][what]}
        for what in measured[0]}


def main() -> None:
    options = parser(__doc__, rounds=5)
    options.add_argument("--session-timeout", type=float, default=6.0, help="seconds (the default of workers is 20)")
    asked = options.parse_args()
    figures = asyncio.run(measure(asked.rounds, asked.session_timeout))
    answer(asked, figures, lambda: [
        f"medians of {asked.rounds}; sessions of {asked.session_timeout} s",
        *(f"{what:<32}" + "  ".join(f"{key.replace('_', ' ')} {value:.2f}" for key, value in row.items())
          for what, row in figures.items())])


if __name__ == "__main__":
    main()
