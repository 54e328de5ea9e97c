"""`outreach broker`: the laptop's Kafka in a terminal of its own."""

import asyncio
from contextlib import suppress
from pathlib import Path
from typing import Annotated

import typer

from outreach_stream.broker.embedded import EmbeddedBroker
from outreach_stream.broker.errors import BrokerStartError
from outreach_stream.broker.folder import DataFolder
from outreach_stream.broker.progress import download_display
from outreach_stream.cli.signals import on_stop
from outreach_stream.settings import load_settings
from outreach_stream.telemetry import logs

FIRST_PORT = 9092
"""Where Kafka is usually looked for."""


def broker(
    data_dir: Annotated[Path | None, typer.Option(
        help="Where its records are kept.", show_default="kafka in OUTREACH_STATE_DIR")] = None,
    port: Annotated[int | None, typer.Option(
        min=0, max=65535, help="Port on 127.0.0.1; 0 takes the one it had, or a free one.",
        show_default=f"the one it had, at first {FIRST_PORT}")] = None,
) -> None:
    """Run a real Kafka of one node in the foreground, until Ctrl-C. Its records are there at the next start."""
    settings = load_settings()
    logs.configure(settings)
    folder = data_dir or settings.state_dir / "kafka"
    if port is None:
        port = 0 if DataFolder(folder).port else FIRST_PORT
    asyncio.run(_serve(EmbeddedBroker(folder, settings.cache_dir, port=port)))


async def _serve(kafka: EmbeddedBroker) -> None:
    """Serve until a signal asks us to stop. Raises `BrokerStartError` if the broker does not start, or dies."""
    serving = asyncio.current_task()
    assert serving is not None
    on_stop(lambda: serving.cancel() and None)
    with suppress(asyncio.CancelledError):
        with download_display() as kafka.progress:
            await kafka.start()
        print(f"Kafka is ready: OUTREACH_KAFKA_BOOTSTRAP={kafka.bootstrap}\n"
              f"Records and log: {kafka.folder.path}. Ctrl-C stops it.", flush=True)
        try:
            code = await kafka.ended()
            raise BrokerStartError(f"Kafka ended by itself (exit code {code}). {kafka.folder.log_tail()}")
        finally:
            await kafka.stop()
