"""The engines under contract, each with a provider that can be told how to answer."""

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack

import pytest

from outreach_stream.domain.message import OutgoingMessage
from outreach_stream.domain.outcomes import (
    Accepted,
    InDoubt,
    MessageRejected,
    RecipientRejected,
    SenderBlocked,
    Throttled,
    Transient,
)
from outreach_stream.domain.ports import Engine
from outreach_stream.engines.memory import Answer, MemoryEngine
from outreach_stream.engines.smtp import SmtpEngine
from outreach_stream.engines.smtp_config import SmtpConfig
from outreach_stream.inbox import Inbox

ANSWERS = {
    "accept": Answer(Accepted("1")),
    "refuse": Answer(RecipientRejected("550"), handed_over=False),
    "busy": Answer(Transient("451")),
    "throttle": Answer(Throttled("429", retry_after=7.0)),
    "block": Answer(SenderBlocked("554")),
    "reject": Answer(MessageRejected("550")),
    "reset": Answer(InDoubt("lost")),
    "shutdown": Answer(Transient("421")),
    "drop": Answer(Transient("lost"), handed_over=False),
    "doubt": Answer(InDoubt("lost")),
    "silence": Answer(InDoubt("timeout"), after=0.3),
    "slow": Answer(Accepted("2"), after=0.5),
    "early": Answer(Accepted("3"), before=0.5),
    "huge": Answer(MessageRejected("552")),
}


class MemoryWorld:
    """The memory engine, scripted by the recipient's name as the inbox is."""

    async def engine(self, *, concurrency: int = 5, reachable: bool = True) -> Engine:
        engine = MemoryEngine(self._script, concurrency=concurrency)
        engine.unreachable = None if reachable else Transient("refused")
        self._engine = engine
        return engine

    def _script(self, message: OutgoingMessage) -> Answer:
        name = message.recipient.partition("@")[0].partition("-")[0]
        return ANSWERS["huge" if len(message.mime()) > 100_000 else name]

    def received(self) -> list[str]:
        return [message.recipient for message in self._engine.sent]


class SmtpWorld:
    """The SMTP engine and the real inbox, with the extensions given."""

    def __init__(self, stack: AsyncExitStack, *extensions: str) -> None:
        self.stack = stack
        self.extensions = extensions

    async def engine(self, *, concurrency: int = 5, reachable: bool = True) -> Engine:
        self.inbox = await self.stack.enter_async_context(Inbox(max_size=100_000, extensions=self.extensions))
        if not reachable:
            await self.stack.aclose()
        return SmtpEngine(SmtpConfig.model_validate({
            "id": "relay", "kind": "smtp", "host": "127.0.0.1", "port": self.inbox.port, "security": "none",
            "concurrency": concurrency, "timeouts": {"connect": "2s", "command": "2s", "data": "700ms"}}))

    def received(self) -> list[str]:
        return [mail.recipient for mail in self.inbox.mails if mail.answered]


WORLDS: dict[str, Callable[[AsyncExitStack], MemoryWorld | SmtpWorld]] = {
    "memory": lambda _: MemoryWorld(),
    "smtp": SmtpWorld,
    "smtp, pipelined": lambda stack: SmtpWorld(stack, "PIPELINING", "8BITMIME"),
}
"""A further engine joins with a line here."""


@pytest.fixture(params=WORLDS)
async def world(request) -> AsyncIterator[MemoryWorld | SmtpWorld]:
    async with AsyncExitStack() as stack:
        yield WORLDS[request.param](stack)
