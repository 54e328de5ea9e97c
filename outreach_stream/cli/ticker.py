"""`outreach ticker`: triggers what schedules say."""

import asyncio

import structlog

from outreach_stream.catalog.source import catalog_at
from outreach_stream.cli.kafka import kafka_for
from outreach_stream.cli.process import service
from outreach_stream.cli.signals import on_stop
from outreach_stream.gateway.publisher import TriggerPublisher
from outreach_stream.gateway.writer import Writer
from outreach_stream.scheduling.ticker import Ticker
from outreach_stream.settings import Settings

log = structlog.get_logger()


def ticker() -> None:
    """Trigger what schedules say, once for each slot, until Ctrl-C or SIGTERM.

    It keeps no state: run two or more, on several machines, and each slot is still one run. After a pause it makes up
    for what was missed as each schedule says (catch_up, max_lateness). `outreach schedule list` shows what is next.
    Without OUTREACH_KAFKA_BOOTSTRAP the embedded Kafka of the state folder is used, and started if it isn't running.
    """
    asyncio.run(_tick(service(role="ticker")))


async def _tick(settings: Settings) -> None:
    catalog = catalog_at(settings)
    log.info("ticker_started", schedules=len(catalog.current().schedules))
    stop = asyncio.Event()
    on_stop(stop.set)
    async with kafka_for(settings) as bootstrap, Writer(bootstrap) as writer:
        await Ticker(catalog.current, TriggerPublisher(writer).publish).run(stop)
    log.info("ticker_stopped")
