"""Engines, each with a provider on the other side that can be told how to answer: by whom a mail is for."""

import asyncio
from collections.abc import Mapping
from contextlib import AsyncExitStack
from types import MappingProxyType
from typing import Any, Protocol

from outreach_stream.domain.message import OutgoingMessage
from outreach_stream.domain.outcomes import (
    Accepted,
    EngineStopped,
    InDoubt,
    MessageRejected,
    Outcome,
    RecipientRejected,
    SenderBlocked,
    Throttled,
    Transient,
)
from outreach_stream.domain.ports import Engine
from outreach_stream.engines import registry
from outreach_stream.engines.memory import Answer, MemoryEngine
from outreach_stream.inbox import Inbox, Limit
from outreach_stream.inbox.providers import stand_in

EXPECTED: Mapping[str, type[Outcome]] = MappingProxyType({
    "refuse": RecipientRejected, "busy": Transient, "throttle": Throttled, "block": SenderBlocked,
    "reject": MessageRejected, "stop": EngineStopped, "huge": MessageRejected, "early": MessageRejected,
    "shutdown": Transient, "drop": Transient, "reset": InDoubt, "doubt": InDoubt, "silence": InDoubt,
})
"""What becomes of a mail for recipients of these names, if its world does not differ."""


class World(Protocol):
    """An engine and its provider."""

    differs: Mapping[str, type[Outcome]]
    """What is otherwise than `EXPECTED` here, and must be, for the reason told beside it."""
    wait: float | None
    """Seconds that `throttle` asks for; None: this provider has no way to tell."""
    unread: int
    """Bytes of a message that has not left this process when its connection ends early; 0: it needs no size."""

    async def engine(self, *, concurrency: int = 5, reachable: bool = True, trusted: bool = True,
                     limit: int | None = None, max_size: int | None = 100_000, patience: str = "1s") -> Engine:
        """`trusted`: its credentials are right. `limit`: mails per second that the provider takes. `patience`: how
        long it waits for the answer to a mail."""

    def received(self) -> list[str]:
        """Recipients whose mail was received and answered, in order."""

    @property
    def attempts(self) -> int:
        """How often a mail was offered to the provider."""

    @property
    def connections(self) -> int:
        """How many stand."""

    def hang_up(self) -> None:
        """The provider closes all connections."""


class MemoryWorld:
    """The memory engine, scripted."""

    differs: Mapping[str, type[Outcome]] = {}
    wait, unread, connections = 7.0, 0, 0

    def __init__(self, _: AsyncExitStack) -> None:
        self._answers = {
            "accept": Answer(Accepted("1")), "slow": Answer(Accepted("2"), after=0.5),
            "throttle": Answer(Throttled("429", retry_after=7.0)), "silence": Answer(InDoubt("timeout"), after=0.3),
            "drop": Answer(Transient("lost"), handed_over=False),
        }

    async def engine(self, *, concurrency: int = 5, reachable: bool = True, trusted: bool = True,
                     limit: int | None = None, max_size: int | None = 100_000, patience: str = "") -> Engine:
        self._engine = MemoryEngine(self._script, concurrency=concurrency)
        self._limit, self._max_size = limit, max_size
        if not reachable:
            self._engine.unreachable = Transient("refused")
        elif not trusted:
            self._engine.unreachable = EngineStopped("535")
        return self._engine

    def _script(self, message: OutgoingMessage) -> Answer:
        name = message.recipient.partition("@")[0].partition("-")[0]
        if self._limit is not None and len(self._engine.sent) >= self._limit:
            return Answer(Throttled("454"))
        if self._max_size is not None and len(message.mime()) > self._max_size:
            name = "huge"
        return self._answers.get(name) or Answer(EXPECTED[name]("told"))  # type: ignore[call-arg]

    def received(self) -> list[str]:
        return [message.recipient for message in self._engine.sent]

    @property
    def attempts(self) -> int:
        return len(self._engine.attempts)

    def hang_up(self) -> None:
        """There is nothing between the two."""


