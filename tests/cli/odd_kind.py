"""A kind of engine that another package might bring, and that has faults of its own."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Literal

from outreach_stream.domain.outcomes import InDoubt
from outreach_stream.domain.ports import Finding
from outreach_stream.engines.config import EngineConfig, EngineKind
from outreach_stream.engines.memory import Answer, MemoryEngine


class OddConfig(EngineConfig):
    kind: Literal["odd"]
    fault: Literal["none", "raises", "hangs", "cannot_be_built", "never_answers"] = "none"

    @property
    def warnings(self) -> tuple[str, ...]:
        return ("odd it is",)


async def check(config: OddConfig, senders: Sequence[str]) -> AsyncIterator[Finding]:
    yield Finding("settings", None, "odd it is")
    yield Finding("sender", True, " and ".join(senders))
    if config.fault == "raises":
        raise KeyError("ann@example.com")
    if config.fault == "hangs":
        await asyncio.sleep(60)


def build(config: OddConfig) -> MemoryEngine:
    if config.fault == "cannot_be_built":
        raise TypeError("not today")
    answer = Answer(InDoubt("never"), after=60 if config.fault == "never_answers" else 0)
    return MemoryEngine(lambda _: answer)


KIND = EngineKind(OddConfig, build, check)
