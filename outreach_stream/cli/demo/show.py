"""The demo's plot: start everything, trigger over HTTP, follow the run, judge."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path
from tempfile import TemporaryDirectory
from time import monotonic

import httpx
from rich.console import Console

from outreach_stream.cli.demo import encore
from outreach_stream.cli.demo.engines import DemoEngine
from outreach_stream.cli.demo.stage import Stage
from outreach_stream.cli.demo.verdict import Verdict, judge
from outreach_stream.cli.display import RunDisplay
from outreach_stream.cli.exits import CommandError, Exit
from outreach_stream.cli.kafka import kafka_for
from outreach_stream.cli.supervisor import Program, Supervisor
from outreach_stream.cli.watch import over
from outreach_stream.domain.events import RunStatus
from outreach_stream.gateway.health.pulse import Pulse
from outreach_stream.inbox.record import InboxRecord
from outreach_stream.runs.log_store import log_store
from outreach_stream.settings import Settings

WORKFLOW = 1
POLL = 0.2
"""Seconds between two looks at the run."""

READY_TIMEOUT = 180.0
"""Seconds in which all roles must have joined."""

STALL = 120.0
"""Seconds without any change after which a run is given up."""

PROBE = ".writable"
"""Written and deleted where logs shall lie, before anything is begun."""

GRACE = 10.0
"""Seconds a part has to end."""


class Demo:
    """One showing; `running` is the time in which its processes live."""

    def __init__(self, settings: Settings, console: Console, people: int, engine: DemoEngine, *,
                 stays: bool = False) -> None:
        self.console, self._settings, self._people, self._engine = console, settings, people, engine
        self._stays = stays
        self._stage: Stage | None = None
        self._supervisor: Supervisor | None = None

    @property
    def url(self) -> str:
        """Where the gateway listens."""
        return f"http://127.0.0.1:{self._set.gateway_port}"

    @property
    def _set(self) -> Stage:
        assert self._stage is not None, "only while it runs"
        return self._stage

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Everything runs while the block lasts; afterwards nothing of it does, and its folder is gone."""
        await asyncio.to_thread(_writable, self._settings.output)
        with TemporaryDirectory(prefix="outreach-demo-", ignore_cleanup_errors=True) as folder:
            settings = self._settings.model_copy(update={"state_dir": Path(folder)})
            self.console.print(f"Preparing {self._people:,} people, a catalog and Kafka …")
            self._stage = await asyncio.to_thread(
                Stage, Path(folder), settings, self._people, self._engine, stays=self._stays)
            with closing(self._stage):
                async with kafka_for(settings, create=True) as bootstrap:
                    await self._alone(bootstrap)
                    self._supervisor = Supervisor(self._stage.programs(bootstrap), grace=GRACE, on_death=self._on_death)
                    keeping = asyncio.create_task(self._supervisor.run())
                    try:
                        yield
                    finally:
                        self._supervisor.stop()
                        await asyncio.wait({keeping})

    def kill(self) -> None:
        """End what is still ending, at once."""
        if self._supervisor is not None:
            self._supervisor.stop()

    async def _alone(self, bootstrap: str) -> None:
        """On a Kafka that is not the demo's own, other workers would take its run, and it theirs."""
        pulse = Pulse(bootstrap)
        await pulse.look()
        await pulse.stop()
        if self._settings.kafka_bootstrap and any(pulse.roles.values()):
            raise CommandError(f"Workers of outreach-stream are running at {bootstrap}: the demo would mix with their "
                               "runs.\nUnset OUTREACH_KAFKA_BOOTSTRAP: then it starts a Kafka of its own.")

    async def play(self) -> Verdict:
        """Trigger the run, follow it and judge it, saying so on the console."""
        async with httpx.AsyncClient(base_url=self.url, timeout=10, trust_env=False) as client:
            self.console.print("Starting the roles, the gateway and an inbox …"
                               if self._engine is DemoEngine.SMTP else
                               f"Starting the roles, the gateway and an inbox that is {self._engine.label}'s API …")
            await self._ready(client)
            answer = await client.post("/api/v1/trigger", json={"workflow_id": WORKFLOW})
            began = monotonic()
            answer.raise_for_status()
            accepted = answer.json()
            self.console.print(f"POST {self.url}/api/v1/trigger, workflow {WORKFLOW} → run {accepted['run_id']}")
            status = await self._follow(client, accepted["status_url"])
        seconds = monotonic() - began
        verdict = await asyncio.to_thread(
            judge, status, seconds, InboxRecord(self._set.inbox_record), self._people)
        self.console.print("\n".join(verdict.lines()))
        return verdict

    async def go_on(self) -> None:
        """Schedules, and two more runs, one of them through an engine that will stop: something to look at."""
        encore.schedule(self._set.catalog)
        async with httpx.AsyncClient(base_url=self.url, timeout=10, trust_env=False) as client:
            for workflow in (encore.DIGEST, encore.LETTER):
                (await client.post("/api/v1/trigger", json={"workflow_id": workflow})).raise_for_status()

    async def _ready(self, client: httpx.AsyncClient) -> None:
        began = monotonic()
        while True:
            self._check(since=began, limit=READY_TIMEOUT, late="the roles have not joined")
            try:
                answer = await client.get("/health")
            except httpx.TransportError:
                await asyncio.sleep(POLL)
                continue
            if answer.is_success and all(answer.json()["roles"].values()):
                return
            await asyncio.sleep(POLL)

    async def _follow(self, client: httpx.AsyncClient, url: str) -> RunStatus:
        last, changed = b"", monotonic()
        with RunDisplay(self.console) as display:
            while True:
                self._check(since=changed, limit=STALL, late="the run does not get on")
                answer = await client.get(url)
                if answer.is_success:
                    status = RunStatus.model_validate_json(answer.content)
                    display.show(status)
                    if over(status):
                        return status
                    if answer.content != last:
                        last, changed = answer.content, monotonic()
                await asyncio.sleep(POLL)

    def _check(self, *, since: float, limit: float, late: str) -> None:
        """Give up on a program that keeps dying, and on waiting for ever."""
        if self._supervisor and (refused := self._supervisor.refused):
            raise CommandError(f"The demo is given up: {refused.name} cannot begin. {self._set.tail(refused.name)}")
        if name := self._set.hopeless:
            raise CommandError(f"The demo is given up: {name} keeps dying, see above.")
        if monotonic() - since > limit:
            tails = [self._set.tail(name) for name in self._supervisor.pids] if self._supervisor else []
            raise CommandError("\n".join([f"The demo is given up: {late} in {limit:.0f} s.", *tails]))

    def _on_death(self, program: Program, code: int, seconds: float) -> None:
        self.console.print(f"{program.name} died (exit code {code}), started again in {seconds:.1f} s. "
                           f"{self._set.died(program)}", markup=False)


def _writable(output: Path | str) -> None:
    """Raises `CommandError` if no log can be written there: the run would end, and its log be waited for in vain."""
    try:
        store = log_store(output)
        store.put(PROBE, b"")
        store.delete(PROBE)
    except OSError as error:
        raise CommandError(f"OUTREACH_OUTPUT: no log can be written to {output}: {error.strerror or error}.\n"
                           "Name another folder or bucket.", Exit.USAGE) from error