class InboxWorld:
    """An engine of the catalog, and the inbox."""

    differs: Mapping[str, type[Outcome]] = {}
    wait: float | None = 7.0
    unread = 0

    def __init__(self, stack: AsyncExitStack) -> None:
        self.stack = stack

    async def engine(self, *, concurrency: int = 5, reachable: bool = True, trusted: bool = True,
                     limit: int | None = None, max_size: int | None = 100_000, patience: str = "1s") -> Engine:
        self.inbox = await self.stack.enter_async_context(
            Inbox(max_size=max_size, limit=limit and Limit(limit), **self.inbox_options()))
        if not reachable:
            await self.stack.aclose()
        told = {"id": "engine", "concurrency": concurrency, "rate": 1_000} | self.config(trusted, patience)
        return registry.build(registry.engine_from(told))

    def inbox_options(self) -> dict[str, Any]:
        """What the inbox is."""
        raise NotImplementedError

    def config(self, trusted: bool, patience: str) -> dict[str, Any]:
        """What the catalog says."""
        raise NotImplementedError

    def received(self) -> list[str]:
        return [mail.recipient for mail in self.inbox.mails if mail.answered]

    @property
    def attempts(self) -> int:
        return self.inbox.attempts

    @property
    def connections(self) -> int:
        return self.inbox.open_connections

    def hang_up(self) -> None:
        self.inbox.hang_up()


class SmtpWorld(InboxWorld):
    """SMTP, with the extensions given."""

    extensions: tuple[str, ...] = ()

    def inbox_options(self) -> dict[str, Any]:
        return {"extensions": self.extensions, "credentials": ("robot", "right")}

    def config(self, trusted: bool, patience: str) -> dict[str, Any]:
        return {"kind": "smtp", "host": "127.0.0.1", "port": self.inbox.port, "security": "none", "username": "robot",
                "password": f"env:CONTRACT_{'RIGHT' if trusted else 'WRONG'}",
                "timeouts": {"connect": "2s", "command": "5s", "data": patience}}


class PipelinedWorld(SmtpWorld):
    """SMTP with PIPELINING."""

    extensions = ("PIPELINING", "8BITMIME")


class HttpWorld(InboxWorld):
    """A provider's API, and its stand-in."""

    unread = 15_000_000
    differs: Mapping[str, type[Outcome]] = {
        # A request that is small has left this process whole when the connection ends, and HTTP has no reply between
        # its head and its end that would tell whether anybody read it (RFC 9110 section 9.2.2). SMTP has one: RCPT's.
        "drop": InDoubt,
        # Each of the three stops the whole account, where SMTP refuses one mail after the other with 554 5.7.1.
        "block": EngineStopped,
    }
    kind: str
    own: Mapping[str, Any]
    """The catalog's fields of this kind, but for its secret."""
    secret: str
    """The name of that."""
    name: str
    """What stands beside the secret."""

    def inbox_options(self) -> dict[str, Any]:
        return {"provider": stand_in(self.kind, (self.name, "right"))}

    def config(self, trusted: bool, patience: str) -> dict[str, Any]:
        return {"kind": self.kind, "base_url": f"http://127.0.0.1:{self.inbox.port}", **self.own,
                self.secret: f"env:CONTRACT_{'RIGHT' if trusted else 'WRONG'}",
                "timeouts": {"connect": "2s", "answer": patience}}


class SendGridWorld(HttpWorld):
    """SendGrid."""

    kind, own, secret, name = "sendgrid", MappingProxyType({}), "api_key", "apikey"


class MailgunWorld(HttpWorld):
    """Mailgun."""

    kind, own, secret, name = "mailgun", MappingProxyType({"domain": "s.example"}), "api_key", "s.example"


class SesWorld(HttpWorld):
    """Amazon SES."""

    kind, secret, name = "ses", "secret_access_key", "AKIACONTRACT"
    own = MappingProxyType({"region": "eu-central-1", "access_key_id": name})
    wait = None


async def settled(world: World) -> None:
    """The provider has noticed that connections are closed."""
    async with asyncio.timeout(5):
        while world.connections:
            await asyncio.sleep(0.01)
