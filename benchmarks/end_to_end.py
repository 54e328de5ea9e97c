"""Recipients a second from trigger to sink, and CPU by process, beside a bare aiosmtplib loop with the same messages.

    python benchmarks/end_to_end.py [--recipients 20000] [--concurrency 100] [--runs 1] [--json]

Everything runs on this machine: the embedded broker, one process for each role, and the local inbox as the sink. Each
run has fresh processes and an empty broker; of several, the median of each figure is told, and the worst of the losses.
"""

import argparse
import asyncio
import json
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any

import aiosmtplib
import psutil

from outreach_stream import topics
from outreach_stream.broker.admin import create_topics
from outreach_stream.broker.embedded import EmbeddedBroker
from outreach_stream.catalog.folder import FolderCatalog
from outreach_stream.catalog.spec import freeze
from outreach_stream.domain.events import RunStatus, SendRequested
from outreach_stream.domain.identity import run_id
from outreach_stream.domain.triggers import WorkflowTriggered
from outreach_stream.inbox.record import InboxRecord
from outreach_stream.rendering.composer import SpecComposer
from outreach_stream.settings import Settings
from outreach_stream.streaming.produce import Record, new_producer, produce
from outreach_stream.streaming.views import View
from outreach_stream.topics import Layout

ROLES = ("aggregator", "dispatcher", "sender")
WARM_UP = 5_000
COLUMNS = ("email", "name", "city", "favourites", "loyalty_years", "unsubscribe_token")
ENGINE = """\
kind: smtp
host: 127.0.0.1
port: env:OUTREACH_DEMO_SMTP_PORT
security: none
concurrency: {concurrency}
connections: {{max_messages: 1000000}}
"""
EXAMPLES = Path(__file__).parent.parent / "examples" / "catalog"


def person(i: int) -> tuple[str, str, str, str, int, str]:
    return f"person{i}@example.com", f"Person {i}", "Köln", "Lavender, Sage, Sweet peas", i % 9, f"token{i}"


def write_catalog(folder: Path, people: int, concurrency: int) -> None:
    shutil.copytree(EXAMPLES, folder)
    (folder / "engines/inbox.yaml").write_text(ENGINE.format(concurrency=concurrency))
    with sqlite3.connect(folder / "people.db") as db:
        db.execute(f"CREATE TABLE people (id INTEGER PRIMARY KEY, {', '.join(COLUMNS)}, subscribed DEFAULT 1)")
        db.execute("CREATE TABLE suppressed (email)")
        insert = f"INSERT INTO people ({', '.join(COLUMNS)}) VALUES (?, ?, ?, ?, ?, ?)"
        db.executemany(insert, map(person, range(people)))


class Stage:
    """The processes, and what each has used."""

    def __init__(self, folder: Path, bootstrap: str, people: int, concurrency: int) -> None:
        self.folder, self.record = folder, folder / "inbox.jsonl"
        write_catalog(folder / "catalog", people, concurrency)
        self.env = {**os.environ, "OUTREACH_KAFKA_BOOTSTRAP": bootstrap, "OUTREACH_CATALOG": str(folder / "catalog"),
                    "OUTREACH_OUTPUT": str(folder / "output"), "OUTREACH_STATE_DIR": str(folder / "state"),
                    "OUTREACH_LOG_LEVEL": "warning"}
        self.processes: dict[str, subprocess.Popen[str]] = {}

    def start(self, name: str, *command: str) -> subprocess.Popen[str]:
        self.processes[name] = subprocess.Popen([sys.executable, "-m", *command], env=self.env, text=True,
                                                stdout=subprocess.PIPE if name == "sink" else None)
        return self.processes[name]

    @contextmanager
    def running(self) -> Iterator[None]:
        try:
            sink = self.start("sink", "outreach_stream.inbox", "--record", str(self.record))
            assert sink.stdout
            self.port = int(json.loads(sink.stdout.readline())["port"])
            self.env["OUTREACH_DEMO_SMTP_PORT"] = str(self.port)
            for role in ROLES:
                self.start(role, "outreach_stream.cli", "worker", role, "--data-dir", str(self.folder / "state" / role))
            yield
        finally:
            for process in self.processes.values():
                process.terminate()
            for process in self.processes.values():
                process.wait(40)

    def cpu(self, broker: int) -> dict[str, float]:
        return {name: cpu_seconds(pid) for name, pid in
                [*((name, process.pid) for name, process in self.processes.items()), ("broker", broker)]}

    def peak_mib(self, broker: int) -> dict[str, float]:
        pids = [*((name, process.pid) for name, process in self.processes.items()), ("broker", broker)]
        return {name: peak(pid) for name, pid in pids}


def cpu_seconds(pid: int) -> float:
    times = psutil.Process(pid).cpu_times()
    return times.user + times.system


