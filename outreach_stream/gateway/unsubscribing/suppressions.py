"""The lists of those who have unsubscribed: what the gateway knows of them, and the records by which they change."""

import asyncio
from collections.abc import Sequence

import structlog

from outreach_stream.agents.cloud_events import cloud_headers
from outreach_stream.domain.clock import iso, wall_clock
from outreach_stream.domain.unsubscribing import How, Unsubscribed
from outreach_stream.gateway.following import Follower
from outreach_stream.gateway.writer import Writer
from outreach_stream.recipients import unsubscribed
from outreach_stream.recipients.unsubscribing import Subscription, links_of
from outreach_stream.settings import Settings
from outreach_stream.streaming.produce import Record
from outreach_stream.streaming.views import View
from outreach_stream.topics import SUPPRESSION

PATIENCE = 3.0
"""Seconds that reading what was written before may take."""

_log = structlog.get_logger()


def left(subscription: Subscription, how: How, at: float) -> Record:
    """The record that puts an address on a list."""
    name, email, run_id = subscription
    value = Unsubscribed(list=name, email=email, at=iso(at), how=how, run_id=run_id or None).encode()
    return _record(name, email, value, at)


def back(subscription: Subscription, at: float) -> Record:
    """The record that takes an address off a list."""
    return _record(subscription.list, subscription.email, None, at)


def _record(name: str, email: str, value: bytes | None, at: float) -> Record:
    key = unsubscribed.suppression_key(name, email)
    headers = cloud_headers("outreach.unsubscribed", f"/lists/{name}", f"{key.decode()}/{iso(at)}", iso(at))
    return Record(key, value, headers)


class Suppressions:
    """Follows `suppression` from `start` to `stop`, through the broker's absences, and writes to it.

    Of each address 16 bytes are kept in memory, and nothing of what was said of it.
    """

    def __init__(self, bootstrap: str, writer: Writer, settings: Settings) -> None:
        """Raises `UnresolvedReference` for a key that cannot be used."""
        self.links = links_of(settings)
        self._writer, self._lists = writer, unsubscribed.Unsubscribed()
        self._follower = Follower(View(bootstrap, SUPPRESSION.name, self._lists.note, keep=False), SUPPRESSION.name)

    async def start(self) -> None:
        """Begins to follow; does not wait for the broker."""
        await self._follower.start()

    async def stop(self) -> None:
        """Ends the following."""
        await self._follower.stop()

    def read(self, token: str) -> Subscription | None:
        """What a link is about; None: it is none of ours."""
        return self.links.read(token) if self.links else None

    def has(self, subscription: Subscription) -> bool:
        """Whether the address is on the list, as far as is known here."""
        return self._lists.has(subscription.list, subscription.email)

    async def among(self, who: Sequence[Subscription]) -> set[Subscription]:
        """Those who are on their lists by whatever was acknowledged before the call. Raises `TimeoutError`."""
        async with asyncio.timeout(PATIENCE):
            await self._follower.caught_up()
        return set(filter(self.has, who))

    async def leave(self, who: Sequence[Subscription], how: How) -> None:
        """Put them on their lists; returns when Kafka has it for sure. Raises `BrokerAwayError`."""
        now = wall_clock()
        await self._write([left(each, how, now) for each in who])
        _log.info("unsubscribed", how=how, list=who[0].list, addresses=len(who))

    async def come_back(self, who: Sequence[Subscription], how: How) -> None:
        """Take them off their lists; returns when Kafka has it for sure. Raises `BrokerAwayError`."""
        now = wall_clock()
        await self._write([back(each, now) for each in who])
        _log.info("subscribed_again", how=how, list=who[0].list, addresses=len(who))

    async def _write(self, records: Sequence[Record]) -> None:
        """Waits for all: what is still under way must not be written long after its caller was told otherwise."""
        written = await asyncio.gather(*(self._writer.write(SUPPRESSION.name, record, partition=0)
                                         for record in records), return_exceptions=True)
        for failure in written:
            if failure is not None:
                raise failure
