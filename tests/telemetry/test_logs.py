"""Process logs: a closed vocabulary, machine-readable, and without addresses."""

import ast
import json
import logging
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import outreach_stream
from outreach_stream.telemetry.events import EVENTS
from outreach_stream.telemetry.redaction import redact

METHODS = {"debug", "info", "warning", "error", "exception"}


def logged() -> Iterator[str]:
    """Every event that the package's code logs."""
    for file in Path(outreach_stream.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            match node:
                case ast.Call(func=ast.Attribute(attr=method, value=ast.Name(id="log" | "_log") | ast.Call()),
                              args=[event, *_]) if method in METHODS:
                    yield from (each.value for each in ast.walk(event) if isinstance(each, ast.Constant))


def test_the_vocabulary_is_closed() -> None:
    """What is logged is described, and what is described is logged."""
    assert set(logged()) == set(EVENTS)


@pytest.mark.parametrize("text", [
    "550 <ann.lee+x@example.com>: no such user", "to: zoë@exämple.org", "smtp://ann%40example.com:pw@relay",
    {"deep": [("ann@example.com",)]}, ValueError("ann@example.com"),
])
def test_no_address_passes(text: object) -> None:
    """Addresses are masked in any kind of value, at any depth."""
    shown = json.dumps(redact(text), default=str)

    assert "ann" not in shown
    assert "zoë" not in shown
    assert "<address>" in shown


def test_a_long_word_is_read_once() -> None:
    """An attachment's base64 in a library's error, with an address at its end; it would take hours otherwise."""
    assert redact("A" * 1_000_000 + " ann@example.com") == "A" * 1_000_000 + " <address>"
    assert redact("A" * 1_000_000 + "@example.com") == "<address>"


def test_other_values_stay_as_they_are() -> None:
    """Ids, numbers, None and truth values are not touched."""
    event = {"run_id": "ad338630-3746", "count": 3, "seconds": 0.5, "reason": None, "ok": True, "topics": ["run.event"]}

    assert redact(event) == event


def test_lines_are_json_with_libraries_and_crashes_included() -> None:
    """Ours, the libraries' and a crash's lines are all JSON on standard error, and none has an address."""
    script = (
        "import logging, structlog\n"
        "from outreach_stream.cli.process import service\n"
        "service(role='sender')\n"
        "structlog.get_logger().info('run_logged', run_id='r', by='ann@example.com')\n"
        "logging.getLogger('faust').warning('lost %s', 'ann@example.com')\n"
        "logging.getLogger('faust').info('chatter')\n"
        "raise ValueError('ann@example.com')\n")
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)

    lines = [json.loads(line) for line in ran.stderr.splitlines()]
    assert [line["event"] for line in lines] == ["run_logged", "lost <address>", "process_crashed"]
    assert all(line["role"] == "sender" and line["timestamp"] and line["level"] for line in lines)
    assert "ann" not in ran.stderr
    assert ran.returncode == 1


def test_the_level_is_that_of_the_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """OUTREACH_LOG_LEVEL=error silences what is less."""
    from outreach_stream.settings import Settings
    from outreach_stream.telemetry import logs

    before = logging.getLogger().handlers[:]
    monkeypatch.setenv("OUTREACH_LOG_LEVEL", "error")
    try:
        logs.configure(Settings())
        assert not logging.getLogger("aiokafka").isEnabledFor(logging.WARNING)
    finally:
        logging.getLogger().handlers[:] = before
        logging.getLogger().setLevel(logging.WARNING)
        import structlog
        structlog.reset_defaults()
