"""Workers forked from one process that has imported everything: each starts in a moment, not after seconds of imports.

Run as a script it is that process: a line of JSON on its standard input is a worker to start, answered by its pid; a
worker's exit code is written to a file. It dies with whoever started it, and its workers with it.
"""

import ctypes
import gc
import json
import os
import select
import signal
import subprocess
import sys
import time
from functools import cache
from pathlib import Path

from outreach_stream.broker.leash import PR_SET_PDEATHSIG

POLL = 0.01


class Worker:
    """A worker as its starter sees it: what tests need of `subprocess.Popen`."""

    def __init__(self, pid: int, exit_file: Path) -> None:
        self.pid, self._exit_file = pid, exit_file

    def poll(self) -> int | None:
        """The exit code, negative for a signal; None while it runs."""
        return int(self._exit_file.read_text()) if self._exit_file.exists() else None

    def wait(self, timeout: float = 60.0) -> int:
        """Blocks until it has ended."""
        end = time.monotonic() + timeout
        while (code := self.poll()) is None:
            if time.monotonic() > end:
                raise subprocess.TimeoutExpired("worker", timeout)
            time.sleep(POLL)
        return code

    def send_signal(self, number: int) -> None:
        """To nobody if it has ended."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        """SIGTERM."""
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """SIGKILL."""
        self.send_signal(signal.SIGKILL)


def born(role: str, state: Path, log: Path, environment: dict[str, str]) -> Worker:
    """A worker in this role, with this state folder and log, that runs from now on."""
    nursery, order = _nursery(), {"role": role, "state": str(state), "log": str(log), "environment": environment}
    exit_file = log.with_name(f"{log.stem}-{time.monotonic_ns()}.exit")
    nursery.stdin.write(json.dumps(order | {"exit": str(exit_file)}) + "\n")
    nursery.stdin.flush()
    return Worker(int(nursery.stdout.readline()), exit_file)


@cache
def _nursery() -> subprocess.Popen[str]:
    """One for this process."""
    from .workers import leashed

    return leashed(sys.executable, "-P", __file__, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def serve() -> None:
    """Fork for each order, until there are no more."""
    _import_everything()
    ended, wake = os.pipe()
    for end in (ended, wake):
        os.set_blocking(end, False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(wake)
    exits: dict[int, str] = {}
    orders = os.fdopen(sys.stdin.fileno(), "rb", buffering=0, closefd=False)
    while True:
        ready, _, _ = select.select([orders, ended], [], [])
        if ended in ready:
            os.read(ended, 4096)
            _bury(exits)
        if orders in ready:
            line = orders.readline()
            if not line:
                return
            order = json.loads(line)
            pid = os.fork()
            if pid == 0:
                _become(order)
            exits[pid] = order["exit"]
            os.write(1, f"{pid}\n".encode())


def _bury(exits: dict[int, str]) -> None:
    """Write down the exit codes of all that have ended; whole, or not yet."""
    for pid in list(exits):
        ended, status = os.waitpid(pid, os.WNOHANG)
        if ended:
            file = Path(exits.pop(pid))
            file.with_suffix(".part").write_text(str(os.waitstatus_to_exitcode(status)))
            file.with_suffix(".part").replace(file)


def _import_everything() -> None:
    from importlib import import_module

    for module in ("wiring", "engines.smtp", "agents.plan", "agents.plan_express", "agents.expand", "agents.expansion",
                   "agents.materials", "dispatch.planning"):
        import_module(f"outreach_stream.{module}")
    for module in ("aiosqlite", "sqlalchemy.dialects.sqlite.aiosqlite"):
        import_module(module)
    gc.collect()
    gc.freeze()


def _become(order: dict) -> None:
    """In the fork: be the worker, with an environment, a log and signals of its own. Ends the process."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    log = os.open(order["log"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    for place, file in ((0, os.open(os.devnull, os.O_RDONLY)), (1, log), (2, log)):
        os.dup2(file, place)
    os.environ.clear()
    os.environ.update(order["environment"])
    from outreach_stream.cli.listening import metrics_place
    from outreach_stream.settings import load_settings
    from outreach_stream.wiring import run_role

    settings = load_settings()
    sys.exit(run_role(order["role"], settings, Path(order["state"]), metrics_place(settings)))


if __name__ == "__main__":
    serve()
