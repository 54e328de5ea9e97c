"""SMTP as an engine, with one relay or several: a pool of connections, each handing over one message at a time."""

from typing import cast

from outreach_stream.domain.outcomes import Refusal
from outreach_stream.domain.ports import Connection
from outreach_stream.engines.config import EngineKind
from outreach_stream.engines.pool import Pool
from outreach_stream.engines.smtp_check import check
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
        """A connection past its login, or why there is none. Takes at most `timeouts.connect` for each relay."""
        return await self._pool.acquire()

    def release(self, connection: Connection) -> None:
        """Keep the connection warm, or close it: after its last message, an error or a 421."""
        self._pool.release(cast("SmtpConnection", connection))

    async def close(self) -> None:
        """Quit all connections, within about two seconds."""
        await self._pool.close()


KIND = EngineKind(SmtpConfig, SmtpEngine, check)
