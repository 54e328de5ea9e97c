"""A consumer that keeps what became of every recipient in a database of its own, each of them once.

pip install aiokafka
python results.py localhost:9092 results.db
"""
# ruff: noqa: INP001, T201 - a script of its own, which prints

import asyncio
import json
import sqlite3
import sys
from typing import Any

from aiokafka import AIOKafkaConsumer

TABLE = """CREATE TABLE IF NOT EXISTS results (
    send_id TEXT PRIMARY KEY, run_id TEXT, email TEXT, status TEXT, reason TEXT, strength INTEGER, duplicate INTEGER)"""

STRONGEST_FIRST = ("sent", "in_doubt", "failed", "expired", "cancelled", "skipped")
"""Of two records with one send id, the status that is earlier here is the one to believe."""

NOTE = """INSERT INTO results VALUES (:send_id, :run_id, :email, :status, :reason, :strength, :duplicate)
    ON CONFLICT (send_id) DO UPDATE SET
        status = iif(excluded.strength < strength, excluded.status, status),
        reason = iif(excluded.strength < strength, excluded.reason, reason),
        strength = min(strength, excluded.strength),
        duplicate = max(duplicate, excluded.duplicate)"""


def note(database: sqlite3.Connection, result: dict[str, Any]) -> None:
    """Take a result in. Any order and any number of repetitions give the same row."""
    if result.get("schema_version", 1) != 1:
        raise ValueError("this reader is older than the event: its schema_version is unknown")
    database.execute(NOTE, {
        **{name: result.get(name) for name in ("send_id", "run_id", "email", "status", "reason")},
        "strength": STRONGEST_FIRST.index(result["status"]), "duplicate": result.get("possible_duplicate", False)})


async def follow(bootstrap: str, database: sqlite3.Connection, group: str = "shop-results") -> None:
    """Read on for ever. Rows first, then the offsets: after a crash some records come again, and change nothing."""
    database.execute(TABLE)
    async with AIOKafkaConsumer("send.result", bootstrap_servers=bootstrap, group_id=group, enable_auto_commit=False,
                                auto_offset_reset="earliest", isolation_level="read_committed") as consumer:
        while True:
            batches = await consumer.getmany(timeout_ms=1_000)
            if not batches:
                continue
            with database:      # one transaction
                for record in (record for records in batches.values() for record in records):
                    try:
                        note(database, json.loads(record.value))
                    except (ValueError, KeyError, TypeError) as error:      # one that cannot be read stops nobody
                        print(f"Passed over {record.partition}@{record.offset}: {error!r}", file=sys.stderr)
            await consumer.commit()


if __name__ == "__main__":
    broker, file = sys.argv[1:]
    asyncio.run(follow(broker, sqlite3.connect(file)))
