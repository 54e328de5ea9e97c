"""Keeps programs running: one process each, started again when it dies, none left behind however we end."""

import asyncio
import os
import sys
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic

import structlog

from outreach_stream.broker import leash

FIRST_WAIT = 0.5
"""Seconds before a program that died is started again; doubled with each death in a row."""

LONGEST_WAIT = 30.0

REFUSED = 2
"""Exit code of a program that cannot begin as it was called or set up: the next start would end the same way."""

HEALTHY = 60.0
"""Seconds of life after which earlier deaths are forgotten."""

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Program:
    """What one process runs."""

    name: str
    command: tuple[str, ...]
    env: Mapping[str, str] = field(default_factory=dict)
    """Set for it, beside what our own environment has."""
    output: Path | None = None
    """The file that its output is appended to; None: it goes where ours goes."""


def outreach(name: str, *arguments: str, env: Mapping[str, str] | None = None, output: Path | None = None) -> Program:
    """The program `outreach ARGUMENTS…`."""
    return Program(name, (sys.executable, "-m", "outreach_stream.cli", *arguments), env or {}, output)


class Supervisor:
    """Runs programs until told to stop.

    Each is on a leash: the kernel kills it when we die, even by kill -9. Each has a session of its own: a terminal's
    Ctrl-C reaches us alone, and we tell them in order. Use it from the main thread, which the leash is tied to.
    `on_death(program, code, seconds)` is told of each death that was not asked for, and when it is started again.
    """

    def __init__(self, programs: Iterable[Program], *, grace: float,
                 on_death: Callable[[Program, int, float], None] | None = None) -> None:
        self._programs, self._grace, self._on_death = tuple(programs), grace, on_death or _tell
        self._running: dict[str, asyncio.subprocess.Process] = {}
        self._stopping = asyncio.Event()
        self.refused: Program | None = None
        """The program that could not begin; None: all could."""

    @property
    def pids(self) -> dict[str, int]:
        """The process of each program that runs now."""
        return {name: process.pid for name, process in self._running.items() if process.returncode is None}

    async def run(self) -> None:
        """Keep all programs running until `stop` is called; returns when the last process is gone.

        A program that ends with REFUSED right at its first start, having said why, ends them all: see `refused`.
        """
        try:
            async with asyncio.TaskGroup() as group:
                for program in self._programs:
                    group.create_task(self._keep(program))
        finally:
            for process in self._running.values():
                _signal(process.kill)

    def stop(self) -> None:
        """Pass SIGTERM on; those that are not gone after the grace are killed. Called again: killed now."""
        again = self._stopping.is_set()
        self._stopping.set()
        for process in self._running.values():
            _signal(process.kill if again else process.terminate)

    async def _keep(self, program: Program) -> None:
        deaths = 0
        while not self._stopping.is_set():
            started = monotonic()
            code = await self._once(program)
            if self._stopping.is_set():
                return
            healthy = monotonic() - started > HEALTHY
            if code == REFUSED and not deaths and not healthy:
                self.refused = program
                self.stop()
                return
            deaths = 1 if healthy else deaths + 1
            wait = min(FIRST_WAIT * 2 ** (deaths - 1), LONGEST_WAIT)
            self._on_death(program, code, wait)
            await self._stopping_within(wait)

    async def _once(self, program: Program) -> int:
        """Start the program and wait for its end; returns its exit code, negative for a signal."""
        process = await _start(program)
        self._running[program.name] = process
        _log.info("process_started", program=program.name, pid=process.pid)
        if self._stopping.is_set():     # told to stop while it was being started
            _signal(process.terminate)
        ended = asyncio.create_task(process.wait())
        stopping = asyncio.create_task(self._stopping.wait())
        await asyncio.wait({ended, stopping}, return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        await asyncio.wait({ended}, timeout=self._grace)
        if not ended.done():
            _log.warning("process_killed", program=program.name, pid=process.pid, waited=self._grace)
            _signal(process.kill)
        return await ended

    async def _stopping_within(self, seconds: float) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._stopping.wait()


def _tell(program: Program, code: int, seconds: float) -> None:
    _log.error("process_died", program=program.name, code=code, restart_in=seconds)


async def _start(program: Program) -> asyncio.subprocess.Process:
    leashed = (sys.executable, "-I", "-S", leash.__file__, str(os.getpid()), *program.command)
    environment = {**os.environ, "PYTHONUNBUFFERED": "1", **program.env}
    if program.output is None:
        return await asyncio.create_subprocess_exec(
            *leashed, env=environment, stdin=asyncio.subprocess.DEVNULL, start_new_session=True)
    with program.output.open("ab") as output:
        return await asyncio.create_subprocess_exec(
            *leashed, env=environment, stdin=asyncio.subprocess.DEVNULL, stdout=output, stderr=output,
            start_new_session=True)


def _signal(send: Callable[[], None]) -> None:
    """Send it to a process that may be gone already."""
    with suppress(ProcessLookupError):
        send()
