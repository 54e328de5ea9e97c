"""What a bench plays on: a folder with catalog and database, and the programs that work on it."""

import shutil
import sqlite3
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path

from outreach_stream.cli.bench.plan import Plan
from outreach_stream.cli.demo.stage import example_catalog, held_port
from outreach_stream.cli.supervisor import Program, outreach
from outreach_stream.cli.worker import ALONE, Role, process_names

BULK, WARM_UP, SETTLING, EXPRESS = "bench", "bench-warm-up", "bench-settling", "bench-express"
"""Workflows of the catalog. All have the example's mail: subject, text and HTML with a loop and a condition."""

SETTLE = 1_000
"""People whom new processes mail before they are measured: they connect, compile and import meanwhile."""

COLUMNS = ("email", "name", "city", "favourites", "loyalty_years", "unsubscribe_token")

_ENGINE = """\
kind: smtp
host: 127.0.0.1
port: {port}
security: none
concurrency: {concurrency}
connections: {{max_messages: 1000000}}
{rate}
"""

_WORKFLOW = """\
id: {id}
version: 1
template: spring-offer
engines: [bench]
from: {{name: Hazel & Co. Garden Supplies, email: hello@hazel.example.com}}
reply_to: service@hazel.example.com
parameters: {{discount: 15{more}}}
deadline: {deadline}
list_unsubscribe: https://hazel.example.com/unsubscribe/{{{{ unsubscribe_token }}}}
"""

_QUERY = """\
recipients:
  database: sqlite:///people.db
  query: SELECT {columns} FROM people ORDER BY id LIMIT {limit}
  timeout: 30m
suppression: {{query: SELECT email FROM suppressed}}
"""

type Row = tuple[str, str, str, str, int, str]


def person(i: int) -> Row:
    """The person of this number, always the same."""
    return f"reader{i}@example.com", f"Reader {i}", "Köln", "Lavender, Sage, Sweet peas", i % 9, f"token{i:08x}"


class Stage:
    """Catalog and database in `folder`, and the sink's port, which is held until `close`. Starts nothing. Blocks."""

    def __init__(self, folder: Path, plan: Plan) -> None:
        self.folder, self.catalog, self.output = folder, folder / "catalog", folder / "output"
        self._plan = plan
        self._hold = held_port(0)
        self.port = int(self._hold.getsockname()[1])
        shutil.copytree(example_catalog(), self.catalog)
        for example in (*self.catalog.glob("workflows/*"), *self.catalog.glob("engines/*")):
            example.unlink()
        rate = f"rate: {plan.rate}" if plan.rate else ""
        self.catalog.joinpath("engines/bench.yaml").write_text(
            _ENGINE.format(port=self.port, concurrency=plan.concurrency, rate=rate))
        self._workflows()
        self._people(max(plan.recipients, plan.warm_up, SETTLE))

    def close(self) -> None:
        """Give the port back."""
        self._hold.close()

    def _workflows(self) -> None:
        limits = {BULK: self._plan.recipients, WARM_UP: self._plan.warm_up or 1,
                  SETTLING: min(SETTLE, self._plan.recipients)}
        # However slow all is, what comes before the measurement ends: who is left then is not mailed.
        deadlines = {BULK: "13d", WARM_UP: "3m", SETTLING: "1m"}
        for name, limit in limits.items():
            self._workflow(name, _WORKFLOW.format(id=name, deadline=deadlines[name], more="")
                           + _QUERY.format(columns=", ".join(COLUMNS), limit=limit))
        self._workflow(EXPRESS, _WORKFLOW.format(id=EXPRESS, deadline="1h", more=""))

    def _workflow(self, name: str, text: str) -> None:
        self.catalog.joinpath(f"workflows/{name}.yaml").write_text(text, encoding="utf-8")

    def _people(self, count: int) -> None:
        with closing(sqlite3.connect(self.catalog / "people.db")) as database, database:
            database.executescript(self.catalog.joinpath("people.sql").read_text(encoding="utf-8"))
            database.executemany(
                f"INSERT INTO people ({', '.join(COLUMNS)}) VALUES (?, ?, ?, ?, ?, ?)",  # noqa: S608 - our own names
                map(person, range(count)))

    def round(self, name: str) -> Path:
        """A folder for the processes of one round."""
        folder = self.folder / name
        folder.mkdir()
        return folder

    def roles(self, bootstrap: str, folder: Path) -> list[Program]:
        """The workers, each with state and log in the round's folder."""
        env = self.env(bootstrap)
        roles = [Role.AGGREGATOR, Role.DISPATCHER, *[Role.SENDER] * self._plan.senders]
        return [outreach(name, "worker", role, "--data-dir", str(folder / "state" / name), env=env,
                         output=folder / f"{name}.log") for role, name in zip(roles, process_names(roles), strict=True)]

    def env(self, bootstrap: str) -> Mapping[str, str]:
        """What differs for our processes from the environment that we are called in."""
        return {**ALONE, "OUTREACH_KAFKA_BOOTSTRAP": bootstrap, "OUTREACH_CATALOG": str(self.catalog),
                "OUTREACH_OUTPUT": str(self.output), "OUTREACH_LOG_LEVEL": "warning", "OUTREACH_LOG_FORMAT": "json",
                "OUTREACH_METRICS_PORT": "0", "OUTREACH_GATEWAY_TOKENS": "", "OUTREACH_GATEWAY_RATE": "1000"}
