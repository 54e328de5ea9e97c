"""A consumer that reads `run.status` as the table that it is: the last word on every run, and then each change.

pip install aiokafka
python runs.py localhost:9092
"""
# ruff: noqa: INP001, T201 - a script of its own, which prints

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from typing import Any

from aiokafka import AIOKafkaConsumer

type Runs = dict[str, dict[str, Any]]


def note(runs: Runs, run_id: str, value: bytes | None) -> None:
    """Take a record in; one without a value deletes its key."""
    if value is None:
        runs.pop(run_id, None)
        return
    run = json.loads(value)
    if run.get("schema_version", 1) != 1:
        raise ValueError("this reader is older than the event: its schema_version is unknown")
    runs[run_id] = run


async def table(bootstrap: str) -> AsyncIterator[Runs]:
    """All runs by id: once when everything is read that was there, and again after each change.

    Without a group, because everybody who reads a table needs all of it, each time from the beginning.
    """
    runs: Runs = {}
    async with AIOKafkaConsumer("run.status", bootstrap_servers=bootstrap, group_id=None, enable_auto_commit=False,
                                auto_offset_reset="earliest", isolation_level="read_committed") as consumer:
        ends = await consumer.end_offsets(consumer.assignment())
        while True:
            batches = await consumer.getmany(timeout_ms=200)
            for record in (record for records in batches.values() for record in records):
                try:
                    note(runs, record.key.decode(), record.value)
                except (ValueError, AttributeError) as error:       # one that cannot be read stops nobody
                    print(f"Passed over {record.partition}@{record.offset}: {error!r}", file=sys.stderr)
            complete = all([await consumer.position(partition) >= end for partition, end in ends.items()])
            if complete and (batches or ends):
                ends = {}       # from now on only changes are told
                yield runs


def over(run: dict[str, Any]) -> bool:
    """Whether nothing more will be said of the run."""
    return run["state"] == "REFUSED" or (run["state"] in {"COMPLETED", "FAILED", "CANCELLED"} and "log" in run)


async def show(bootstrap: str) -> None:
    """Print what goes on, until Ctrl-C."""
    async for runs in table(bootstrap):
        for run in runs.values():
            if not over(run):
                counts = run["counts"]
                print(run["run_id"], run["workflow_id"], run["state"], f"{counts['sent']} of {counts['total']} sent")


if __name__ == "__main__":
    asyncio.run(show(*sys.argv[1:]))
