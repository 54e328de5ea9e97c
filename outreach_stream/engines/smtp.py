"""An SMTP relay as an engine: a pool of connections, each handing over one message at a time."""

from typing import cast

from outreach_stream.catalog.models import SmtpEngine as SmtpConfig
from outreach_stream.domain.outcomes import Refusal
from outreach_stream.domain.ports import Connection
from outreach_stream.engines.smtp_connect import SmtpConnector
from outreach_stream.engines.smtp_pool import SmtpPool
from outreach_stream.engines.smtp_transaction import SmtpConnection


class SmtpEngine:
    """See `outreach_stream.domain.ports.Engine`. Making one touches neither network nor files."""

    def __init__(self, config: SmtpConfig) -> None:
        self._pool = SmtpPool(SmtpConnector(config).connect, size=config.concurrency,
                              idle=config.connections.idle, max_messages=config.connections.max_messages)

    async def acquire(self) -> SmtpConnection | Refusal:
        """A connection past its login, or why there is none."""
        return await self._pool.acquire()

    def release(self, connection: Connection) -> None:
        """Keep the connection warm, or close it: after its last message, an error or a 421."""
        self._pool.release(cast("SmtpConnection", connection))

    async def close(self) -> None:
        """Quit all connections, within about two seconds."""
        await self._pool.close()
