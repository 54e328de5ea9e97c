"""The real system for the page's tests: a broker, an inbox, workers and gateways, on a catalog of its own."""

import asyncio
import json
import os
import re
import signal
import sqlite3
import sys
import threading
import time
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from outreach_stream.broker.admin import create_topics
from outreach_stream.broker.embedded import EmbeddedBroker
from outreach_stream.gateway.door.tokens import Token, hashed, new_token, written
from outreach_stream.topics import Layout
from tests.chaos.workers import Workers, leashed

TEMPLATE = """\
subject: "{{ name or 'Dear gardener' }}, {{ discount }} % off everything that grows"
html: offer.html
text: "Hello {{ name or 'dear gardener' }},\\n\\n{{ discount }} % off until Sunday, in {{ city }} and everywhere.\\n"
"""
HTML = """\
<html><body style="margin:0;background:#f4f7f0;font-family:Georgia,serif;color:#26331f">
<div style="background:#3c6e47;color:#fff;padding:24px;font-size:26px">Hazel &amp; Co.</div>
<div style="padding:24px"><h1 style="color:#3c6e47">Hello {{ name or "dear gardener" }},</h1>
<p>everything that grows is <b>{{ discount }} % off</b> until Sunday, in {{ city }} and everywhere.</p></div>
</body></html>
"""
WORKFLOW = """\
id: {id}
name: {name}
version: 1
template: offer
engines: [{engine}]
from: {{name: Hazel & Co., email: hello@hazel.example.com}}
parameters: {{discount: 15}}
recipients:
  database: sqlite:///people.db
  query: SELECT email, name, city FROM {table}
"""
ENGINE = """\
kind: smtp
host: 127.0.0.1
port: env:STAGE_SMTP_PORT
security: none
concurrency: 10
"""
SCHEDULES = {
    "monday-digest": 'workflow: digest\nname: Monday digest\ncron: "0 9 * * MON"\ntimezone: Europe/Berlin\n',
    "evening": 'workflow: spring\nname: Evening offer\ncron: "30 18 * * *"\ntimezone: America/New_York\n'
               'quiet: [{from: "22:00", to: "07:00"}]\n',
    "archive": 'workflow: digest\ncron: "0 0 1 * *"\nenabled: false\n',
}

GATEWAY = (sys.executable, "-m", "outreach_stream.cli", "gateway")

FIRST = {4: "refuse", 9: "refuse", 21: "reject", 33: "refuse", 45: "doubt"}
LATER = {7: "refuse", 41: "refuse", 60: "reject", 88: "block"}
"""People whose address tells the inbox what to do with their mail: by their number, and of each hundred later ones."""

NASTY = "<img src=x onerror=alert(1)>"
"""A name in the database that would be a script on a page which takes text for markup."""


def fate(person: int) -> str:
    """How the inbox treats the person of this number."""
    return (FIRST.get(person) if person < 100 else LATER.get(person % 100)) or "reader"


class Loop:
    """An event loop in a thread of its own: a browser's driver has the one of the test's thread."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        threading.Thread(target=self._loop.run_forever, daemon=True).start()

    def run[T](self, work: Coroutine[Any, Any, T]) -> T:
        """Its result. Blocks."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(120)

    def close(self) -> None:
        """No more work."""
        self._loop.call_soon_threadsafe(self._loop.stop)


