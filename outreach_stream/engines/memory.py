"""An engine that sends nothing: scripted answers and everything remembered for tests, nothing kept in a rehearsal."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from outreach_stream.domain.message import OutgoingMessage
from outreach_stream.domain.outcomes import Accepted, Outcome, Refusal, Transient
from outreach_stream.domain.ports import Connection, Finding
from outreach_stream.engines.config import EngineConfig, EngineKind


class MemoryConfig(EngineConfig):
    """A rehearsal: everything is done but the sending, at the engine's own pace; nothing is kept."""

    kind: Literal["memory"]

    @property
    def warnings(self) -> tuple[str, ...]:
        """That it is no way to send mail."""
        return (SENDS_NOTHING,)

    @property
    def delivers(self) -> bool:
        """Nothing arrives."""
        return False


SENDS_NOTHING = "kind memory sends nothing, and says that it did: for rehearsals only"


@dataclass(frozen=True, slots=True)
class Answer:
    """What the scripted provider answers, and how long it takes, in seconds, before and after it has the message."""

    outcome: Outcome
    before: float = 0.0
    after: float = 0.0
    handed_over: bool = True
    """False: it failed before the provider could have had the message."""


type Script = Callable[[OutgoingMessage], Outcome | Answer]


def accept(message: OutgoingMessage) -> Outcome:
    """The script of a provider that takes everything."""
    return Accepted(message.message_id)


class MemoryConnection:
    """A connection to nowhere."""

    def __init__(self, engine: "MemoryEngine") -> None:
        self.handed_over = False
        self.reusable = True
        self._engine = engine

    async def hand_over(self, message: OutgoingMessage) -> Outcome:
        """Answer as the script says; see `outreach_stream.domain.ports.Connection`."""
        self.handed_over = False
        if self._engine.keep:
            self._engine.attempts.append(message)
        answer = self._engine.script(message)
        if not isinstance(answer, Answer):
            answer = Answer(answer)
        if answer.before:
            await asyncio.sleep(answer.before)
        self.handed_over = answer.handed_over
        if answer.after:
            await asyncio.sleep(answer.after)
        if self._engine.keep and isinstance(answer.outcome, Accepted):
            self._engine.sent.append(message)
        return answer.outcome


class MemoryEngine:
    """See `outreach_stream.domain.ports.Engine`; its attributes may be changed and read at any time."""

    def __init__(self, script: Script = accept, *, concurrency: int = 10, keep: bool = True) -> None:
        """`keep`: remember what was handed over, for a test to look at; without it memory does not grow."""
        self.keep = keep
        self.script = script
        self.attempts: list[OutgoingMessage] = []
        """What was handed over, in order, whatever the answer."""
        self.sent: list[OutgoingMessage] = []
        """What was accepted."""
        self.unreachable: Refusal | None = None
        """What `acquire` answers while it is set."""
        self.rate: float | None = None
        """See `outreach_stream.domain.ports.Engine`."""
        self._slots = asyncio.Semaphore(concurrency)
        self._closed = False

    async def acquire(self) -> MemoryConnection | Refusal:
        """A new connection, or `unreachable`."""
        await self._slots.acquire()
        refusal = Transient("engine_closed") if self._closed else self.unreachable
        if refusal is None:
            return MemoryConnection(self)
        self._slots.release()
        return refusal

    def release(self, connection: Connection) -> None:  # noqa: ARG002 - there is nothing to keep
        """Let another one in."""
        self._slots.release()

    async def close(self) -> None:
        """Refuse whoever comes later."""
        self._closed = True


def build(config: MemoryConfig) -> MemoryEngine:
    """The engine of a rehearsal: it takes everything and forgets it."""
    return MemoryEngine(concurrency=config.concurrency, keep=False)


async def check(config: MemoryConfig, senders: Sequence[str]) -> AsyncIterator[Finding]:  # noqa: ARG001
    """Nothing can be wrong with it, but that it sends nothing."""
    for warning in config.warnings:
        yield Finding("settings", None, warning)


KIND = EngineKind(MemoryConfig, build, check)
