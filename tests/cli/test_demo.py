"""The demo, whole: the contract of `make demo`."""

import json
import signal
import time
from collections import Counter
from pathlib import Path
from subprocess import PIPE, STDOUT, Popen

import pytest

from outreach_stream.cli.demo.people import addresses
from tests.cli.conftest import family, running, wait_until_gone


@pytest.mark.timeout(400)
def test_every_recipient_has_an_end_and_the_inbox_agrees(tmp_path: Path) -> None:
    """From any folder: exit code 0, one JSON object as the last line, each person once in the log, and only the log
    is left behind."""
    with running(tmp_path, "demo", "--json", "--recipients", "150", stdout=PIPE, stderr=PIPE) as demo:
        out, said = demo.communicate(timeout=390)

    assert demo.returncode == 0, said
    result = json.loads(out.splitlines()[-1])
    assert result["state"] == "COMPLETED"
    assert result["counts"]["total"] == 150
    recipients = json.loads(Path(result["log"]).read_bytes())["recipients"]
    ends = Counter(each["status"] for each in recipients)
    assert sorted(each["email"] for each in recipients) == sorted(addresses(150))
    assert ends == {"sent": 148, "failed": 2}
    assert result["inbox"] == {"mails": 148, "recipients": 148}
    assert {path.name for path in tmp_path.iterdir()} == {"output", "tmp"}
    assert not list((tmp_path / "tmp").iterdir())


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


def lines_until(process: Popen[str], begin: str) -> list[str]:
    """What the process says up to the first line with this beginning."""
    assert process.stdout is not None
    said = []
    for line in process.stdout:
        said.append(line)
        if line.startswith(begin):
            break
    return said
