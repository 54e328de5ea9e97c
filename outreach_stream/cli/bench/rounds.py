"""Rounds of a bench: new processes each time, on one broker, which is warmed up first."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from time import monotonic

from rich.console import Console

from outreach_stream.cli.bench.kafka import Kafka
from outreach_stream.cli.bench.plan import Plan
from outreach_stream.cli.bench.runs import Followed, Runs
from outreach_stream.cli.bench.sinks import Received, Sink, sink_for
from outreach_stream.cli.bench.stage import SETTLING, WARM_UP, Stage
from outreach_stream.cli.bench.troupe import Troupe
from outreach_stream.cli.exits import CommandError
from outreach_stream.cli.supervisor import Program
from outreach_stream.domain.events import RunStatus

BARE_MAILS = 20_000
"""The loops send so many of the run's mails at most: they are composed beforehand, and must lie in memory."""

BARE_CONNECTIONS = 100
"""Connections of the loops at most: more make none of them faster."""

BARE_TIMEOUT = 600.0
"""Seconds that the loops may take."""

ARRIVAL_TIMEOUT = 5.0
"""Seconds after a run's end in which the sink must have noted what it received."""


@dataclass(slots=True)
class Rounds:
    """What is common to all rounds of one bench."""

    plan: Plan
    stage: Stage
    kafka: Kafka
    runs: Runs
    console: Console
    _troupes: list[Troupe] = field(default_factory=list)

    def check(self) -> None:
        """Raises `CommandError` if a process has died that should run now."""
        for troupe in self._troupes:
            troupe.check()

    def kill(self) -> None:
        """End at once what is still ending."""
        for troupe in self._troupes:
            troupe.kill()

    @property
    def pids(self) -> dict[str, int]:
        """The processes that run now, by name, and the broker's."""
        return {name: pid for troupe in self._troupes for name, pid in troupe.pids.items()} | self.kafka.pids

    @asynccontextmanager
    async def sink(self, name: str) -> AsyncIterator[tuple[Sink, Sequence[Program]]]:
        """A sink that runs while the block lasts, and the workers that may begin now: all of one round."""
        folder = await asyncio.to_thread(self.stage.round, name)
        sink = sink_for(self.plan, self.stage.port, folder)
        async with self._running(Troupe([sink.program])):
            self.runs.look, self.runs.check = sink.look, self.check
            yield sink, self.stage.roles(self.kafka.bootstrap, folder)

    @asynccontextmanager
    async def working(self, programs: Sequence[Program]) -> AsyncIterator[None]:
        """All workers have joined, and run while the block lasts."""
        troupe = Troupe(programs)
        async with self._running(troupe):
            await troupe.ready(self.kafka.bootstrap, self.plan.senders)
            yield

    @asynccontextmanager
    async def _running(self, troupe: Troupe) -> AsyncIterator[None]:
        self._troupes.append(troupe)
        try:
            async with troupe.running():
                yield
        finally:
            self._troupes.remove(troupe)

    async def warm_up(self) -> None:
        """Mail so many people that the broker's JVM has compiled what it needs: until then a record costs it triple."""
        if not self.plan.warm_up:
            return
        self.console.print(f"Warming the broker up: {self.plan.warm_up:,} recipients …")
        async with self.sink("warm-up") as (sink, workers), self.working(workers):
            await self.mail(WARM_UP, sink)

    async def settle(self, sink: Sink) -> None:
        """Have new processes connect, compile and import, as all do once."""
        await self.mail(SETTLING, sink, show=False)

    async def mail(self, workflow: str, sink: Sink, *, show: bool = True) -> tuple[Followed, RunStatus]:
        """One run from its trigger to its written log; the sink is marked before."""
        sink.mark()
        followed = await self.runs.trigger(workflow)
        return followed, await self.runs.follow(followed, show=show)

    async def arrived(self, sink: Sink, sent: int) -> Received:
        """What the sink received, once it has noted as many mails as were sent, or has had the time to."""
        until = monotonic() + ARRIVAL_TIMEOUT
        while True:
            received = await asyncio.to_thread(sink.received)
            if received.mails >= sent or monotonic() > until:
                return received
            await asyncio.sleep(0.05)

    async def baselines(self) -> dict[str, float]:
        """The run's mails, sent to the sink by loops that do nothing else: see `bare`. The sink must be running."""
        count = min(self.plan.recipients, BARE_MAILS)
        self.console.print(f"The same messages by bare loops: {count:,} …")
        connections = min(self.plan.concurrency, BARE_CONNECTIONS, count)
        loops = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "outreach_stream.cli.bench.bare", str(self.stage.catalog), str(self.stage.port),
            str(count), str(connections), stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE, start_new_session=True)
        try:
            async with asyncio.timeout(BARE_TIMEOUT):
                out, said = await loops.communicate()
        finally:
            if loops.returncode is None:
                loops.kill()
                await loops.wait()
        if loops.returncode:
            raise CommandError(f"The bare loops failed:\n{said.decode(errors='replace')[-2_000:]}")
        figures: dict[str, float] = json.loads(out)
        return figures
