"""`outreach` as its users call it: a process, with an environment of its own."""

import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest
from structlog.testing import capture_logs

from outreach_stream.cli import main, process
from outreach_stream.settings import load_settings

type Outreach = Callable[..., subprocess.CompletedProcess[str]]

CATALOG = str(Path(__file__).parents[2] / "examples" / "catalog")
"""A catalog that can be used."""

COMMAND = (sys.executable, "-m", "outreach_stream.cli")


def environment(tmp_path: Path, **settings: str) -> dict[str, str]:
    """No settings but the given ones, and a state folder that is the test's own."""
    inherited = {name: value for name, value in os.environ.items()
                 if not name.startswith("OUTREACH_") or name == "OUTREACH_CACHE_DIR"}
    (tmp_path / "tmp").mkdir(exist_ok=True)
    own = {"OUTREACH_STATE_DIR": str(tmp_path / "state"), "TMPDIR": str(tmp_path / "tmp"), "COLUMNS": "100"}
    return inherited | own | settings


@contextmanager
def running(folder: Path, *arguments: str, settings: dict[str, str] | None = None,
            **streams: Any) -> Iterator[subprocess.Popen[str]]:
    """`outreach ARGUMENTS…` in `folder` while the block lasts; then it is killed, and what it started with it."""
    process = subprocess.Popen([*COMMAND, *arguments], cwd=folder, env=environment(folder, **(settings or {})),
                               text=True, start_new_session=True, **streams)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


@pytest.fixture
def outreach(tmp_path: Path) -> Outreach:
    """Runs `outreach ARGUMENTS…` in an empty folder, with the settings given by name, and returns how it went."""
    def run(*arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([*COMMAND, *arguments], capture_output=True, text=True, timeout=60, check=False,
                              cwd=tmp_path, env=environment(tmp_path, **settings))
    return run


@pytest.fixture
def inside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Outreach:
    """As `outreach`, in this process: in a tenth of the time that one of its own takes to start."""
    def run(*arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
        code: Any = 0
        with monkeypatch.context() as patched, capture_logs():
            patched.setattr(os, "environ", environment(tmp_path, **settings))
            patched.setattr(sys, "argv", ["outreach", *arguments])
            patched.setattr(process, "_begin", lambda settings, **_: settings)     # the tests' logs stay as they are
            patched.chdir(tmp_path)
            load_settings.cache_clear()
            try:
                main()
            except SystemExit as end:
                code = end.code or 0
        load_settings.cache_clear()
        out, err = capsys.readouterr()
        return subprocess.CompletedProcess(arguments, code, _LOGGED.sub("", out), err)
    return run


_LOGGED = re.compile(r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d \[.*\n", re.MULTILINE)
"""A line of the process log, which goes elsewhere in a process of its own: a logger that was used before keeps what it
was made with, whatever captures logs now."""


def family(pid: int) -> list[psutil.Process]:
    """The process and all that descend from it, now."""
    parent = psutil.Process(pid)
    return [parent, *parent.children(recursive=True)]


def alive(processes: list[psutil.Process]) -> list[psutil.Process]:
    """Those that still run; a zombie does not."""
    return [each for each in processes if each.is_running() and each.status() != psutil.STATUS_ZOMBIE]


def wait_until_gone(processes: list[psutil.Process], seconds: float = 20) -> None:
    """Raises AssertionError, naming what still runs after `seconds`."""
    deadline = time.monotonic() + seconds
    while left := alive(processes):
        assert time.monotonic() < deadline, [each.cmdline() for each in left]
        time.sleep(0.1)
