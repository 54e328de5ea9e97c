"""The catalog and the people of a system under test."""

import sqlite3
from pathlib import Path

ENGINE = """\
kind: smtp
host: 127.0.0.1
port: env:CHAOS_SMTP_PORT
security: none
concurrency: {concurrency}
"""
WORKFLOW = """\
id: {id}
name: Chaos {id}
template: hello
engines: [{engines}]
from: chaos@example.com
recipients:
  database: sqlite:///people.db
  query: {query}
"""
TEMPLATE = 'subject: "Hello {{ name }}"\ntext: "Dear {{ name }} of {{ city }}, good day."\n'

SLOW = ("(WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3000 + people.rowid % 2) "
        "SELECT count(*) FROM n) > 0")
"""A condition that takes SQLite about half a millisecond for each row."""


class Catalog:
    """A folder of one engine, `relay`, one template, and the workflows that `people` makes."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for name in ("engines", "templates", "workflows"):
            (folder / name).mkdir(parents=True)
        (folder / "templates/hello.yaml").write_text(TEMPLATE)

    def relay(self, *, concurrency: int, rate: float | None = None, burst: float | None = None,
              extra: str = "") -> None:
        """The engine's limits from now on: workers look them up once a second. `extra`: further lines of its file."""
        limits = "".join(f"{name}: {value}\n" for name, value in (("rate", rate), ("burst", burst)) if value)
        (self.folder / "engines/relay.yaml").write_text(ENGINE.format(concurrency=concurrency) + limits + extra)

    def people(self, count: int, *, workflow: int = 1, table: str = "people", where: str = "true",
               engines: str = "relay", extra: str = "") -> set[str]:
        """Have `workflow` mail `count` people, asked for with the condition `where`; returns their addresses.

        `extra`: lines of the workflow beside those that it always has.
        """
        emails = [f"{table}{i}@example.com" for i in range(count)]
        with sqlite3.connect(self.folder / "people.db") as db:
            db.execute(f"CREATE TABLE {table} (email TEXT, name TEXT, city TEXT)")
            db.executemany(f"INSERT INTO {table} VALUES (?, ?, ?)",
                           [(email, f"Person {i}", "Köln") for i, email in enumerate(emails)])
        query = f"SELECT email, name, city FROM {table} WHERE {where}"
        workflow_file = self.folder / f"workflows/{workflow}.yaml"
        workflow_file.write_text(WORKFLOW.format(id=workflow, query=query, engines=engines) + extra)
        return set(emails)

    def rename(self, behaviours: list[str]) -> dict[str, str]:
        """Give the first people addresses by which the inbox treats them so; returns whose is which."""
        named = {f"{behaviour}-{i}@example.com": behaviour for i, behaviour in enumerate(behaviours)}
        with sqlite3.connect(self.folder / "people.db") as db:
            db.executemany("UPDATE people SET email = ? WHERE email = ?",
                           [(email, f"people{i}@example.com") for i, email in enumerate(named)])
        return named

    def drop(self, table: str) -> None:
        """Make every query of these people fail from now on."""
        with sqlite3.connect(self.folder / "people.db") as db:
            db.execute(f"DROP TABLE {table}")
