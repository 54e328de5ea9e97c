"""`/live`, `/ready` and `/metrics` of a process that has no HTTP API: a thread that looks at the process's event loop.

The thread answers even if the loop hangs, and then says so: whoever asks the loop itself would only wait with it.
"""

import asyncio
import sys
import threading
from collections.abc import AsyncIterator, Callable, Iterable
from concurrent.futures import CancelledError
from contextlib import asynccontextmanager
from http.server import BaseHTTPRequestHandler
from socket import AF_INET6
from socketserver import ThreadingTCPServer
from time import monotonic
from typing import override

import structlog
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import Metric as Family
from prometheus_client.registry import Collector

from outreach_stream.telemetry import metrics
from outreach_stream.telemetry.families import families
from outreach_stream.telemetry.process import process_registry
from outreach_stream.telemetry.readings import Reading, Source

BEAT = 0.5
"""Seconds between two beats of the loop."""
HUNG = 10.0
"""Seconds without a beat after which the process counts as dead. Nothing of ours holds the loop for a tenth of that."""
PATIENCE = 2.0
"""Seconds that the loop may take to say its readings; beyond, those of the process must do."""
POLL = 0.1
"""Seconds that the end of the thread may take."""
REQUEST_SECONDS = 5.0
"""Seconds that a client may take to send its request."""

log = structlog.get_logger()

type Unready = Callable[[], str | None]
"""Why the process does not work at the moment; None: it does. Called in its event loop."""


class Heart:
    """The loop's heart, and what it said at its last beat."""

    def __init__(self, unready: Unready) -> None:
        self._unready = unready
        self._at, self._reason = monotonic(), "starting"

    async def beat(self) -> None:
        """Until it is cancelled."""
        while True:
            try:
                self._reason = self._unready() or ""
            except Exception as error:  # noqa: BLE001 - it must not look as if the loop hung
                self._reason = f"not known: {error!r}"
            self._at = monotonic()
            await asyncio.sleep(BEAT)

    @property
    def age(self) -> float:
        """Seconds since the last beat."""
        return monotonic() - self._at

    def dead(self) -> str | None:
        """Why the process counts as dead; None: it lives."""
        return f"the event loop hangs for {self.age:.0f} s" if self.age > HUNG else None

    def unready(self) -> str | None:
        """Why it does not work; None: it does."""
        return self.dead() or self._reason or None


class _OfLoop(Collector):
    """The loop's own readings, taken in the loop: so no two of them are of different moments, and nothing is locked."""

    def __init__(self, loop: asyncio.AbstractEventLoop, heart: Heart, source: Source) -> None:
        self._loop, self._heart, self._source = loop, heart, source

    @override
    def collect(self) -> Iterable[Family]:
        readings = [Reading(metrics.LOOP_AGE, self._heart.age), Reading(metrics.READY, not self._heart.unready())]
        taking = asyncio.run_coroutine_threadsafe(self._take(), self._loop)
        try:
            readings += taking.result(PATIENCE)
        except (TimeoutError, CancelledError):      # it hangs, which LOOP_AGE tells, or is about to end
            taking.cancel()
        return families(readings)

    async def _take(self) -> list[Reading]:
        return list(self._source())


class Listening(ThreadingTCPServer):    # not HTTPServer, which asks a name server for its own name
    """The listening socket, had before anything else is begun. Raises OSError if the port is taken."""

    daemon_threads = allow_reuse_address = True

    def __init__(self, host: str, port: int) -> None:
        if ":" in host:
            self.address_family = AF_INET6
        super().__init__((host, port), _Handler)
        self.heart: Heart | None = None
        self.registry = CollectorRegistry()

    @override
    def handle_error(self, request: object, client_address: object) -> None:    # stock: prints to standard error
        """Says what went wrong, but for a client that went away."""
        if not isinstance(error := sys.exception(), OSError):
            log.warning("metrics_not_answered", error=repr(error))

    @property
    def url(self) -> str:
        """Where it is found."""
        host, port = self.server_address[:2]
        return f"http://{f'[{host!s}]' if ':' in str(host) else host!s}:{port}"


class _Handler(BaseHTTPRequestHandler):
    server: Listening
    server_version, sys_version = "outreach", ""
    timeout = REQUEST_SECONDS

    def do_GET(self) -> None:
        heart = self.server.heart
        match self.path.partition("?")[0]:
            case "/live" if heart:
                self._say(heart.dead())
            case "/ready" if heart:
                self._say(heart.unready())
            case "/metrics":
                encode, kind = choose_encoder(self.headers.get("Accept", ""))
                self._answer(200, encode(self.server.registry), kind)
            case _:
                self._answer(404, b"/live, /ready, /metrics\n")

    def _say(self, wrong: str | None) -> None:
        self._answer(503 if wrong else 200, f"{wrong or 'ok'}\n".encode())

    def _answer(self, code: int, body: bytes, kind: str = "text/plain; charset=utf-8") -> None:
        self.send_response(code)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    @override
    def log_message(self, format: str, *args: object) -> None:  # stock: every request, to standard error
        """Says nothing: it is asked every few seconds."""


@asynccontextmanager
async def told(role: str, listening: Listening | None, source: Source, unready: Unready, *,
               keep: bool = False) -> AsyncIterator[None]:
    """Answers on `listening`, if there is one, while the block lasts; of the event loop that this runs in.

    `keep`: another block follows, maybe in another loop; else `listening` is closed.
    """
    if listening is None:
        yield
        return
    heart = Heart(unready)
    listening.registry = process_registry(role)
    listening.registry.register(_OfLoop(asyncio.get_running_loop(), heart, source))
    listening.heart = heart
    beating = asyncio.create_task(heart.beat())
    # A daemon, and its requests' threads too: none of them may keep the process from ending.
    serving = threading.Thread(target=listening.serve_forever, args=(POLL,), name="metrics", daemon=True)
    serving.start()
    if not keep:
        log.info("metrics_served", url=listening.url)
    try:
        yield
    finally:
        beating.cancel()
        listening.shutdown()
        serving.join()
        if not keep:
            listening.server_close()
