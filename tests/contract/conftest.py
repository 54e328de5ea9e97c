"""The engines under contract."""

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack

import pytest

from tests.contract.moto_world import MotoWorld, moto
from tests.contract.worlds import (
    MailgunWorld,
    MemoryWorld,
    PipelinedWorld,
    SendGridWorld,
    SesWorld,
    SmtpWorld,
    World,
)

WORLDS: dict[str, Callable[[AsyncExitStack], World]] = {
    "memory": MemoryWorld,
    "smtp": SmtpWorld,
    "smtp, pipelined": PipelinedWorld,
    "sendgrid": SendGridWorld,
    "mailgun": MailgunWorld,
    "ses": SesWorld,
}
"""A further engine joins with a line here."""


@pytest.fixture(autouse=True)
def secrets(monkeypatch):
    """What the engines' secrets refer to."""
    monkeypatch.setenv("CONTRACT_RIGHT", "right")
    monkeypatch.setenv("CONTRACT_WRONG", "wrong")


@pytest.fixture
async def stack() -> AsyncIterator[AsyncExitStack]:
    """Ends what a world begins."""
    async with AsyncExitStack() as stack:
        yield stack


@pytest.fixture(params=WORLDS)
def world(request, stack) -> World:
    """A provider that answers as it is told."""
    return WORLDS[request.param](stack)


@pytest.fixture(params=[*WORLDS, "ses, moto"])
def willing(request, stack) -> World | MotoWorld:
    """A provider that accepts."""
    return WORLDS[request.param](stack) if request.param in WORLDS else stack.enter_context(moto())
