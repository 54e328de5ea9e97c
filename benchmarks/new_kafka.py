"""A Kafka of a benchmark's own, and warm rounds of `outreach bench` on it."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, closing
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from rich.console import Console

from outreach_stream import topics
from outreach_stream.broker.admin import create_topics
from outreach_stream.broker.embedded import EmbeddedBroker
from outreach_stream.cli.bench.kafka import kafka_of_its_own, settled
from outreach_stream.cli.bench.plan import Plan, SinkKind
from outreach_stream.cli.bench.rounds import Rounds
from outreach_stream.cli.bench.stage import Stage
from outreach_stream.cli.process import command


class NewKafka(NamedTuple):
    """A broker that nobody else knows, and a folder; both are gone afterwards."""

    bootstrap: str
    folder: Path
    records: Path
    """Where the broker keeps its records."""


@asynccontextmanager
async def new_kafka(purpose: str) -> AsyncIterator[NewKafka]:
    """One with all topics in the layout of a laptop, while the block lasts."""
    with TemporaryDirectory(prefix=f"outreach-{purpose}-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        async with EmbeddedBroker(folder / "kafka", command().cache_dir) as broker:
            await create_topics(broker.bootstrap, topics.Layout())
            await settled(broker.bootstrap)
            yield NewKafka(broker.bootstrap, folder, folder / "kafka" / "records")


type NewRounds = Callable[[Plan], AbstractAsyncContextManager[Rounds]]
"""Rounds of any plan: a catalog, people and a port of their own, on the one broker."""


@asynccontextmanager
async def warm_rounds(warm_up: int) -> AsyncIterator[NewRounds]:
    """Rounds as `outreach bench` plays them, on a broker that has had so many mails. Says on stderr what it does."""
    console = Console(stderr=True, highlight=False, soft_wrap=True)
    with TemporaryDirectory(prefix="outreach-bench-", ignore_cleanup_errors=True) as name:
        folder, numbers = Path(name), count(1)
        async with kafka_of_its_own(command(), folder, console) as (kafka, runs):

            @asynccontextmanager
            async def rounds(plan: Plan) -> AsyncIterator[Rounds]:
                place = folder / f"rounds-{next(numbers)}"
                place.mkdir()
                with closing(await asyncio.to_thread(Stage, place, plan)) as stage:
                    yield Rounds(plan, stage, kafka, runs, console)

            async with rounds(Plan(1, warm_up=warm_up, sink=SinkKind.INBOX)) as first:
                await first.warm_up()
            yield rounds
