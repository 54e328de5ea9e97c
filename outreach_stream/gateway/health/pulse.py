"""Whether the broker is there and who works: looked at every second, so that no request has to wait for it."""

import asyncio
from contextlib import suppress

import structlog
from aiokafka.client import AIOKafkaClient

from outreach_stream.broker.access import kafka_access
from outreach_stream.broker.errors import KAFKA_TROUBLE, BrokerError
from outreach_stream.broker.ready import reached
from outreach_stream.gateway.health.lag import Lag, lag
from outreach_stream.gateway.health.members import ROLES, members

INTERVAL = 1.0
"""Seconds between two looks."""

LOOK_TIMEOUT = 3.0
"""Seconds a look may take: a broker that needs longer counts as away."""

_log = structlog.get_logger()


class Pulse:
    """The broker's health and the workers seen, as of a second ago."""

    def __init__(self, bootstrap: str) -> None:
        self.bootstrap = bootstrap
        self.reachable: bool | None = None
        """None: not looked yet."""
        self.roles: dict[str, int] = dict.fromkeys(ROLES, 0)
        self.lag: Lag = {}
        """Empty: not known."""
        self._refused: str | None = None
        """What was said of a broker that does not let us in."""
        self._client: AIOKafkaClient | None = None
        self._looking = asyncio.Lock()
        """One look at a time: they share the client, and one that is being connected is none yet."""
        self._beating: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Looks once, then goes on in the background."""
        await self.look()
        self._beating = asyncio.create_task(self._beat())

    async def stop(self) -> None:
        """No more looks."""
        if self._beating is not None:
            self._beating.cancel()
            await asyncio.wait([self._beating])
        await self._disconnect()

    async def look(self) -> bool:
        """Look now; returns whether the broker is reachable. Never raises."""
        async with self._looking:
            before, self.reachable = self.reachable, await self._look()
        if before != self.reachable:
            _log.info("broker_seen" if self.reachable else "broker_lost", bootstrap=self.bootstrap)
        return self.reachable

    async def _look(self) -> bool:
        if not await self._let_in():
            self.roles, self.lag = dict.fromkeys(ROLES, 0), {}
            await self._disconnect()
            return False
        try:
            async with asyncio.timeout(LOOK_TIMEOUT):
                self.roles = await members(await self._connected())
                self.lag = await lag(await self._connected())
        except KAFKA_TROUBLE:   # no coordinator yet is no reason to be called away
            self.lag = {}
            await self._disconnect()
        return True

    async def _let_in(self) -> bool:
        try:
            there = await reached(self.bootstrap)
        except BrokerError as error:    # it is there, and nothing here will change its mind
            if self._refused != str(error):
                self._refused = str(error)
                _log.error("broker_refuses", bootstrap=self.bootstrap, why=self._refused)
            return False
        self._refused = None
        return there

    async def _connected(self) -> AIOKafkaClient:
        if self._client is None:
            client = AIOKafkaClient(
                bootstrap_servers=self.bootstrap, request_timeout_ms=int(LOOK_TIMEOUT * 1000), **kafka_access())
            try:
                await client.bootstrap()
            except BaseException:   # a look that is broken off leaves no half of a client to the next one
                await client.close()
                raise
            self._client = client
        return self._client

    async def _disconnect(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            with suppress(*KAFKA_TROUBLE):
                await client.close()

    async def _beat(self) -> None:
        while True:
            await asyncio.sleep(INTERVAL)
            await self.look()
