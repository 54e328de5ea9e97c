"""The processes of one round: started together, all needed, all ended."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from time import monotonic

from outreach_stream.cli.exits import CommandError
from outreach_stream.cli.supervisor import Program, Supervisor
from outreach_stream.gateway.health.pulse import Pulse

READY_TIMEOUT = 180.0
"""Seconds in which all workers must have joined."""

GRACE = 15.0
"""Seconds a process has to end."""

POLL = 0.1

TAIL = 15
"""Lines of a program's log that are shown when it dies."""


class Troupe:
    """Processes that must all live until the end: one death makes every figure of the round worthless."""

    def __init__(self, programs: Sequence[Program]) -> None:
        self._programs = programs
        self._dead: tuple[Program, int] | None = None
        self._supervisor = Supervisor(programs, grace=GRACE, on_death=self._died)

    @property
    def pids(self) -> dict[str, int]:
        """Each process, by its program's name."""
        return self._supervisor.pids

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """They run while the block lasts."""
        keeping = asyncio.create_task(self._supervisor.run())
        try:
            yield
        finally:
            self._supervisor.stop()
            await asyncio.wait({keeping})

    def kill(self) -> None:
        """End at once what is still ending."""
        self._supervisor.stop()

    def check(self) -> None:
        """Raises `CommandError` if one has died, with the end of its log."""
        refused = self._supervisor.refused
        program, code = (refused, 2) if refused else self._dead or (None, 0)
        if program:
            raise CommandError(f"The bench is given up: {program.name} has ended (exit code {code}).\n{_tail(program)}")

    async def ready(self, bootstrap: str, senders: int) -> None:
        """Returns when every worker is a member of its group. Raises `CommandError`."""
        pulse, began = Pulse(bootstrap), monotonic()
        wanted = {"aggregator": 1, "dispatcher": 1, "sender": senders}
        try:
            while await pulse.look() is False or pulse.roles != wanted:
                self.check()
                if monotonic() - began > READY_TIMEOUT:
                    tails = "\n".join(map(_tail, self._programs))
                    raise CommandError(f"The bench is given up: the workers have not joined in {READY_TIMEOUT:.0f} s; "
                                       f"there are {pulse.roles}.\n{tails}")
                await asyncio.sleep(POLL)
        finally:
            await pulse.stop()

    def _died(self, program: Program, code: int, _seconds: float) -> None:
        self._dead = self._dead or (program, code)


def _tail(program: Program) -> str:
    """The end of a program's log."""
    log = program.output
    lines = log.read_text(errors="replace").splitlines() if log and log.exists() else []
    return "\n".join([f"The end of the log of {program.name}:", *(f"  {line[-500:]}" for line in lines[-TAIL:])])
