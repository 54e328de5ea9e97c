"""An SMTP relay as an engine: a pool of connections, each handing over one message at a time."""

from collections.abc import AsyncIterator, Sequence
from typing import cast

from outreach_stream.domain.outcomes import Failure, Refusal
from outreach_stream.domain.ports import Connection, Finding
from outreach_stream.engines.config import EngineKind
from outreach_stream.engines.pool import Pool
from outreach_stream.engines.smtp_config import SmtpConfig
from outreach_stream.engines.smtp_connect import SmtpConnector
from outreach_stream.engines.smtp_transaction import SmtpConnection


class SmtpEngine:
    """See `outreach_stream.domain.ports.Engine`. Making one touches neither network nor files."""

    def __init__(self, config: SmtpConfig) -> None:
        self._pool = Pool(SmtpConnector(config).connect, size=config.concurrency,
                          idle=config.connections.idle, max_messages=config.connections.max_messages)

    @property
    def rate(self) -> float | None:
        """No relay says."""
        return None

    async def acquire(self) -> SmtpConnection | Refusal:
        """A connection past its login, or why there is none."""
        return await self._pool.acquire()

    def release(self, connection: Connection) -> None:
        """Keep the connection warm, or close it: after its last message, an error or a 421."""
        self._pool.release(cast("SmtpConnection", connection))

    async def close(self) -> None:
        """Quit all connections, within about two seconds."""
        await self._pool.close()


async def check(config: SmtpConfig, senders: Sequence[str]) -> AsyncIterator[Finding]:  # noqa: ARG001
    """Connect and log in."""
    engine = SmtpEngine(config)
    found = await engine.acquire()
    yield Finding("login", not isinstance(found, Failure), repr(found) if isinstance(found, Failure) else "")
    if not isinstance(found, Failure):
        engine.release(found)
    await engine.close()


KIND = EngineKind(SmtpConfig, SmtpEngine, check)
