"""Worker processes, which are killed, frozen and stopped; none outlives the test that started them."""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

from outreach_stream.broker import leash

from .nursery import Worker, born

ROLES = ("aggregator", "dispatcher", "sender")
GRACE = 40.0
"""Seconds that a worker may take to end when it was asked to."""


def leashed(*command: str, **options) -> subprocess.Popen:
    """A process that the kernel kills when we end, however we end."""
    return subprocess.Popen([sys.executable, "-I", "-S", leash.__file__, str(os.getpid()), *command], **options)


class Workers:
    """The processes of one system by their names: a role's first one is called as the role is."""

    def __init__(self, folder: Path, environment: dict[str, str]) -> None:
        self.folder, self.environment = folder, environment
        self.running: dict[str, subprocess.Popen | Worker] = {}

    def start(self, *roles: str, name: str | None = None) -> None:
        """Start a worker for each role, all if none is named; `name` tells a second one of a role apart."""
        for role in roles or ROLES:
            called = name or role
            (self.folder / f"{called}.log").touch()  # whoever looks into it may be there before the worker is
            self.running[called] = born(role, self.state(called), self.folder / f"{called}.log", self.environment)

    def run(self, name: str, *command: str) -> None:
        """Start any program of the system's under `name`."""
        with (self.folder / f"{name}.log").open("ab") as log:
            self.running[name] = leashed(*command, env=self.environment, stdout=log, stderr=log)

    def state(self, name: str) -> Path:
        """A worker's state folder."""
        return self.folder / "state" / name

    def forget(self, *names: str) -> None:
        """Delete the state folders of workers that do not run."""
        for name in names or ROLES:
            assert name not in self.running, f"{name} runs"
            shutil.rmtree(self.state(name))

    def freeze(self, name: str) -> None:
        """SIGSTOP."""
        self.running[name].send_signal(signal.SIGSTOP)

    def thaw(self, name: str) -> None:
        """SIGCONT."""
        self.running[name].send_signal(signal.SIGCONT)

    def kill(self, *names: str) -> None:
        """kill -9, and all at once if none is named."""
        ended = [self.running.pop(name) for name in names or tuple(self.running)]
        for process in ended:
            process.kill()
        for process in ended:
            process.wait()

    def terminate(self, *names: str, grace: float = GRACE) -> None:
        """SIGTERM to each, or to all, and wait for their ends. Blocks."""
        ended = {name: self.running.pop(name) for name in names or tuple(self.running)}
        for process in ended.values():
            process.terminate()
        for name, process in ended.items():
            try:
                assert process.wait(grace) == 0, self.tail(name)
            except subprocess.TimeoutExpired:
                process.kill()
                raise AssertionError(f"{name} has not ended within {grace} s:\n{self.tail(name)}") from None

    def close(self) -> None:
        """Kill whatever still runs, frozen or not."""
        with contextlib.suppress(ProcessLookupError):
            self.kill()

    def check(self) -> None:
        """Nobody has ended who was not told to."""
        for name, process in self.running.items():
            assert process.poll() is None, f"{name} ended by itself:\n{self.tail(name)}"

    def log(self, name: str) -> str:
        """What a worker has logged so far."""
        return (self.folder / f"{name}.log").read_text(errors="replace")

    def tail(self, name: str) -> str:
        """The end of it."""
        return self.log(name)[-3000:]

    def tails(self) -> str:
        """The ends of all logs."""
        return "\n".join(f"--- {name}\n{self.tail(name)}" for name in self.running)
