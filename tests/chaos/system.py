"""The whole system as real processes on a real broker, for tests that break it: worker by worker, or the broker."""

import asyncio
import contextlib
import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

from outreach_stream import topics
from outreach_stream.broker.admin import create_topics
from outreach_stream.domain.events import RunStatus
from outreach_stream.domain.identity import run_id
from outreach_stream.domain.triggers import WorkflowTriggered
from outreach_stream.inbox.record import InboxRecord
from outreach_stream.streaming.produce import Record, new_producer, produce
from outreach_stream.streaming.views import View
from outreach_stream.topics import Layout

FULL = bool(os.environ.get("CHAOS_FULL"))
"""`make chaos`: a run of 20,000 with 200 in flight, instead of the size that fits into every test run."""
PEOPLE, PLACES = (20_000, 200) if FULL else (3_000, 50)
ROLES = ("aggregator", "dispatcher", "sender")
RUN_ROLE = "import sys; from pathlib import Path; from outreach_stream.settings import load_settings; " \
           "from outreach_stream.wiring import run_role; " \
           "sys.exit(run_role(sys.argv[1], load_settings(), Path(sys.argv[2])))"

ENGINE = """\
kind: smtp
host: 127.0.0.1
port: env:CHAOS_SMTP_PORT
security: none
concurrency: {concurrency}
{rate}
"""
WORKFLOW = """\
id: {id}
name: Chaos {id}
template: hello
engines: [relay]
from: chaos@example.com
recipients:
  database: sqlite:///people.db
  query: {query}
"""
TEMPLATE = 'subject: "Hello {{ name }}"\ntext: "Dear {{ name }} of {{ city }}, good day."\n'


