"""Where a worker or a ticker tells its health and metrics, if that is wanted."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from outreach_stream.cli.exits import CommandError, Exit
from outreach_stream.settings import Settings

if TYPE_CHECKING:
    from outreach_stream.telemetry.endpoint import Listening


def metrics_place(settings: Settings) -> "Listening | None":
    """Listens at the place that the settings say; None: nowhere. Raises `CommandError` if that cannot be had.

    A process that nobody could watch is not begun: else its watcher would be told of another one, or of none.
    """
    if not settings.metrics_port:
        return None
    from outreach_stream.telemetry.endpoint import Listening  # noqa: PLC0415 - the server, only where it is run

    host, port = settings.metrics_host, settings.metrics_port
    try:
        return Listening(host, port)
    except OSError as error:
        raise CommandError(f"Metrics cannot be told on {host}:{port}: {error.strerror}.\n"
                           "Choose another with OUTREACH_METRICS_PORT (0: none); each process needs one of its own.",
                           Exit.USAGE) from error


@asynccontextmanager
async def waiting(role: str, listening: "Listening | None", reason: str) -> AsyncIterator[None]:
    """Tells, while the block lasts, that the process lives and for which reason it is not ready; it works later."""
    if listening is None:
        yield
        return
    from outreach_stream.telemetry.endpoint import told  # noqa: PLC0415 - see above

    async with told(role, listening, tuple, lambda: reason, keep=True):
        yield
