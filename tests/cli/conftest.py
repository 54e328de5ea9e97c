"""`outreach` as its users call it: a process, with an environment of its own."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

type Outreach = Callable[..., subprocess.CompletedProcess[str]]

COMMAND = (sys.executable, "-m", "outreach_stream.cli")


def environment(tmp_path: Path, **settings: str) -> dict[str, str]:
    """No settings but the given ones, and a state folder that is the test's own."""
    inherited = {name: value for name, value in os.environ.items()
                 if not name.startswith("OUTREACH_") or name == "OUTREACH_CACHE_DIR"}
    return inherited | {"OUTREACH_STATE_DIR": str(tmp_path / "state"), "COLUMNS": "100"} | settings


@pytest.fixture
def outreach(tmp_path: Path) -> Outreach:
    """Runs `outreach ARGUMENTS…` in an empty folder, with the settings given by name, and returns how it went."""
    def run(*arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([*COMMAND, *arguments], capture_output=True, text=True, timeout=60, check=False,
                              cwd=tmp_path, env=environment(tmp_path, **settings))
    return run