class Stage:
    """Everything runs from `start` to `stop`."""

    def __init__(self, folder: Path, cache_dir: Path, **environment: str) -> None:
        self.folder, self.catalog = folder, folder / "catalog"
        self._loop, self._environment = Loop(), environment
        self.broker = EmbeddedBroker(folder / "kafka", cache_dir)
        self.url, self.reader = "", ""

    def start(self) -> None:
        """Returns when every role has joined."""
        self._write_catalog()
        self._loop.run(self.broker.start())
        self._loop.run(create_topics(self.broker.bootstrap, Layout(), 1))
        self._inbox = leashed(sys.executable, "-m", "outreach_stream.inbox", stdout=-1, text=True)
        assert self._inbox.stdout is not None
        port = json.loads(self._inbox.stdout.readline())["port"]
        self.workers = Workers(self.folder, {
            **self._environment, "STAGE_SMTP_PORT": str(port), "OUTREACH_KAFKA_BOOTSTRAP": self.broker.bootstrap,
            "OUTREACH_CATALOG": str(self.catalog), "OUTREACH_OUTPUT": str(self.folder / "output"),
            "OUTREACH_STATE_DIR": str(self.folder / "state"), "OUTREACH_SESSION_TIMEOUT": "6",
            "OUTREACH_LOG_FORMAT": "json"})
        self.workers.start()
        self._start_guarded()
        self.start_gateway()
        self.until(lambda: all(self.get("/health")["roles"].values()), 60, "a worker of each role")

    def stop(self) -> None:
        """Ends all of it."""
        self.workers.close()
        self._inbox.kill()
        self._inbox.wait()
        self._loop.run(self.broker.stop())
        self._loop.close()

    def start_gateway(self) -> None:
        """A gateway, at the address that it had before, if it had one. Returns when it serves."""
        (self.folder / "gateway.log").unlink(missing_ok=True)
        port = self.url.rpartition(":")[2] or "0"
        self.workers.run("gateway", *GATEWAY, "--port", port)

        self.until(lambda: self.address("gateway") is not None, 60, "a gateway")
        self.url = self.address("gateway") or ""

    def _start_guarded(self) -> None:
        tokens, token = self.folder / "tokens.yaml", new_token()
        tokens.write_text(written("reader", Token(hash=hashed(token), scopes=["read"])))
        self.reader = token
        environment = self.workers.environment
        self.workers.environment = environment | {"OUTREACH_GATEWAY_TOKENS": str(tokens)}
        self.workers.run("guarded", *GATEWAY, "--port", "0")
        self.workers.environment = environment

    @property
    def guarded(self) -> str:
        """A second gateway, which asks for tokens; `reader` is one that may read."""
        self.until(lambda: self.address("guarded") is not None, 60, "a gateway with tokens")
        return self.address("guarded") or ""

    def address(self, name: str) -> str | None:
        """Where a gateway listens, as its log says; None: it does not yet."""
        found = re.search(r"http://127\.0\.0\.1:\d+", self.workers.log(name))
        return found and found[0]

    @contextmanager
    def frozen_broker(self) -> Iterator[None]:
        """Kafka hangs while the block lasts."""
        os.kill(self.broker.pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(self.broker.pid, signal.SIGCONT)

    def _write_catalog(self) -> None:
        for name in ("engines", "templates", "workflows", "schedules"):
            (self.catalog / name).mkdir(parents=True)
        (self.catalog / "templates/offer.yaml").write_text(TEMPLATE)
        (self.catalog / "templates/offer.html").write_text(HTML)
        for name, rate in (("relay-eu", 60), ("relay-us", 400), ("spare", 30)):
            self.engine(name, rate)
        for name, text in SCHEDULES.items():
            (self.catalog / f"schedules/{name}.yaml").write_text(f"id: {name}\n{text}")
        self.workflow("spring", "Spring offer", "relay-eu", 3_000)
        self.workflow("digest", "Weekly digest", "relay-us", 60)
        self.workflow("spare", "Rehearsal", "spare", 900)

    def engine(self, name: str, rate: float) -> None:
        """An engine of the catalog."""
        (self.catalog / f"engines/{name}.yaml").write_text(f"{ENGINE}rate: {rate}\n")

    def workflow(self, name: str, title: str, engine: str, people: int) -> None:
        """A workflow that mails so many people, some of whom have a fate, and one of whom a name that is a script."""
        with sqlite3.connect(self.catalog / "people.db") as db:
            db.execute(f"CREATE TABLE {name} (email TEXT, name TEXT, city TEXT)")
            db.executemany(f"INSERT INTO {name} VALUES (?, ?, ?)", [
                (f"{fate(i)}-{i}@post.example.com", NASTY if i == 0 else f"Reader {i}", "Zürich")
                for i in range(people)])
        (self.catalog / f"workflows/{name}.yaml").write_text(
            WORKFLOW.format(id=name, name=title, engine=engine, table=name))

    # --- what tests ask of it beside the page ---
    def get(self, path: str) -> Any:
        """A GET of the gateway's."""
        return httpx.get(self.url + path, timeout=10).json()

    def post(self, path: str, body: Any = None) -> Any:
        """A POST; what was answered must be a success."""
        answer = httpx.post(self.url + path, json=body or {}, timeout=10)
        assert answer.is_success, f"{answer.text}\n{self.workers.tails()}"
        return answer.json()

    def trigger(self, workflow: str, **fields: Any) -> str:
        """Start a run; returns its id."""
        return self.post("/api/v1/trigger", {"workflow_id": workflow, **fields})["run_id"]

    def run(self, run: str) -> dict[str, Any]:
        """Where a run stands."""
        return self.get(f"/api/v1/runs/{run}")

    def ended(self, run: str) -> dict[str, Any]:
        """The run, when it has ended and its log is written."""
        def over() -> bool:
            status = self.run(run)
            return status["state"] in {"COMPLETED", "CANCELLED", "FAILED", "REFUSED"} and bool(status.get("log"))
        self.until(over, 60, f"the end of {run}")
        return self.run(run)

    def sending(self, run: str, sent: int = 1) -> None:
        """Wait until so many of its mails are sent."""
        self.until(lambda: self.run(run)["counts"]["sent"] >= sent, 60, f"{sent} mails of {run}")

    def cancel(self, run: str) -> None:
        """End a run that no test needs any more."""
        httpx.post(f"{self.url}/api/v1/runs/{run}/cancel", timeout=10)

    def until(self, condition: Callable[[], bool], seconds: float, what: str) -> None:
        """Wait for it, while nobody ends by himself."""
        end = time.monotonic() + seconds
        while not condition():
            self.workers.check()
            assert time.monotonic() < end, f"not within {seconds} s: {what}\n{self.workers.tails()}"
            time.sleep(0.05)
