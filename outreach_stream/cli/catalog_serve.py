"""`outreach catalog serve`: a folder as a catalog's API."""

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from outreach_stream.catalog.contract import LARGEST_PAGE
from outreach_stream.cli.exits import CommandError, Exit
from outreach_stream.cli.process import command
from outreach_stream.cli.signals import on_stop
from outreach_stream.settings import is_loopback
from outreach_stream.values import SecretRef, UnresolvedReference

RECEIVED = "received"
"""Below the output folder: the logs that were sent here."""


def serve(
    folder: Annotated[Path | None, typer.Argument(
        help="Folder of the catalog.", show_default="OUTREACH_CATALOG")] = None,
    *,
    host: Annotated[str, typer.Option(help="Address to listen on; one that others reach needs a token.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on; 0 takes a free one.")] = 8081,
    token: Annotated[str | None, typer.Option(
        help="Bearer token that is asked for: env:NAME or file:PATH.", show_default="OUTREACH_CATALOG_TOKEN")] = None,
    page: Annotated[int, typer.Option(min=1, max=1_000, help="Objects of a page at most.")] = LARGEST_PAGE,
) -> None:
    """Serve a folder by the contract of catalog APIs (docs/catalog-api.yaml), until Ctrl-C or SIGTERM.

    For demos, tests and small installations; a changed file is served at once. Logs of finished runs that are posted to
    it lie under `received` in OUTREACH_OUTPUT, if that is a folder. It speaks plain HTTP: for other machines put TLS in
    front of it.
    """
    settings = command()
    place = folder or settings.catalog
    if not isinstance(place, Path) or not place.is_dir():
        raise CommandError(f"{place} is no folder: name that of the catalog to be served.", Exit.USAGE)
    secret = _secret(token, settings.catalog_token)
    if secret is None and not is_loopback(host):
        raise CommandError(f"Whoever reaches {host} could read the catalog: give a --token, such as env:CATALOG_TOKEN.",
                           Exit.USAGE)
    logs = settings.output / RECEIVED if isinstance(settings.output, Path) else None
    asyncio.run(_serve(place, (host, port), secret, page, logs))


def _secret(given: str | None, usual: SecretRef | None) -> str | None:
    try:
        reference = SecretRef(given) if given is not None else usual
        return reference.resolve() if reference else None
    except (ValueError, UnresolvedReference) as error:
        raise CommandError(f"--token: {error}", Exit.USAGE) from error


async def _serve(folder: Path, at: tuple[str, int], token: str | None, page: int,
                 logs: Path | None) -> None:
    from outreach_stream.catalog.api import build  # noqa: PLC0415 - the web server, only where it is run
    from outreach_stream.gateway.server import bound, serve  # noqa: PLC0415

    try:
        listening = bound(*at)
    except OSError as error:
        raise CommandError(f"The catalog cannot be served on {at[0]}:{at[1]}: {error.strerror}.\n"
                           "Choose another with --port (0: any free one).") from error
    stop = asyncio.Event()
    on_stop(stop.set)
    host, port = listening.getsockname()[:2]
    shown = f"[{host}]" if ":" in host else host
    print(f"{folder} is served: use it with OUTREACH_CATALOG=http://{shown}:{port}", flush=True)
    await serve(build(folder, token=token, largest_page=page, logs=logs), listening, stop)
