"""The demo, whole: the contract of `make demo`."""

import json
import signal
import subprocess
import time
from collections import Counter
from pathlib import Path
from typing import Any

import psutil
import pytest

from outreach_stream.cli.demo.people import addresses
from tests.cli.conftest import COMMAND, environment, family, wait_until_gone


def start(folder: Path, *arguments: str, **streams: Any) -> subprocess.Popen[str]:
    return subprocess.Popen([*COMMAND, "demo", *arguments], cwd=folder, env=environment(folder), text=True,
                            start_new_session=True, **streams)


@pytest.mark.timeout(400)
def test_every_recipient_has_an_end_and_the_inbox_agrees(tmp_path: Path) -> None:
    """From any folder: exit code 0, one JSON object as the last line, each person once in the log, and only the log
    is left behind."""
    ran = start(tmp_path, "--json", "--recipients", "150", stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    out, said = ran.communicate(timeout=390)

    assert ran.returncode == 0, said
    result = json.loads(out.splitlines()[-1])
    assert result["state"] == "COMPLETED"
    assert result["counts"]["total"] == 150
    recipients = json.loads(Path(result["log"]).read_bytes())["recipients"]
    ends = Counter(each["status"] for each in recipients)
    assert sorted(each["email"] for each in recipients) == sorted(addresses(150))
    assert ends == {"sent": 148, "failed": 2}
    assert result["inbox"] == {"mails": 148, "recipients": 148}
    assert {path.name for path in tmp_path.iterdir()} == {"output"}


@pytest.mark.timeout(400)
def test_ctrl_c_leaves_nothing_behind(tmp_path: Path) -> None:
    """An interrupt in the middle of the run ends all processes, with the code that shells give it."""
    ran = start(tmp_path, "--recipients", "5000", stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    assert ran.stdout is not None
    for line in ran.stdout:
        if line.startswith("SENDING"):
            break
    processes = family(ran.pid)
    assert any("java" in each.name() for each in processes)
    folders = [Path(word) for each in processes for word in each.cmdline() if "outreach-demo-" in word]

    ran.send_signal(signal.SIGINT)
    ran.communicate(timeout=120)

    assert ran.returncode == 130
    wait_until_gone(processes)
    assert folders
    assert not any(folder.exists() for folder in folders)


@pytest.mark.timeout(400)
def test_a_killed_demo_takes_its_processes_with_it(tmp_path: Path) -> None:
    """kill -9 of the demo, which can then clean up nothing, still ends every process of it."""
    ran = start(tmp_path, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    deadline = time.monotonic() + 200
    while len(processes := family(ran.pid)) < 6:    # itself, Kafka, the inbox and some roles
        assert time.monotonic() < deadline
        time.sleep(0.2)

    ran.kill()
    ran.wait()

    wait_until_gone([each for each in processes if isinstance(each, psutil.Process)])
