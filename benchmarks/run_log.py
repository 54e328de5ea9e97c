"""The JSON log of a run: entries a second and memory, from `send.result` on a real Kafka to the file in its place.

    python benchmarks/run_log.py [--entries 200000] [--rounds 3] [--json]

Each round is a process of its own that does what an aggregator does when a run has ended, and nothing else.
"""

import asyncio
import multiprocessing
import resource
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from statistics import median

from asking import answer, parser, positive
from new_kafka import new_kafka
from results import TOGETHER, planned, publish, requested

from outreach_stream.agents.published import KafkaPublished
from outreach_stream.cli.bench.usage import size
from outreach_stream.domain.states import Counts
from outreach_stream.runs.log import LogJob, write_log
from outreach_stream.runs.log_head import log_head, log_name
from outreach_stream.runs.log_store import FolderStore
from outreach_stream.runs.record import RunRecord
from outreach_stream.runs.results import read_result
from outreach_stream.runs.tally import Tally
from outreach_stream.streaming.produce import new_producer

BEGAN, PARTITION = 1_790_000_000.0, 0
type Figures = dict[str, float]


async def publish_all(bootstrap: str, entries: int) -> dict[int, Tally]:
    """Publishes the results of the run, and counts them as the tracker does."""
    tallies: dict[int, Tally] = {}
    async with new_producer(bootstrap) as producer:
        for start in range(0, entries, TOGETHER):
            for value, offset in await publish(producer, PARTITION, range(start, min(entries, start + TOGETHER))):
                told = read_result(value, offset)
                tallies.setdefault(told.chunk, Tally()).note(told)
    return tallies


def job_of(entries: int, tallies: dict[int, Tally]) -> LogJob:
    """The log that is to be written."""
    request, plan, record = requested(BEGAN), planned(BEGAN, entries), RunRecord()
    for event in (request, plan):
        record.apply(event)
    record.end(BEGAN + 60, cancelled=False)
    return LogJob(log_name(request), log_head(record, Counts(total=entries, sent=entries), {"id": "relay"}), plan,
                  tallies)


def peak_kib() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def write(bootstrap: str, job: LogJob, folder: Path) -> Figures:
    """Writes the log in this process; what that took."""
    async def written() -> int:
        async with KafkaPublished(bootstrap, PARTITION) as published:
            return await write_log(job, published, FolderStore(folder))

    before, began, cpu = peak_kib(), time.perf_counter(), time.process_time()
    listed = asyncio.run(written())
    seconds, cpu = time.perf_counter() - began, time.process_time() - cpu
    return {"entries": listed, "entries_per_s": round(listed / seconds),
            "cpu_us_per_entry": round(cpu / listed * 1e6, 2), "peak_mib": round(peak_kib() / 1024, 1),
            "grown_mib": round((peak_kib() - before) / 1024, 1), "file_mib": round(size([folder]) / 2**20, 1)}


def in_its_own_process(bootstrap: str, job: LogJob, folder: Path) -> Figures:
    fresh = multiprocessing.get_context("spawn")    # its peak is only that of writing
    with ProcessPoolExecutor(1, mp_context=fresh) as pool:
        return pool.submit(write, bootstrap, job, folder).result()


async def measure(entries: int, rounds: int) -> Figures:
    async with new_kafka("run-log") as kafka:
        job = job_of(entries, await publish_all(kafka.bootstrap, entries))
        figures = [await asyncio.to_thread(in_its_own_process, kafka.bootstrap, job, kafka.folder / "output")
                   for _ in range(rounds)]
    assert all(each["entries"] == entries for each in figures), "everybody is listed"
    return {key: median(each[key] for each in figures) for key in figures[0]}


def main() -> None:
    options = parser(__doc__, rounds=3)
    options.add_argument("--entries", type=positive, default=200_000, help="recipients of the run (default: 200000)")
    asked = options.parse_args()
    figures = asyncio.run(measure(asked.entries, asked.rounds))
    answer(asked, figures, lambda: [
        (f"{figures['entries']:,.0f} entries, {figures['file_mib']} MiB, median of {asked.rounds}: "
        f"{figures['entries_per_s']:,.0f} entries a second, {figures['cpu_us_per_entry']} µs CPU each"),
        f"peak memory {figures['peak_mib']} MiB, of which {figures['grown_mib']} MiB came by writing"])


if __name__ == "__main__":
    main()
