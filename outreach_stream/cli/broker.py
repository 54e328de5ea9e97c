"""`outreach broker`: the laptop's Kafka in a terminal of its own."""

import asyncio
import signal
from contextlib import suppress
from pathlib import Path
from typing import Annotated

import typer

from outreach_stream.broker.embedded import EmbeddedBroker
from outreach_stream.broker.errors import BrokerError, BrokerStartError
from outreach_stream.broker.progress import download_display
from outreach_stream.settings import load_settings


def broker(
    data_dir: Annotated[Path | None, typer.Option(help="Where its records are kept. [default: <state>/kafka]")] = None,
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port on 127.0.0.1; 0 takes a free one.")] = 9092,
) -> None:
    """Run a real Kafka of one node in the foreground, until Ctrl-C. Its records are there at the next start."""
    settings = load_settings()
    kafka = EmbeddedBroker(data_dir or settings.state_dir / "kafka", settings.cache_dir, port=port)
    try:
        asyncio.run(_serve(kafka))
    except BrokerError as error:
        typer.secho(str(error), err=True, fg="red")
        raise typer.Exit(1) from None


async def _serve(kafka: EmbeddedBroker) -> None:
    """Serve until a signal asks us to stop. Raises `BrokerStartError` if the broker does not start, or dies."""
    serving = asyncio.current_task()
    assert serving is not None
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(number, serving.cancel)
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
