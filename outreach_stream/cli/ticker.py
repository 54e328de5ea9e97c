"""`outreach ticker`: triggers what schedules say."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass

import structlog

from outreach_stream.catalog.source import catalog_at
from outreach_stream.cli.kafka import kafka_for
from outreach_stream.cli.listening import metrics_place
from outreach_stream.cli.process import service
from outreach_stream.cli.signals import on_stop
from outreach_stream.gateway.publisher import TriggerPublisher
from outreach_stream.gateway.writer import Writer
from outreach_stream.scheduling.ticker import Ticker
from outreach_stream.settings import Settings
from outreach_stream.telemetry import metrics
from outreach_stream.telemetry.endpoint import told
from outreach_stream.telemetry.readings import Reading

log = structlog.get_logger()


def ticker() -> None:
    """Trigger what schedules say, once for each slot, until Ctrl-C or SIGTERM.

    It keeps no state: run two or more, on several machines, and each slot is still one run. After a pause it makes up
    for what was missed as each schedule says (catch_up, max_lateness). `outreach schedule list` shows what is next.
    Without OUTREACH_KAFKA_BOOTSTRAP the embedded Kafka of the state folder is used, and started if it isn't running.
    """
    asyncio.run(_tick(service(role="ticker")))


async def _tick(settings: Settings) -> None:
    catalog, listening, state = catalog_at(settings), metrics_place(settings), State()
    log.info("ticker_started", schedules=len(catalog.current().schedules))
    stop = asyncio.Event()
    on_stop(stop.set)
    async with (told("ticker", listening, state.readings, state.unready),
                kafka_for(settings) as bootstrap, Writer(bootstrap) as writer):
        state.publisher = TriggerPublisher(writer)
        state.ticker = Ticker(catalog.current, state.publisher.publish)
        await state.ticker.run(stop)
    log.info("ticker_stopped")


@dataclass(slots=True)
class State:
    """What the process tells of itself, from its start on: it may have to wait for Kafka first."""

    ticker: Ticker | None = None
    publisher: TriggerPublisher | None = None

    def unready(self) -> str | None:
        """Why it does not tick; None: it does."""
        if self.ticker is None:
            return "Kafka is waited for"
        return None if self.ticker.looked else "the schedules have not been looked at yet"

    def readings(self) -> Iterator[Reading]:
        """Its numbers."""
        if self.ticker and self.publisher:
            yield Reading(metrics.SCHEDULES, self.ticker.schedules)
            yield Reading(metrics.SLOTS, self.ticker.triggered)
            yield Reading(metrics.SLOTS_FAILED, self.ticker.failed)
            yield Reading(metrics.LATENESS, self.ticker.lateness)
            yield Reading(metrics.PUBLISHED, self.publisher.published)
