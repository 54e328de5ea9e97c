"""A mail server that misbehaves in every way it can: each recipient ends as the outcome table says, nothing hangs."""

import asyncio
import json
import sqlite3
import subprocess
import sys
from collections import Counter
from contextlib import contextmanager
from pathlib import Path

from .system import FULL, System

EACH, WILLING = (20, 2_000) if FULL else (2, 60)
AWAY_SECONDS = 60 if FULL else 4
ENGINE = """\
kind: smtp
host: 127.0.0.1
port: env:CHAOS_SMTP_PORT
security: none
concurrency: {places}
timeouts: {{connect: 2s, command: 1s, data: 2s}}
"""
RETRY = "retry: {attempts: 7, within: 2m, first: 1s, longest: 1s}\n"

ENDS = {
    "sent": ("accept", "slow", "sip", "defer", "grey-0.5", "doubt-once"),
    # By the table at once, or after the attempts of a refusal that would not pass.
    "failed": ("refuse", "reject", "block", "busy", "drop", "shutdown", "shutdown-data", "shutdown-dot", "trickle"),
    # The final dot was written, and nobody can know.
    "in_doubt": ("doubt", "silence", "reset"),
}


@contextmanager
def inbox(running: System, mode: Path):
    """A server in the place of the system's own, which does what the file `mode` says."""
    command = [sys.executable, "-m", "outreach_stream.inbox", "--record", running.record, "--mode-file", mode]
    process = subprocess.Popen(list(map(str, command)), stdout=subprocess.PIPE, text=True)
    try:
        running.environment["CHAOS_SMTP_PORT"] = str(json.loads(process.stdout.readline())["port"])
        yield
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def configure(running: System, *, places: int) -> None:
    """An engine that does not wait long, and a workflow that does not try for long."""
    (running.catalog / "engines/relay.yaml").write_text(ENGINE.format(places=places))
    workflow = running.catalog / "workflows/1.yaml"
    workflow.write_text(workflow.read_text() + RETRY)


def name(running: System, names: list[str]) -> dict[str, str]:
    """Give the people these names, by which the inbox treats them; returns whose address has which."""
    named = {f"{behaviour}-{i}@example.com": behaviour for i, behaviour in enumerate(names)}
    with sqlite3.connect(running.catalog / "people.db") as db:
        db.executemany("UPDATE people SET email = ? WHERE email = ?",
                       [(email, f"people{i}@example.com") for i, email in enumerate(named)])
    return named


async def test_every_way_of_failing_at_once(system, tmp_path):
    """Refused, cut off, silent, slow, half-read: the ends of the table, duplicates labelled, and all of it in time."""
    running = await system()
    names = [behaviour for behaviours in ENDS.values() for behaviour in behaviours] * EACH + ["accept"] * WILLING
    running.people(len(names))
    named = name(running, names)
    configure(running, places=10)
    with inbox(running, tmp_path / "mode"):
        running.start()
        status = await running.completed(await running.trigger(), 100)

    entries = {entry["email"]: entry for entry in running.log(status)["recipients"]}
    wanted = {email: end for end, behaviours in ENDS.items() for email, how in named.items() if how in behaviours}
    mails = running.arrived().recipients()
    repeated = {email for email, count in mails.items() if count > 1}

    assert {email: entry["status"] for email, entry in entries.items()} == wanted
    assert all(entries[email]["possible_duplicate"] for email in repeated), "a duplicate must not be silent"
    assert {named[email] for email in repeated} <= {"doubt-once", "doubt", "silence"}
    assert {email for email, end in wanted.items() if end == "sent"} <= mails.keys()
    assert {email for email, how in named.items() if how == "doubt-once"} <= repeated


async def test_a_server_that_is_away_and_then_refuses_half(system, tmp_path):
    """While it refuses connections nothing is used up; what it accepts and refuses then is what the log says."""
    running = await system()
    people = running.people(WILLING)
    configure(running, places=5)
    mode = tmp_path / "mode"
    mode.write_text("refuse-connections")
    with inbox(running, mode):
        running.start()
        run = await running.trigger()
        await asyncio.sleep(AWAY_SECONDS)
        assert running.received() == 0
        mode.write_text("half")
        status = await running.completed(run, 100)

    entries = running.log(status)["recipients"]
    sent = {entry["email"] for entry in entries if entry["status"] == "sent"}
    assert {entry["email"] for entry in entries} == people
    assert Counter(entry["status"] for entry in entries) == {"sent": WILLING // 2, "failed": WILLING // 2}
    assert running.arrived().recipients() == Counter(sent), "each accepted mail once"
    assert {entry["attempts"] for entry in entries} == {1}, "a server that is away costs nobody an attempt"