def peak(pid: int) -> float:
    """Peak resident MiB: VmHWM of the kernel."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM"):
            return round(int(line.split()[1]) / 1024, 1)
    return 0.0


async def flow(stage: Stage, bootstrap: str, broker: int, recipients: int) -> dict[str, object]:
    """One warm-up run of some of the people, then all of them, measured."""
    statuses = View(bootstrap, topics.RUN_STATUS.name, decode=RunStatus.model_validate_json)
    await statuses.start()
    producer = new_producer(bootstrap)
    await producer.start()

    async def run(key: str, workflow: str) -> RunStatus:
        event = WorkflowTriggered(workflow_id=workflow, idempotency_key=key)
        await produce(producer, topics.WORKFLOW_TRIGGERED.name, 0, [Record(None, event.encode())])
        name = run_id(workflow, slot=None, key=key, trigger_id="").encode()
        end = time.monotonic() + 600
        while not ((status := statuses.get(name)) and status.state.terminal and status.log):
            assert time.monotonic() < end, status
            await asyncio.sleep(0.02)
        return status

    await run("warm-up", "warm-up")
    before, mails_before = stage.cpu(broker), sum(1 for _ in InboxRecord(stage.record).mails())
    began = time.time()
    status = await run("measured", "1")
    seconds = time.time() - began
    after = stage.cpu(broker)
    mails = list(InboxRecord(stage.record).mails())[mails_before:]
    await statuses.stop()
    await producer.stop()
    first, last = min(mail.began for mail in mails), max(mail.at for mail in mails)
    micros = {name: round((after[name] - before[name]) / recipients * 1e6, 1) for name in after}
    return {
        "recipients": recipients, "state": status.state, "sent": status.counts.sent,
        "recipients_per_s": round(recipients / (last - first)), "seconds_to_first_mail": round(first - began, 3),
        "seconds_trigger_to_log": round(seconds, 2),
        "cpu_us_per_recipient": {"outreach": round(sum(micros[role] for role in ROLES), 1), **micros},
        "peak_mib": stage.peak_mib(broker),
        "lost": recipients - len({mail.recipient for mail in mails}),
        "duplicates": len(mails) - len({mail.recipient for mail in mails}),
    }


async def bare_loop(port: int, catalog: Path, recipients: int, connections: int) -> dict[str, float]:
    """The same messages, composed beforehand, by aiosmtplib alone."""
    spec = freeze(FolderCatalog(catalog).load(), "1", 8)
    composer, parameters = SpecComposer(spec), spec.bind({})
    messages = []
    for i in range(recipients):
        row = dict(zip(COLUMNS, person(i), strict=True))
        request = SendRequested(run_id="bare", chunk=i // 1024, index=i % 1024, email=row.pop("email"),
                                name=row.pop("name"), variables={**parameters, **row}, spec=spec.digest,
                                engine="inbox", deadline=0)
        message = composer.compose(request, time.time())
        messages.append((message.sender, message.recipient, message.mime()))
    left = iter(messages)

    async def connection() -> None:
        async with aiosmtplib.SMTP(hostname="127.0.0.1", port=port, start_tls=False) as client:
            for sender, recipient, content in left:
                await client.sendmail(sender, [recipient], content)

    cpu, began = time.process_time(), time.perf_counter()
    await asyncio.gather(*(connection() for _ in range(connections)))
    seconds = time.perf_counter() - began
    return {"per_s": round(recipients / seconds), "cpu_us": round((time.process_time() - cpu) / recipients * 1e6, 1),
            "message_bytes": len(messages[0][2])}


async def measure(recipients: int, concurrency: int) -> dict[str, object]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        async with EmbeddedBroker(folder / "kafka", Settings().cache_dir) as broker:
            await create_topics(broker.bootstrap, Layout())
            stage = Stage(folder, broker.bootstrap, recipients, concurrency)
            workflow = (stage.folder / "catalog/workflows/spring-offer.yaml").read_text()
            warm = workflow.replace("id: 1\n", "id: warm-up\n").replace("ORDER BY id", f"ORDER BY id LIMIT {WARM_UP}")
            (stage.folder / "catalog/workflows/warm-up.yaml").write_text(warm)
            with stage.running():
                assert broker.pid
                figures = await flow(stage, broker.bootstrap, broker.pid, recipients)
                bare = await bare_loop(stage.port, folder / "catalog", recipients, concurrency)
    ratio = round(float(figures["recipients_per_s"]) / bare["per_s"], 2)  # type: ignore[arg-type]
    return {**figures, "baselines": {"aiosmtplib_per_s": bare["per_s"], "aiosmtplib_cpu_us": bare["cpu_us"]},
            "message_bytes": bare["message_bytes"], "of_aiosmtplib": ratio}


def medians(runs: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Figure by figure, groups of figures too; of what is no figure, that of the first run."""
    told: dict[str, Any] = {}
    for name, first in runs[0].items():
        values = [run[name] for run in runs]
        if isinstance(first, Mapping):
            told[name] = medians(values)
        else:
            told[name] = first if isinstance(first, str) else median(values)
    return told


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--recipients", type=int, default=20_000)
    parser.add_argument("--concurrency", type=int, default=100, help="mails in work at a time")
    parser.add_argument("--runs", type=int, default=1)
    parser.add_argument("--json", action="store_true", help="one JSON object as the last line")
    asked = parser.parse_args()
    runs = [asyncio.run(measure(asked.recipients, asked.concurrency)) for _ in range(asked.runs)]
    figures = {**medians(runs), **{name: max(run[name] for run in runs) for name in ("lost", "duplicates")}}  # type: ignore[type-var]
    if asked.json:
        print(json.dumps(figures))
        return
    for name, value in figures.items():
        print(f"{name:24} {value}")


if __name__ == "__main__":
    main()
