"""The gateway's process: uvicorn around the API, until it is told to stop."""

import asyncio
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import override

import structlog
import uvicorn
from fastapi import FastAPI

_log = structlog.get_logger()


class _Server(uvicorn.Server):
    """Leaves signals to the command: uvicorn would raise them again after its end, and its exit code with them."""

    @override
    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def bound(host: str, port: int) -> socket.socket:
    """A listening socket, had before anything else is begun. Raises OSError if the port is taken."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return socket.create_server((host, port), family=family, backlog=512)


async def serve(api: FastAPI, listening: socket.socket, stop: asyncio.Event,
                leaving: Callable[[], None] | None = None, *, proxies: str = "127.0.0.1,::1") -> None:
    """Serve on `listening` until `stop` is set; requests under way get three seconds.

    `leaving` is called first then: for what would not end by itself. Of `proxies`, addresses and networks, is believed
    whom they speak for, and by which scheme.
    """
    config = uvicorn.Config(api, log_config=None, access_log=False, lifespan="on", timeout_graceful_shutdown=3,
                            server_header=False, forwarded_allow_ips=proxies,
                            # Not the other parser, should it be installed: that one takes headers of any size.
                            http="h11")
    server = _Server(config)
    serving = asyncio.create_task(server.serve([listening]))
    stopping = asyncio.create_task(stop.wait())
    host, port = listening.getsockname()[:2]
    _log.info("gateway_started", url=f"http://{host}:{port}")
    await asyncio.wait({serving, stopping}, return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    if leaving is not None:
        leaving()
    server.should_exit = True
    await serving
    _log.info("gateway_stopped")
