"""An HTTP API as an engine: a pool of connections, each handing over one message at a time. Providers plug in."""

import asyncio
from collections.abc import Awaitable, Callable
from enum import StrEnum
from typing import Protocol, cast

from outreach_stream.domain.message import OutgoingMessage
from outreach_stream.domain.outcomes import EngineStopped, Failure, Outcome, Refusal
from outreach_stream.domain.ports import Connection
from outreach_stream.engines.failures import MisconfiguredEngine, network_failure
from outreach_stream.engines.http_config import HttpConfig
from outreach_stream.engines.http_connect import Ask, Dialler, Line
from outreach_stream.engines.http_wire import Answer, HttpWire, Request
from outreach_stream.engines.pool import Pool


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
        self.messages = 0
        self.idle_since = 0.0
        self._wire, self._provider, self._reopen, self._limit = wire, provider, reopen, answer_limit
        self._written = self._refused = False

    @property
    def handed_over(self) -> bool:
        """See `outreach_stream.domain.ports.Connection`.

        A request of which a part never left has not reached its Content-Length: no server has taken it.
        """
        return self._written and not self._wire.unsent

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
        self._written = False
        if not self._wire.usable:
            self._wire.abort()
            fresh = await self._reopen()
            if isinstance(fresh, Failure):
                return fresh
            self._wire, self.messages = fresh, 0
        request = self._provider.request(message)
        if isinstance(request, Failure):
            return request
        outcome = await self._transact(request)
        self._refused = isinstance(outcome, EngineStopped)
        return outcome

    async def _transact(self, request: Request) -> Outcome:
        self.messages += 1
        try:
            self._wire.write(request)
            self._written = True
            return self._provider.outcome(await self._wire.answer(self._limit))
        except asyncio.CancelledError:
            self._wire.abort()
            raise
        except (OSError, MisconfiguredEngine) as error:  # all that a wire raises
            return network_failure(Phase.SEND, error, handed_over=self.handed_over)

    def abort(self) -> None:
        """Close at once."""
        self._wire.abort()

    async def goodbye(self, limit: float) -> None:  # noqa: ARG002 - HTTP has no word for it
        """Close."""
        self._wire.abort()


class Connector:
    """Opens connections that are ready for mails."""

    def __init__(self, config: HttpConfig, provider: Provider) -> None:
        self._timeouts, self._provider = config.timeouts, provider
        self._dialler = Dialler(config)

    async def connect(self) -> HttpConnection | Refusal:
        """A connection ready for mails, or why there is none, after one attempt of at most `timeouts.connect`."""
        wire = await self.open()
        if not isinstance(wire, HttpWire):
            return wire
        return HttpConnection(wire, self._provider, self.open, self._timeouts.answer)

    async def open(self) -> HttpWire | Refusal:
        """A wire to the API, credentials read."""
        phase, line = Phase.CONNECT, Line(self._dialler, self._timeouts.connect)
        try:
            async with asyncio.timeout(self._timeouts.connect):
                await line.wire()
                phase = Phase.PREPARE
                refusal = await self._provider.prepare(line.ask)
                if refusal is None:
                    return await line.wire()  # another one, if the API closes after each answer
        except BaseException as error:  # noqa: BLE001 - `network_failure` raises what it does not know
            line.hang_up()
            return cast("Refusal", network_failure(phase, error, handed_over=False))
        line.hang_up()
        return refusal


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
