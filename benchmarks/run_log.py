"""The JSON log of a run: entries a second and memory, from `send.result` on a real Kafka to the file in its place.

    python benchmarks/run_log.py [--entries 200000] [--rounds 3] [--json]

Each round is a process of its own that does what an aggregator does when a run has ended, and nothing else.
"""

import argparse
import asyncio
import json
import multiprocessing
import resource
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from statistics import median

from outreach_stream import topics
from outreach_stream.agents.published import KafkaPublished
from outreach_stream.broker.admin import create_topics
from outreach_stream.broker.embedded import EmbeddedBroker
from outreach_stream.cli.bench.usage import size
from outreach_stream.domain.events import RunPlanReported, RunRequested, SendResult
from outreach_stream.domain.identity import CHUNK_SIZE, send_id
from outreach_stream.domain.states import Counts
from outreach_stream.runs.log import LogJob, write_log
from outreach_stream.runs.log_head import log_head, log_name
from outreach_stream.runs.log_store import FolderStore
from outreach_stream.runs.record import RunRecord
from outreach_stream.runs.results import read_result
from outreach_stream.runs.tally import Tally
from outreach_stream.settings import Settings
from outreach_stream.streaming.produce import Record, new_producer, produce

RUN, BEGAN = "3f2b6c1e-8d0a-5c57-9a51-0d8c2f0f7a11", 1_790_000_000.0
TOGETHER = 400
"""Results in one batch, as a sender at work publishes them."""
PARTITION = 0
type Figures = dict[str, float]


def result(number: int) -> bytes:
    """A result as senders publish it."""
    chunk, index = divmod(number, CHUNK_SIZE)
    return SendResult(
        run_id=RUN, send_id=send_id(RUN, chunk, index), chunk=chunk, index=index,
        email=f"person.{number}@customers.example.com", status="sent", engine="relay",
        message_id=f"<{RUN}.{chunk}.{index}@mail.example.com>", provider_message_id=f"4cX{number:09d}zQ1",
        attempts=1, started_at="2026-09-21T12:53:19.000Z", finished_at="2026-09-21T12:53:20.000Z").encode()


async def publish(bootstrap: str, entries: int) -> dict[int, Tally]:
    """Publishes the results of the run, and counts them as the tracker does."""
    tallies: dict[int, Tally] = {}
    async with new_producer(bootstrap) as producer:
        for start in range(0, entries, TOGETHER):
            values = [result(number) for number in range(start, min(entries, start + TOGETHER))]
            offsets = await produce(producer, topics.SEND_RESULT.name, PARTITION,
                                    [Record(RUN.encode(), value) for value in values])
            for value, offset in zip(values, offsets, strict=True):
                told = read_result(value, offset)
                tallies.setdefault(told.chunk, Tally()).note(told)
    return tallies


def job_of(entries: int, tallies: dict[int, Tally]) -> LogJob:
    """The log that is to be written."""
    request = RunRequested(
        run_id=RUN, trigger_id="t-1", source="bench", workflow_id="1", workflow_name="Spring", workflow_version="1",
        template_id="spring", template_version="1", spec="d" * 64, engine="relay", lanes=[0, 1], priority="bulk",
        body="b" * 64, triggered_at=BEGAN, admitted_at=BEGAN, deadline=BEGAN + 86_400)
    plan, record = RunPlanReported(run_id=RUN, at=BEGAN + 5, total=entries, skipped=0, chunks=[]), RunRecord()
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
    with tempfile.TemporaryDirectory(prefix="outreach-run-log-") as name:
        async with EmbeddedBroker(Path(name) / "kafka", Settings().cache_dir) as broker:
            await create_topics(broker.bootstrap, topics.Layout())
            job = job_of(entries, await publish(broker.bootstrap, entries))
            figures = [await asyncio.to_thread(in_its_own_process, broker.bootstrap, job, Path(name) / "output")
                       for _ in range(rounds)]
    assert all(each["entries"] == entries for each in figures), "everybody is listed"
    return {key: median(each[key] for each in figures) for key in figures[0]}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--entries", type=int, default=200_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    figures = asyncio.run(measure(asked.entries, asked.rounds))
    if asked.json:
        print(json.dumps(figures))
        return
    print(f"{figures['entries']:,.0f} entries, {figures['file_mib']} MiB, median of {asked.rounds}: "
          f"{figures['entries_per_s']:,.0f} entries a second, {figures['cpu_us_per_entry']} µs CPU each")
    print(f"peak memory {figures['peak_mib']} MiB, of which {figures['grown_mib']} MiB came by writing")


if __name__ == "__main__":
    main()
