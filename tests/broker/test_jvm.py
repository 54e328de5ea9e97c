"""How the JVM is called."""

from pathlib import Path

import pytest

from outreach_stream.broker.embedded import EmbeddedBroker
from outreach_stream.broker.jvm import FIRST_COMPILER_ONLY


@pytest.mark.parametrize("thorough", [False, True])
async def test_a_thorough_broker_has_both_compilers(
        tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, thorough: bool) -> None:
    """A broker starts with one of the JVM's compilers, and with both to work for long; to format one is enough."""
    broker = EmbeddedBroker(tmp_path, tmp_path, thorough=thorough)
    commands: list[list[str]] = []

    async def done() -> int:
        return 0

    monkeypatch.setattr(broker, "_run", commands.append)
    monkeypatch.setattr(broker, "ended", done)
    monkeypatch.setattr(broker, "_answering", done)
    await broker._start([Path("kafka.jar")])

    assert [FIRST_COMPILER_ONLY in command for command in commands] == [True, not thorough]
