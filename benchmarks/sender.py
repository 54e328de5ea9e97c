"""The sender alone: requests decoded, placed, composed, handed over by SMTP to a sink, and written down; no Kafka.

    python benchmarks/sender.py [--mails 10000] [--concurrency 600] [--rounds 5] [--together 1,32] [--json]

All of it is what a sender does but for Faust and the broker: its table and its results are durable a fixed time after
they are given, in memory. Told is the processor time of each mail in this process and in the sink, and mails a second.
`--together 1,32` composes mails one by one, and in groups of 32: what it costs that a processor forgets.
"""

import asyncio
import socket
import subprocess
import tempfile
import time
from argparse import Namespace
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any, cast

from aiokafka import ConsumerRecord
from asking import answer, counts, parser, positive
from faust.types import TP
from mime import CATALOG, requests

from outreach_stream.agents.send import _result_record, _take
from outreach_stream.catalog.folder import FolderCatalog
from outreach_stream.catalog.spec import freeze
from outreach_stream.cli.bench.sinks import InboxSink
from outreach_stream.cli.bench.usage import cpu_seconds
from outreach_stream.cli.demo.stage import held_port
from outreach_stream.delivery import couriers
from outreach_stream.delivery.desk import Allowance, Desk
from outreach_stream.delivery.floor import Floor, Surroundings
from outreach_stream.domain.clock import wall_clock
from outreach_stream.domain.policy import Policy
from outreach_stream.domain.ports import Brief
from outreach_stream.domain.told import Told
from outreach_stream.engines.registry import build, engine_from
from outreach_stream.rendering.composer import SpecComposer
from outreach_stream.streaming.batch import Batch, Gate
from outreach_stream.streaming.memory import collect_rarely

if TYPE_CHECKING:
    from outreach_stream.streaming.app import StreamApp
    from outreach_stream.streaming.lease import Lease

DURABLE_SECONDS = 0.004
"""Until what is written is durable: a broker next door."""
LANES, TOGETHER, AHEAD = 8, 512, 4_096
TOPIC = "send.requested"
type Figures = dict[str, float]


def nothing(*_: object) -> Any:
    """Nothing is put off or handed on here."""
    raise AssertionError("not in this benchmark")


class Ours:
    """A lease that is never lost."""

    def valid(self) -> bool:
        return True

    def lost(self) -> bool:
        return False


class Table:
    """Copies in memory; what is written while a write is under way goes with the next one, as to a changelog."""

    writer = b"sender"

    def __init__(self) -> None:
        self._values: dict[tuple[int, bytes], bytes] = {}
        self._waiting: list[asyncio.Future[None]] = []
        self._sending: asyncio.Task[None] | None = None

    def copies(self, partition: int, key: bytes) -> list[tuple[bytes, bytes]]:
        value = self._values.get((partition, key))
        return [] if value is None else [(self.writer, value)]

    def scan(self, partition: int, prefix: bytes) -> list[tuple[bytes, bytes, bytes]]:  # noqa: ARG002
        return []

    def write(self, partition: int, key: bytes, value: bytes) -> asyncio.Future[None]:
        self._values[partition, key] = value
        self._waiting.append(written := asyncio.get_running_loop().create_future())
        if self._sending is None or self._sending.done():
            self._sending = asyncio.create_task(self._send())
        return written

    async def delete(self, partition: int, key: bytes, writer: bytes) -> None:  # noqa: ARG002
        raise AssertionError("nothing is put off here")

    async def _send(self) -> None:
        while self._waiting:
            group, self._waiting = self._waiting, []
            await asyncio.sleep(DURABLE_SECONDS)
            for written in group:
                written.set_result(None)


