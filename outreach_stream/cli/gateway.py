"""`outreach gateway`: the HTTP API."""

import asyncio
import socket
from typing import Annotated

import structlog
import typer

from outreach_stream.cli.exits import CommandError, Exit
from outreach_stream.cli.kafka import kafka_for
from outreach_stream.cli.process import service
from outreach_stream.cli.signals import on_stop
from outreach_stream.settings import Settings, is_loopback


def gateway(
    host: Annotated[str | None, typer.Option(
        help="Address to listen on.", show_default="OUTREACH_GATEWAY_HOST")] = None,
    port: Annotated[int | None, typer.Option(
        min=0, max=65535, help="Port to listen on; 0 takes a free one.", show_default="OUTREACH_GATEWAY_PORT")] = None,
) -> None:
    """Serve the HTTP API: trigger runs and look at them.

    It serves while Kafka is away, says so, and recovers by itself. Without OUTREACH_KAFKA_BOOTSTRAP the embedded Kafka
    of the state folder is used, and started if it isn't running. Without OUTREACH_GATEWAY_TOKENS it asks nobody who
    they are, and listens on loopback only.
    """
    settings = service(role="gateway")
    at = (host or settings.gateway_host, settings.gateway_port if port is None else port)
    settings = settings.model_copy(update={"gateway_host": at[0]})
    _check_access(settings)
    asyncio.run(_serve(settings, _listening(*at)))


def _check_access(settings: Settings) -> None:
    """Whoever may do everything must at least be on this machine. Raises CommandError."""
    from outreach_stream.gateway.door.access import tokens_of  # noqa: PLC0415
    from outreach_stream.gateway.door.tokens import TokenErrors  # noqa: PLC0415

    try:
        if tokens_of(settings) is not None:
            return
    except TokenErrors as errors:
        raise CommandError(f"OUTREACH_GATEWAY_TOKENS: the file of tokens cannot be used:\n{errors}",
                           Exit.USAGE) from errors
    if not is_loopback(settings.gateway_host) and not settings.gateway_open:
        raise CommandError(
            f"Whoever reaches {settings.gateway_host} could mail everybody in your database. Either ask for tokens "
            "(`outreach token create NAME --scope trigger --file tokens.yaml`, and OUTREACH_GATEWAY_TOKENS=tokens.yaml)"
            "; or, if something in front of the gateway decides who gets in, say so with OUTREACH_GATEWAY_OPEN=true.",
            Exit.USAGE)
    structlog.get_logger().warning("gateway_open", host=settings.gateway_host)


def _listening(host: str, port: int) -> socket.socket:
    from outreach_stream.gateway.server import bound  # noqa: PLC0415 - the web server, only where it is run

    try:
        return bound(host, port)
    except OSError as error:
        raise CommandError(f"The gateway cannot listen on {host}:{port}: {error.strerror}.\n"
                           "Choose another with --port (0: any free one) or OUTREACH_GATEWAY_PORT.") from error


async def _serve(settings: Settings, listening: socket.socket) -> None:
    from outreach_stream.catalog.source import catalog_at  # noqa: PLC0415
    from outreach_stream.gateway.api import build  # noqa: PLC0415
    from outreach_stream.gateway.server import serve  # noqa: PLC0415
    from outreach_stream.gateway.service import Gateway  # noqa: PLC0415

    async def serve_on(bootstrap: str) -> None:
        stop = asyncio.Event()
        on_stop(stop.set)
        gateway = Gateway(bootstrap, catalog_at(settings).current, settings)
        await serve(build(gateway), listening, stop, gateway.reads.news.end, proxies=settings.gateway_proxies)

    if settings.kafka_bootstrap:    # not waited for: it may come and go while we serve
        await serve_on(settings.kafka_bootstrap)
        return
    async with kafka_for(settings) as bootstrap:
        await serve_on(bootstrap)
