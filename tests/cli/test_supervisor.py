"""The supervisor with real processes: it restarts what dies, and leaves nothing behind."""

import asyncio
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil

from outreach_stream.cli.supervisor import Program, Supervisor

SLEEPER = (sys.executable, "-c", "import time; time.sleep(60)")
DEAF = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); time.sleep(60)"


async def until(true: Callable[[], object], seconds: float = 20) -> None:
    async with asyncio.timeout(seconds):
        while not true():
            await asyncio.sleep(0.02)


def gone(pid: int) -> bool:
    return not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE


async def test_a_killed_program_is_started_again_and_its_death_told() -> None:
    """A program that was killed runs again in another process, and the death is reported with its signal."""
    deaths: list[tuple[str, int]] = []
    supervisor = Supervisor([Program("one", SLEEPER), Program("two", SLEEPER)], grace=5,
                            on_death=lambda program, code, _: deaths.append((program.name, code)))
    running = asyncio.create_task(supervisor.run())
    await until(lambda: len(supervisor.pids) == 2)
    before = supervisor.pids

    psutil.Process(before["one"]).kill()
    await until(lambda: supervisor.pids.get("one") not in {None, before["one"]})

    assert deaths == [("one", -9)]
    assert supervisor.pids["two"] == before["two"]
    supervisor.stop()
    await running


async def test_stop_ends_all_programs() -> None:
    """After `stop`, `run` returns, and no program is left."""
    supervisor = Supervisor([Program("one", SLEEPER), Program("two", SLEEPER)], grace=5)
    running = asyncio.create_task(supervisor.run())
    await until(lambda: len(supervisor.pids) == 2)
    pids = supervisor.pids.values()

    supervisor.stop()
    await asyncio.wait_for(running, 10)

    assert all(map(gone, pids))


async def test_a_program_deaf_to_sigterm_is_killed_after_its_grace(tmp_path: Path) -> None:
    """What ignores SIGTERM is gone when its grace is over."""
    output = tmp_path / "deaf.log"
    supervisor = Supervisor([Program("deaf", (sys.executable, "-c", DEAF), output=output)], grace=0.5)
    running = asyncio.create_task(supervisor.run())
    await until(lambda: output.exists() and "deaf" in output.read_text())
    pid = supervisor.pids["deaf"]

    supervisor.stop()
    await asyncio.wait_for(running, 10)

    assert gone(pid)


async def test_a_program_that_dies_at_once_is_started_ever_more_slowly(tmp_path: Path) -> None:
    """A program that cannot start does not spin: in two seconds it is tried a few times, not hundreds."""
    deaths: list[int] = []
    supervisor = Supervisor([Program("broken", (sys.executable, "-c", "raise SystemExit(3)"))], grace=1,
                            on_death=lambda _, code, wait: deaths.append(code))
    running = asyncio.create_task(supervisor.run())

    await asyncio.sleep(2)
    supervisor.stop()
    await running

    assert deaths
    assert len(deaths) <= 3
    assert set(deaths) == {3}


async def test_a_program_that_refuses_at_its_first_start_ends_all() -> None:
    """Exit code 2 says that it is called or set up wrongly: starting it again and again would hide that."""
    supervisor = Supervisor([Program("good", SLEEPER), Program("wrong", (sys.executable, "-c", "raise SystemExit(2)"))],
                            grace=5)

    await asyncio.wait_for(supervisor.run(), 20)

    assert supervisor.refused is not None
    assert supervisor.refused.name == "wrong"
    assert supervisor.pids == {}


def test_nothing_outlives_a_supervisor_killed_with_9() -> None:
    """kill -9 of the supervisor's process takes its programs with it: the kernel does what it no longer can."""
    script = (
        "import asyncio, sys\n"
        "from outreach_stream.cli.supervisor import Program, Supervisor\n"
        "sleeper = (sys.executable, '-c', 'import time; time.sleep(60)')\n"
        "s = Supervisor([Program('a', sleeper), Program('b', sleeper)], grace=5)\n"
        "async def main():\n"
        "    task = asyncio.create_task(s.run())\n"
        "    while len(s.pids) < 2: await asyncio.sleep(0.02)\n"
        "    await asyncio.sleep(0.5)\n"
        "    print('ready', flush=True)\n"
        "    await task\n"
        "asyncio.run(main())\n")
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as parent:
        assert parent.stdout is not None
        assert b"ready\n" in iter(parent.stdout.readline, b"")
        children = psutil.Process(parent.pid).children(recursive=True)
        assert len(children) == 2

        parent.kill()

    deadline = time.monotonic() + 5
    while not all(gone(child.pid) for child in children):
        assert time.monotonic() < deadline, "a program outlived its supervisor"
        time.sleep(0.05)
