"""From an engine's configuration to a connection with its provider's API."""

import asyncio
import ssl  # noqa: TC003
from collections.abc import Awaitable, Callable

from outreach_stream.engines.failures import tls_context
from outreach_stream.engines.http_config import HttpConfig
from outreach_stream.engines.http_wire import Answer, HttpWire, Request

type Ask = Callable[[Request], Awaitable[Answer]]
"""Asks one question that carries no mail. Raises `OSError` (`TimeoutError` among them), `MisconfiguredEngine`."""


class Dialler:
    """Opens connections for one engine. Its TLS context is made once: loading the authorities takes ~10 ms."""

    def __init__(self, config: HttpConfig) -> None:
        self._config = config
        self._tls: ssl.SSLContext | None = None

    async def dial(self) -> HttpWire:
        """TCP and TLS, for as long as it takes. Raises `OSError`, `UnresolvedReference`, `MisconfiguredEngine`."""
        origin = self._config.origin()
        if origin.tls and self._tls is None:
            self._tls = await asyncio.to_thread(tls_context, self._config.ca_file,
                                                verify=self._config.verify_certificates)
        _, wire = await asyncio.get_running_loop().create_connection(
            lambda: HttpWire(origin.header), origin.host, origin.port, ssl=self._tls if origin.tls else None)
        return wire


class Line:
    """Questions to an API, one after another, on a wire that is replaced when the other side has closed it."""

    def __init__(self, dialler: Dialler, seconds: float) -> None:
        """`seconds`: the time for one answer."""
        self._dialler, self._seconds = dialler, seconds
        self._wire: HttpWire | None = None

    async def wire(self) -> HttpWire:
        """A wire that stands. Raises what `Dialler.dial` does."""
        if self._wire is None or not self._wire.usable:
            self.hang_up()
            self._wire = await self._dialler.dial()
        return self._wire

    async def ask(self, request: Request) -> Answer:
        """See `Ask`; raises what `Dialler.dial` does too."""
        wire = await self.wire()
        wire.write(request)
        return await wire.answer(self._seconds)

    def hang_up(self) -> None:
        """Close at once."""
        if self._wire:
            self._wire.abort()
