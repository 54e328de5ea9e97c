"""What is around the start of the embedded broker: ports, its folder, its configuration, the download's display."""

import asyncio
import io
import socket
from pathlib import Path

import pytest
from rich.console import Console

from outreach_stream.broker import folder as folder_module
from outreach_stream.broker.errors import BrokerStartError
from outreach_stream.broker.folder import DataFolder
from outreach_stream.broker.ports import UNASSIGNED, choose_ports
from outreach_stream.broker.progress import download_display
from outreach_stream.broker.properties import Ports, server_properties


def test_free_ports_are_not_those_of_outgoing_connections() -> None:
    """Two different ports, below the range in which the system puts a client's own end."""
    ports = choose_ports(0)

    assert ports.broker != ports.controller
    assert ports.broker in UNASSIGNED
    assert ports.controller in UNASSIGNED


def test_a_taken_port_is_refused_by_name() -> None:
    """The error names the port and what to do, before any JVM is started."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]

        with pytest.raises(BrokerStartError, match=rf"Port {port} .* cannot be had .* or 0 for any"):
            choose_ports(port)


async def test_a_folder_has_one_broker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """While one has the folder another is refused; given back, it may have it."""
    monkeypatch.setattr(folder_module, "LOCK_PATIENCE", 0.1)
    first, second = DataFolder(tmp_path), DataFolder(tmp_path)
    await first.lock()

    with pytest.raises(BrokerStartError, match="Another broker is running"):
        await second.lock()
    first.unlock()
    await second.lock()

    second.unlock()


async def test_a_folder_whose_broker_is_just_dying_is_waited_for(tmp_path: Path) -> None:
    """A start right after a kill must not fail because the dead one's lock is a moment late."""
    first, second = DataFolder(tmp_path), DataFolder(tmp_path)
    await first.lock()
    asyncio.get_running_loop().call_later(0.1, first.unlock)

    await second.lock()

    assert second.lock_fds
    second.unlock()


def test_a_large_log_is_turned_and_the_tail_names_its_file(tmp_path: Path) -> None:
    """The log doesn't grow for ever, and errors quote its end."""
    place = DataFolder(tmp_path)
    place.log.write_bytes(b"x" * (folder_module.LOG_TURNS_AT + 1))

    place.turn_log()
    place.log.write_text("".join(f"line {n}\n" for n in range(40)))

    assert (tmp_path / "kafka.log.1").stat().st_size > folder_module.LOG_TURNS_AT
    assert str(place.log) in place.log_tail()
    assert place.log_tail().endswith("line 39\n")
    assert "line 24" not in place.log_tail()


def test_the_broker_listens_on_loopback_only() -> None:
    """It has no password, so nobody else on the network may reach it; and a misspelt topic is an error."""
    lines = server_properties(Path("/data"), Ports(9092, 9093)).splitlines()

    assert "listeners=PLAINTEXT://127.0.0.1:9092,CONTROLLER://127.0.0.1:9093" in lines
    assert "advertised.listeners=PLAINTEXT://127.0.0.1:9092" in lines
    assert "auto.create.topics.enable=false" in lines


@pytest.mark.parametrize("terminal", [True, False])
def test_a_download_is_shown_as_a_bar_or_as_lines(terminal: bool) -> None:
    """A terminal sees a bar, a log file sees five lines and no control characters."""
    screen = io.StringIO()
    with download_display(Console(file=screen, force_terminal=terminal, width=100)) as report:
        for here in range(0, 41, 4):
            report(here * 1_000_000, 40_000_000)

    assert "Downloading Kafka" in screen.getvalue()
    assert ("\x1b" in screen.getvalue()) == terminal
    if not terminal:
        assert len(screen.getvalue().splitlines()) == 5


def test_without_a_download_nothing_is_shown() -> None:
    """Later starts are silent."""
    screen = io.StringIO()
    with download_display(Console(file=screen, force_terminal=True)):
        pass

    assert screen.getvalue() == ""