class Stage:
    """A floor, its engine, and what it is given."""

    def __init__(self, port: int, concurrency: int) -> None:
        spec = freeze(FolderCatalog(CATALOG).load(), 1, 8)
        self.people = requests(spec, 1_000)
        self.ended, self._given, self._chunk = 0, 0, 0
        self._told = asyncio.Event()
        self._offsets = [0] * LANES
        self._gate = Gate(cast("Lease", Ours()))
        brief, limits = Brief(SpecComposer(spec), Policy()), Allowance(None, None, list(range(LANES)))
        engine = build(engine_from({"id": "bench", "kind": "smtp", "host": "127.0.0.1", "port": port,
                                    "security": "none", "concurrency": concurrency}))
        desk = Desk.of("bench", engine, limits, concurrency=concurrency, partitions=LANES)

        async def known(_digest: str) -> Brief:
            return brief

        self.floor = Floor(Surroundings(
            table=Table(), publish=self._publish, hand_on=nothing, briefs=known, desk=lambda _: desk,
            express=lambda _: False, own_work=nothing, tell=lambda *_: None, spawn=asyncio.ensure_future,
            clock=wall_clock))
        self.floor.assigned(set(range(LANES)))

    async def _publish(self, results: Sequence[Told]) -> None:
        for result in results:
            _result_record(result)
        await asyncio.sleep(DURABLE_SECONDS)
        self.ended += len(results)
        self._told.set()

    def encoded(self, count: int) -> list[bytes]:
        """So many requests, of people who were not mailed yet."""
        self._chunk += count // len(self.people) + 1
        until = time.time() + 3_600
        return [self.people[i % len(self.people)].model_copy(
            update={"chunk": self._chunk + i // len(self.people), "deadline": until}).encode() for i in range(count)]

    async def send(self, values: Sequence[bytes]) -> None:
        """Have all of them sent, a few batches ahead of what has ended."""
        goal = self._given + len(values)
        for start in range(0, len(values), TOGETHER):
            await self._until(self._given - AHEAD)
            part, lane = values[start: start + TOGETHER], start // TOGETHER % LANES
            records = [ConsumerRecord(TOPIC, lane, self._offsets[lane] + i, 0, 0, None, value, 0, 0, len(value), ())
                       for i, value in enumerate(part)]
            self._offsets[lane] += len(part)
            _take(cast("StreamApp", None), self.floor, Batch(self._gate, TP(TOPIC, lane), records))
            self._given += len(part)
        await self._until(goal)

    async def _until(self, ended: int) -> None:
        while self.ended < ended:
            self._told.clear()
            await self._told.wait()

    async def close(self) -> None:
        self.floor.close()
        await self.floor.shut()


@contextmanager
def sink(folder: Path) -> Iterator[tuple[int, int]]:
    """The bench's sink: its port, and its process."""
    with held_port(0) as held, (folder / "sink.log").open("wb") as said:
        port = int(held.getsockname()[1])
        process = subprocess.Popen(InboxSink(port, folder).program.command, stdout=said, stderr=said)
        try:
            while not answers(port):
                time.sleep(0.05)
            yield port, process.pid
        finally:
            process.terminate()
            process.wait()


def answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


async def measure(asked: Namespace, port: int, pid: int) -> dict[int, Figures]:
    """Medians of the rounds, by how many are composed together; those in turn."""
    stage, rounds = Stage(port, asked.concurrency), {each: list[Figures]() for each in asked.together}
    await stage.send(stage.encoded(2_000))
    collect_rarely()
    for _ in range(asked.rounds):
        for together, figures in rounds.items():
            couriers.GROUP = together
            values = stage.encoded(asked.mails)
            cpu, began, spent = time.process_time(), time.perf_counter(), cpu_seconds({"sink": pid})["sink"]
            await stage.send(values)
            seconds, cpu = time.perf_counter() - began, time.process_time() - cpu
            spent = cpu_seconds({"sink": pid})["sink"] - spent
            figures.append({"cpu_us": cpu / asked.mails * 1e6, "sink_us": spent / asked.mails * 1e6,
                            "mails_per_s": asked.mails / seconds})
    await stage.close()
    return {each: {key: round(median(one[key] for one in figures), 1) for key in figures[0]}
            for each, figures in rounds.items()}


def lines(figures: dict[int, Figures]) -> Iterator[str]:
    yield f"{'composed together':>18} {'sender, µs':>11} {'sink, µs':>9} {'mails/s':>9}"
    for together, each in figures.items():
        yield f"{together:>18} {each['cpu_us']:>11,.1f} {each['sink_us']:>9,.1f} {each['mails_per_s']:>9,.0f}"


if __name__ == "__main__":
    options = parser(__doc__, rounds=5)
    options.add_argument("--mails", type=positive, default=10_000, help="of a round (default: 10000)")
    options.add_argument("--concurrency", type=positive, default=600, help="mails in work (default: 600)")
    options.add_argument("--together", type=counts, default=[1, 32], metavar="N,N",
                         help="mails that are composed together (default: 1,32)")
    given = options.parse_args()
    with tempfile.TemporaryDirectory() as made, sink(Path(made)) as (at, process_id):
        found = asyncio.run(measure(given, at, process_id))
    answer(given, found, lambda: lines(found))
