"""How soon the tracker goes on after a kill -9, in the middle of a large run: on its state folder, and without it.

    python benchmarks/recovery.py
    python benchmarks/recovery.py --recipients 20000 --rounds 1

A run of a million recipients is told to an aggregator as the other roles would tell it (its admission, its plan, a
result for each recipient), with nobody sending: that takes a minute or so. When all are counted the aggregator is
killed (kill -9), one more result is published, and its successor started: the clock runs from the start of the process
until `run.status` counts that result as well, on top of all the others. Statuses are published every quarter of a
second, so that up to 0.25 s are those of waiting.

  same folder   the successor has the killed one's state folder: what the changelog of its tables has had since it was
                last written to disk, it reads again. It is the same member of its group, and waits for nobody.
  empty folder  nothing is left of the state: all tables are replayed from their changelogs. It is another member, so
                the killed one's session must have ended (`--session-timeout`), which is waited for before the start.

Peak memory is that of the successor, until it counts. All waits are bounded; nothing is left behind.
"""

import argparse
import asyncio
import signal
import time
from contextlib import AsyncExitStack
from statistics import median

from aiokafka import AIOKafkaProducer
from asking import answer, parser, positive
from new_kafka import NewKafka, new_kafka
from results import RUN, TOGETHER, planned, publish, requested
from workers import PATIENCE, Workers, settled, until

from outreach_stream import topics
from outreach_stream.cli.bench.usage import cpu_seconds, peak_mib, size
from outreach_stream.domain.identity import partition_of
from outreach_stream.gateway.runs.statuses import RunStatuses
from outreach_stream.streaming.produce import Record, new_producer, produce

ROLE = "aggregator"
PARTITION = partition_of(RUN, topics.Layout().runs)
SLOWEST = 2_000
"""Results a second that the aggregator counts at least, or it is given up."""
AT_A_TIME = 25
"""Batches of results on their way at a time."""
type Figures = dict[str, float]


class Tracked:
    """The run: what is published of it, and what is said of it."""

    def __init__(self, kafka: NewKafka, producer: AIOKafkaProducer, statuses: RunStatuses) -> None:
        self._kafka, self._producer, self._statuses, self.published = kafka, producer, statuses, 0

    async def begin(self, total: int) -> None:
        """It is admitted and planned."""
        now = time.time()
        await produce(self._producer, topics.RUN_EVENT.name, PARTITION, [
            Record(RUN.encode(), event.encode()) for event in (requested(now), planned(now, total))])

    async def more(self, count: int) -> None:
        """So many further results."""
        end, limit = self.published + count, asyncio.Semaphore(AT_A_TIME)

        async def batch(numbers: range) -> None:
            async with limit:
                await publish(self._producer, PARTITION, numbers)

        await asyncio.gather(*(batch(range(start, min(end, start + TOGETHER)))
                               for start in range(self.published, end, TOGETHER)))
        self.published = end

    def counted(self) -> bool:
        """Whether all that was published is."""
        status = self._statuses.get(RUN)
        return status is not None and status.counts.ended == self.published

    def changelogs_mib(self) -> float:
        """What the broker keeps of the aggregator's tables."""
        return round(size(self._kafka.records.glob(f"outreach-{ROLE}-*-changelog-*"), ".log") / 2**20, 2)


async def feed(tracked: Tracked, workers: Workers, recipients: int, total: int) -> Figures:
    """All results of the run, counted by a first aggregator as they come."""
    workers.start(ROLE, "kept")
    await settled(workers.bootstrap, ROLE, 1)
    await tracked.begin(total)
    began = time.monotonic()
    await tracked.more(recipients)
    await until(tracked.counted, PATIENCE + recipients / SLOWEST)
    seconds = time.monotonic() - began
    used = cpu_seconds({ROLE: workers.running["kept"].pid}).get(ROLE, 0.0)
    return {"recipients": recipients, "fed_in_seconds": round(seconds, 1),
            "cpu_us_per_result": round(used / recipients * 1e6, 1)}


async def succeeded(tracked: Tracked, workers: Workers, killed: str, successor: str) -> Figures:
    """Kill the aggregator of one state folder, and start one on another, or on the same."""
    await workers.end(killed, signal.SIGKILL)
    if successor != killed:
        await settled(workers.bootstrap, ROLE, 0)
    await tracked.more(1)
    began = workers.start(ROLE, successor)
    await until(tracked.counted)
    seconds, pids = time.monotonic() - began, {ROLE: workers.running[successor].pid}
    return {"seconds": round(seconds, 2), "peak_mib": peak_mib(pids).get(ROLE, 0.0),
            "cpu_seconds": round(cpu_seconds(pids).get(ROLE, 0.0), 2)}


async def measure(recipients: int, rounds: int, session_timeout: float) -> dict[str, Figures]:
    async with AsyncExitStack() as stack:
        kafka = await stack.enter_async_context(new_kafka("recovery"))
        producer = await stack.enter_async_context(new_producer(kafka.bootstrap))
        statuses, workers = RunStatuses(kafka.bootstrap), Workers(kafka.bootstrap, kafka.folder, session_timeout)
        await statuses.start()
        stack.push_async_callback(statuses.stop)
        stack.enter_context(workers.at_hand())
        tracked, folder = Tracked(kafka, producer, statuses), "kept"
        # One more than are ever published: a run that has ended would be counted no further.
        fed = await feed(tracked, workers, recipients, recipients + 2 * rounds + 1)
        same, empty = [], []
        for number in range(rounds):
            same.append(await succeeded(tracked, workers, folder, folder))
            empty.append(await succeeded(tracked, workers, folder, f"empty-{number}"))
            folder = f"empty-{number}"
        return {"run": fed | {"changelogs_mib": tracked.changelogs_mib()}, "same folder": middle(same),
                "empty folder": middle(empty)}


def middle(found: list[Figures]) -> Figures:
    """The median of each figure; of memory the most."""
    return {name: (max if name == "peak_mib" else median)(each[name] for each in found) for name in found[0]}


def lines(figures: dict[str, Figures], asked: argparse.Namespace) -> list[str]:
    run = figures["run"]
    return [
        (f"{run['recipients']:,} results fed and counted in {run['fed_in_seconds']} s, {run['cpu_us_per_result']} µs "
         f"CPU each with the start; changelogs {run['changelogs_mib']} MiB; rounds: {asked.rounds}"),
        *(f"{what:<13} {row['seconds']:>6.2f} s to the next result counted, {row['cpu_seconds']:.2f} s of CPU, "
          f"peak {row['peak_mib']:.0f} MiB" for what, row in figures.items() if what != "run")]


def main() -> None:
    options = parser(__doc__, rounds=3)
    options.add_argument("--recipients", type=positive, default=1_000_000, help="of the run (default: 1000000)")
    options.add_argument("--session-timeout", type=float, default=6.0,
                         help="seconds until a killed one's membership ends (default: 6; that of workers is 20)")
    asked = options.parse_args()
    figures = asyncio.run(measure(asked.recipients, asked.rounds, asked.session_timeout))
    answer(asked, figures, lambda: lines(figures, asked))


if __name__ == "__main__":
    main()
