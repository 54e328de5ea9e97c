"""An HTTP API as an engine: a pool of connections, each handing over one message at a time. Providers plug in."""

import asyncio
import ssl  # noqa: TC003
from collections.abc import Awaitable, Callable
from enum import StrEnum
from typing import Protocol, cast

from outreach_stream.domain.message import OutgoingMessage
from outreach_stream.domain.outcomes import EngineStopped, Failure, Outcome, Refusal
from outreach_stream.domain.ports import Connection
from outreach_stream.engines.failures import network_failure, tls_context
from outreach_stream.engines.http_config import HttpConfig, Origin
from outreach_stream.engines.http_wire import Answer, HttpWire, Request
from outreach_stream.engines.pool import Pool

type Ask = Callable[[Request], Awaitable[Answer]]
"""Asks one question on a connection that carries no mail yet. Raises `OSError` (`TimeoutError` among them)."""


class Phase(StrEnum):
    """How far a connection or an attempt has come; part of a failure's reason."""

    CONNECT = "connect"
    PREPARE = "prepare"
    SEND = "send"


class Provider(Protocol):
    """What is particular about one provider's API."""

    rate: float | None
    """See `outreach_stream.domain.ports.Engine.rate`."""

    async def prepare(self, ask: Ask) -> Refusal | None:
        """Read the credentials, and whatever else is asked once; called for every new connection.

        What is read here serves all connections, so that a rotated key is used from the next connection on. Raises
        `UnresolvedReference`, and what `ask` does.
        """

    def request(self, message: OutgoingMessage) -> Request | Refusal:
        """The request that hands `message` over, or why it cannot. Pure, but for the time; does not wait."""

    def outcome(self, answer: Answer) -> Outcome:
        """What the provider's answer means; total over all answers."""


class HttpConnection:
    """See `outreach_stream.domain.ports.Connection` and `outreach_stream.engines.pool.Pooled`."""

    def __init__(self, wire: HttpWire, provider: Provider, reopen: Callable[[], Awaitable[HttpWire | Refusal]],
                 answer_limit: float) -> None:
        self.handed_over = False
        self.messages = 0
        self.idle_since = 0.0
        self._wire, self._provider, self._reopen, self._limit = wire, provider, reopen, answer_limit
        self._refused = False

    @property
    def reusable(self) -> bool:
        """Whether another message may follow. Not after the credentials were refused: they may have been replaced."""
        return self._wire.usable and not self._refused

    async def hand_over(self, message: OutgoingMessage) -> Outcome:
        """See `outreach_stream.domain.ports.Connection`.

        A connection that is known to be closed is replaced, once, before anything is written. One that turns out to
        be closed after the request was written leaves the mail in doubt: HTTP cannot tell whether it was processed
        (RFC 9110 section 9.2.2 forbids to repeat such a request by oneself).
        """
        self.handed_over = False
        if not self._wire.usable:
            fresh = await self._reopen()
            if isinstance(fresh, Failure):
                return fresh
            self._wire, self.messages = fresh, 0
        request = self._provider.request(message)
        if isinstance(request, Failure):
            return request
        self.messages += 1
        self.handed_over = True
        self._wire.write(request)
        try:
            answer = await self._wire.answer(self._limit)
        except asyncio.CancelledError:
            self.abort()
            raise
        except OSError as error:  # all that a wire raises
            if self._wire.unsent:  # its Content-Length was never reached: no server has taken it
                self.handed_over = False
            return network_failure(Phase.SEND, error, handed_over=self.handed_over)
        outcome = self._provider.outcome(answer)
        self._refused = isinstance(outcome, EngineStopped)
        return outcome

    def abort(self) -> None:
        """Close at once."""
        self._wire.abort()

    async def goodbye(self, limit: float) -> None:  # noqa: ARG002 - HTTP has no word for it
        """Close."""
        self._wire.abort()


class Connector:
    """Opens connections for one engine. Its TLS context is made once: loading the authorities takes ~10 ms."""

    def __init__(self, config: HttpConfig, provider: Provider) -> None:
        self._config, self._provider = config, provider
        self._tls: ssl.SSLContext | None = None

    async def connect(self) -> HttpConnection | Refusal:
        """A connection ready for mails, or why there is none, after one attempt of at most `timeouts.connect`."""
        wire = await self.open()
        if not isinstance(wire, HttpWire):
            return wire
        return HttpConnection(wire, self._provider, self.open, self._config.timeouts.answer)

    async def open(self) -> HttpWire | Refusal:
        """A wire to the API, credentials read."""
        phase, wire = Phase.CONNECT, None
        try:
            async with asyncio.timeout(self._config.timeouts.connect):
                wire = await self.dial(self._config.origin())
                phase = Phase.PREPARE
                refusal = await self._provider.prepare(self.asker(wire))
        except Exception as error:  # noqa: BLE001 - `network_failure` raises what it does not know
            if wire:
                wire.abort()
            return cast("Refusal", network_failure(phase, error, handed_over=False))
        except asyncio.CancelledError:
            if wire:
                wire.abort()
            raise
        if refusal is None:
            return wire
        wire.abort()
        return refusal

    async def dial(self, origin: Origin) -> HttpWire:
        """TCP and TLS. Raises `OSError`, `MisconfiguredEngine`."""
        if origin.tls and self._tls is None:
            self._tls = await asyncio.to_thread(tls_context, self._config.ca_file,
                                                verify=self._config.verify_certificates)
        _, wire = await asyncio.get_running_loop().create_connection(
            lambda: HttpWire(origin.header), origin.host, origin.port, ssl=self._tls if origin.tls else None)
        return wire

    def asker(self, wire: HttpWire) -> Ask:
        """Asks on `wire`, within the time for connecting."""
        async def ask(request: Request) -> Answer:
            wire.write(request)
            return await wire.answer(self._config.timeouts.connect)
        return ask


class HttpEngine:
    """See `outreach_stream.domain.ports.Engine`. Making one touches neither network nor files."""

    def __init__(self, config: HttpConfig, provider: Provider) -> None:
        self._provider = provider
        self._pool = Pool(Connector(config, provider).connect, size=config.concurrency,
                          idle=config.connections.idle, max_messages=config.connections.max_messages)

    @property
    def rate(self) -> float | None:
        """What the provider allows, if it says so."""
        return self._provider.rate

    async def acquire(self) -> HttpConnection | Refusal:
        """A connection, or why there is none."""
        return await self._pool.acquire()

    def release(self, connection: Connection) -> None:
        """Keep the connection warm, or close it."""
        self._pool.release(cast("HttpConnection", connection))

    async def close(self) -> None:
        """Close all connections."""
        await self._pool.close()
