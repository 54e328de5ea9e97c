"""The demo, whole: the contract of `make demo`."""

import json
import signal
import socket
import time
from collections import Counter
from pathlib import Path
from subprocess import PIPE, STDOUT, Popen
from typing import Any

import pytest

from outreach_stream.cli.demo.engines import DemoEngine
from outreach_stream.cli.demo.people import addresses
from outreach_stream.cli.demo.stage import held_port
from tests.cli.conftest import Outreach, family, running, wait_until_gone


@pytest.mark.timeout(400)
def test_every_recipient_has_an_end_and_the_inbox_agrees(tmp_path: Path) -> None:
    """From any folder: exit code 0, one JSON object as the last line, each person once in the log, and only the log
    is left behind."""
    result = outcome(tmp_path, "--recipients", "150")

    assert result["state"] == "COMPLETED"
    assert result["counts"]["total"] == 150
    recipients = json.loads(Path(result["log"]).read_bytes())["recipients"]
    ends = Counter(each["status"] for each in recipients)
    assert sorted(each["email"] for each in recipients) == sorted(addresses(150))
    assert ends == {"sent": 148, "failed": 2}
    assert result["inbox"] == {"mails": 148, "recipients": 148}
    assert {path.name for path in tmp_path.iterdir()} == {"output", "tmp"}
    assert not list((tmp_path / "tmp").iterdir())


@pytest.mark.long
@pytest.mark.timeout(400)
def test_a_providers_api_in_the_place_of_the_relay_shows_the_same(tmp_path: Path) -> None:
    """`--engine` changes through what it sends, and nothing of what comes of it."""
    result = outcome(tmp_path, "--engine", "mailgun", "--recipients", "103")

    assert result["state"] == "COMPLETED"
    assert (result["counts"]["sent"], result["counts"]["failed"]) == (101, 2)
    assert result["inbox"] == {"mails": 101, "recipients": 101}


@pytest.mark.long
@pytest.mark.timeout(400)
@pytest.mark.parametrize("engine", DemoEngine)
def test_each_engine_shows_what_the_first_lines_promise(tmp_path: Path, engine: DemoEngine) -> None:
    """990 sent, 10 failed of 1,000, and the inbox has exactly the 990."""
    result = outcome(tmp_path, "--engine", engine.value)

    assert (result["counts"]["sent"], result["counts"]["failed"], result["counts"]["total"]) == (990, 10, 1_000)
    assert result["inbox"] == {"mails": 990, "recipients": 990}
    assert result["problems"] == []


@pytest.mark.timeout(400)
def test_ctrl_c_leaves_nothing_behind(tmp_path: Path) -> None:
    """An interrupt in the middle of the run ends all processes, with the code that shells give it."""
    with running(tmp_path, "demo", "--recipients", "5000", stdout=PIPE, stderr=STDOUT) as demo:
        said = lines_until(demo, "SENDING")
        processes = family(demo.pid)
        assert any("java" in each.name() for each in processes), said

        demo.send_signal(signal.SIGINT)
        demo.communicate(timeout=120)

        assert demo.returncode == 130
        wait_until_gone(processes)
    assert not list((tmp_path / "tmp").iterdir())


@pytest.mark.timeout(400)
def test_a_killed_demo_takes_its_processes_with_it(tmp_path: Path) -> None:
    """kill -9 of the demo, which can then clean up nothing, still ends every process of it."""
    with running(tmp_path, "demo", stdout=PIPE, stderr=STDOUT) as demo:
        said = lines_until(demo, "Starting the roles")
        time.sleep(1)
        processes = family(demo.pid)
        assert any("java" in each.name() for each in processes), said

        demo.kill()

        wait_until_gone(processes)


def test_a_port_is_held_for_its_server_and_kept_from_another_demo() -> None:
    """Two demos at the same time never get the same gateway: one would trigger its run on the other's Kafka."""
    with held_port(0) as first:
        port = first.getsockname()[1]
        with held_port(port) as second:
            assert second.getsockname()[1] != port
        with socket.create_server(("127.0.0.1", port)) as server, held_port(port) as third:
            assert server.getsockname()[1] == port
            assert third.getsockname()[1] != port


def test_an_output_folder_that_cannot_be_written_is_2_and_said_at_once(outreach: Outreach, tmp_path: Path) -> None:
    """Nothing is begun that could not end with a log."""
    (tmp_path / "taken").touch()

    answer = outreach("demo", OUTREACH_OUTPUT=str(tmp_path / "taken" / "output"))

    assert answer.returncode == 2
    assert "OUTREACH_OUTPUT" in answer.stderr


def outcome(folder: Path, *arguments: str) -> dict[str, Any]:
    """What `outreach demo --json` says, in `folder`."""
    with running(folder, "demo", "--json", *arguments, stdout=PIPE, stderr=PIPE) as demo:
        out, said = demo.communicate(timeout=390)
    assert demo.returncode == 0, said
    result: dict[str, Any] = json.loads(out.splitlines()[-1])
    return result


def lines_until(process: Popen[str], begin: str) -> list[str]:
    """What the process says up to the first line with this beginning."""
    assert process.stdout is not None
    said = []
    for line in process.stdout:
        said.append(line)
        if line.startswith(begin):
            break
    return said
