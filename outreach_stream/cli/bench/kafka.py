"""The Kafka of a bench: one of its own, or a named one that nobody else works with."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from time import monotonic
from typing import NamedTuple

from rich.console import Console

from outreach_stream.cli.bench.runs import Runs, runs_at
from outreach_stream.cli.bench.usage import children
from outreach_stream.cli.exits import CommandError
from outreach_stream.cli.kafka import kafka_folder, kafka_for
from outreach_stream.gateway.health.pulse import Pulse
from outreach_stream.settings import Settings
from outreach_stream.topics import WORKFLOW_TRIGGERED

SETTLING = 15.0
"""Seconds in which new topics must have leaders."""


class Kafka(NamedTuple):
    """Where it is, and what of it can be measured."""

    bootstrap: str
    pids: dict[str, int]
    """The broker's process; empty: it is not ours."""
    records: Path | None
    """Where it keeps its records; None: it is not ours."""


@asynccontextmanager
async def kafka_of_its_own(settings: Settings, folder: Path, console: Console) -> AsyncIterator[tuple[Kafka, Runs]]:
    """A broker with all topics, and its runs, while the block lasts; nobody else works there.

    Raises `BrokerError`, `CommandError`.
    """
    settings = settings.model_copy(update={"state_dir": folder})
    async with kafka_for(settings, create=True) as bootstrap:
        pulse = await settled(bootstrap)
        async with runs_at(bootstrap, console) as runs:
            if settings.kafka_bootstrap:
                check_alone(pulse, runs)
                yield Kafka(bootstrap, {}, None), runs
            else:
                ours = children(os.getpid())    # no other process was started yet
                yield Kafka(bootstrap, {"broker": ours[0]} if ours else {}, kafka_folder(settings) / "records"), runs


async def settled(bootstrap: str) -> Pulse:
    """A look at the broker when it knows the ends of all partitions: topics that are new have no leaders at first."""
    pulse, began = Pulse(bootstrap), monotonic()
    while True:
        await pulse.look()
        if pulse.lag or monotonic() - began > SETTLING:
            await pulse.stop()
            return pulse
        await asyncio.sleep(0.1)


def check_alone(pulse: Pulse, runs: Runs) -> None:
    """On a Kafka in use, others would take the bench's runs, and its workers would send their mails to its sink.

    Raises `CommandError`.
    """
    waiting = pulse.lag.get("aggregator", {}).get(WORKFLOW_TRIGGERED.name, 0)
    for wrong, what in ((any(pulse.roles.values()), "Workers of outreach-stream are running"),
                        (runs.unfinished(), "Runs have not ended"), (waiting, "Triggers wait to be worked on")):
        if wrong:
            raise CommandError(f"{what} at {pulse.bootstrap}: the bench would mix with them, and mail to its sink.\n"
                               "Unset OUTREACH_KAFKA_BOOTSTRAP: then it starts a Kafka of its own.")