class System:
    """Broker (given), catalog, inbox and workers of one test. Use as an async context manager."""

    def __init__(self, folder: Path, bootstrap: str, *, rate: float | None = None, burst: float | None = None,
                 concurrency: int = 20, session_timeout: float = 6.0, latency_ms: float = 0.0,
                 keep: bool = False) -> None:
        self.folder, self.bootstrap, self.latency_ms = folder, bootstrap, latency_ms
        self.kept = folder / "kept" if keep else None
        self.catalog, self.output, self.record = folder / "catalog", folder / "output", folder / "inbox.jsonl"
        pace = "" if rate is None else f"rate: {rate}\n" + ("" if burst is None else f"burst: {burst}\n")
        for name, text in {"engines/relay.yaml": ENGINE.format(concurrency=concurrency, rate=pace),
                           "templates/hello.yaml": TEMPLATE}.items():
            (self.catalog / name).parent.mkdir(parents=True, exist_ok=True)
            (self.catalog / name).write_text(text)
        (self.catalog / "workflows").mkdir()
        self.environment = {
            **os.environ, "OUTREACH_KAFKA_BOOTSTRAP": bootstrap, "OUTREACH_CATALOG": str(self.catalog),
            "OUTREACH_OUTPUT_DIR": str(self.output), "OUTREACH_STATE_DIR": str(folder / "state"),
            "OUTREACH_SESSION_TIMEOUT": str(session_timeout), "OUTREACH_LOG_FORMAT": "json",
        }
        self.processes: dict[str, subprocess.Popen] = {}
        self.inbox: subprocess.Popen | None = None

    async def __aenter__(self) -> "System":
        await create_topics(self.bootstrap, Layout())
        self.inbox = subprocess.Popen(
            [sys.executable, "-m", "outreach_stream.inbox", "--record", str(self.record),
             "--latency-ms", str(self.latency_ms), *(["--keep", str(self.kept)] if self.kept else [])],
            stdout=subprocess.PIPE, text=True)
        self.environment["CHAOS_SMTP_PORT"] = str(json.loads(self.inbox.stdout.readline())["port"])
        self.producer = new_producer(self.bootstrap)
        await self.producer.start()
        self.statuses = View(self.bootstrap, topics.RUN_STATUS.name, decode=RunStatus.model_validate_json)
        await self.statuses.start()
        return self

    async def __aexit__(self, *_) -> None:
        for process in [*self.processes.values(), self.inbox]:
            with contextlib.suppress(ProcessLookupError):
                process.send_signal(signal.SIGCONT)
                process.kill()
            process.wait()
        with contextlib.suppress(Exception):
            await asyncio.wait_for(self.statuses.stop(), 10)
        with contextlib.suppress(Exception):
            await asyncio.wait_for(self.producer.stop(), 10)

    # --- the people and what they are sent ---
    def people(self, count: int, *, workflow: int = 1, table: str = "people", where: str = "true") -> set[str]:
        """Have `workflow` mail `count` people, asked for with the condition `where`; returns their addresses."""
        emails = [f"{table}{i}@example.com" for i in range(count)]
        with sqlite3.connect(self.catalog / "people.db") as db:
            db.execute(f"CREATE TABLE {table} (email TEXT, name TEXT, city TEXT)")
            db.executemany(f"INSERT INTO {table} VALUES (?, ?, ?)",
                           [(email, f"Person {i}", "Köln") for i, email in enumerate(emails)])
        query = f"SELECT email, name, city FROM {table} WHERE {where}"
        (self.catalog / f"workflows/{workflow}.yaml").write_text(WORKFLOW.format(id=workflow, query=query))
        return set(emails)

    async def trigger(self, workflow: int | str = 1, **fields) -> str:
        """Publish a trigger; returns its id, by which `run_of` finds the run."""
        key = fields.setdefault("idempotency_key", os.urandom(8).hex()) if "slot" not in fields else None
        event = WorkflowTriggered(workflow_id=workflow, source="chaos", **fields)
        await produce(self.producer, topics.WORKFLOW_TRIGGERED.name, 0, [Record(None, event.encode())])
        return run_id(workflow, slot=event.slot, key=key, trigger_id="")

    # --- the workers ---
    def start(self, *roles: str, name: str | None = None) -> None:
        """Start a worker process for each role; `name` tells a second one of a role apart."""
        for role in roles or ROLES:
            called = name or role
            log = (self.folder / f"{called}.log").open("ab")
            self.processes[called] = subprocess.Popen(
                [sys.executable, "-c", RUN_ROLE, role, str(self.folder / "state" / called)],
                env=self.environment, stdout=log, stderr=log)

    def signal(self, name: str, number: signal.Signals) -> None:
        """Send a signal to a worker."""
        self.processes[name].send_signal(number)

    def kill(self, name: str) -> None:
        """kill -9."""
        self.processes[name].kill()
        self.processes[name].wait()

    def terminate(self, name: str) -> None:
        """SIGTERM, and wait for the end."""
        process = self.processes.pop(name)
        process.terminate()
        assert process.wait(40) == 0, self.tail(name)

    def tail(self, name: str) -> str:
        """The end of a worker's log."""
        return (self.folder / f"{name}.log").read_text()[-3000:]

    # --- what came of it ---
    def status(self, run: str) -> RunStatus | None:
        """The run's last status."""
        return self.statuses.get(run.encode())

    async def until_sent(self, count: int, seconds: float = 60) -> None:
        """Wait until the inbox has so many mails."""
        await self._until(lambda: self.received() >= count, seconds, lambda: f"{self.received()} of {count} mails")

    async def completed(self, run: str, seconds: float = 90) -> RunStatus:
        """Wait until the run is over and its log written; returns the last status."""
        def over() -> bool:
            status = self.status(run)
            return status is not None and status.state.terminal and status.log is not None
        await self._until(over, seconds, lambda: f"run is at {self.status(run)}, inbox has {self.received()}")
        return self.status(run)

    def received(self) -> int:
        """Mails at the inbox, repeated ones too."""
        return self.record.read_bytes().count(b"\n") if self.record.exists() else 0

    def arrived(self) -> InboxRecord:
        """What the inbox has recorded."""
        return InboxRecord(self.record)

    def log(self, status: RunStatus) -> dict:
        """The run's JSON log."""
        return json.loads(Path(status.log).read_text())

    async def _until(self, condition, seconds: float, state) -> None:
        end = time.monotonic() + seconds
        while not condition():
            for name, process in self.processes.items():
                assert process.poll() in (None, -signal.SIGKILL), f"{name} ended by itself:\n{self.tail(name)}"
            if time.monotonic() > end:
                tails = "\n".join(f"--- {name}\n{self.tail(name)}" for name in self.processes)
                raise AssertionError(f"not within {seconds} s: {state()}\n{tails}")
            await asyncio.sleep(0.1)


def check_whole(system: System, status: RunStatus, people: set[str], in_flight: int) -> Counter[str]:
    """Nobody lost, repeated mails no more than were in flight and each labelled; returns the mails per person."""
    log = system.log(status)
    entries = {entry["email"]: entry for entry in log["recipients"]}
    mails = system.arrived().recipients()
    repeated = {email for email, count in mails.items() if count > 1}
    unlabelled = {email for email in repeated if not entries[email]["possible_duplicate"]}

    assert len(log["recipients"]) == len(people) and entries.keys() == people, "each person has one entry"
    assert {entry["status"] for entry in entries.values()} == {"sent"}
    assert mails.keys() == people, "nobody is missing at the inbox"
    assert len(repeated) <= in_flight, f"{len(repeated)} mailed again, {in_flight} were in flight"
    assert not unlabelled, "a duplicate must not be silent"
    return mails
