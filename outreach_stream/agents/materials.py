"""What a plan is made of, gathered from the frozen spec and the recipients' database."""

import asyncio
from collections import OrderedDict
from collections.abc import AsyncIterator, Container, Sequence
from contextlib import asynccontextmanager
from itertools import batched
from pathlib import Path
from typing import Protocol
from zoneinfo import ZoneInfo

from pydantic import ValidationError

from outreach_stream.agents.replayed import PAGE, decided, replayed
from outreach_stream.catalog.spec import WorkflowSpec
from outreach_stream.dispatch.ports import CannotPlan, ChunkReader, Decided, LeftOut, People, Person
from outreach_stream.dispatch.recent import Recent
from outreach_stream.domain.events import RunRequested
from outreach_stream.domain.triggers import InlineRecipient
from outreach_stream.recipients.addresses import AddressSet
from outreach_stream.recipients.failures import RecipientsFailed
from outreach_stream.recipients.intake import Columns, Intake
from outreach_stream.recipients.query import Rows, stream
from outreach_stream.recipients.suppression import read_suppression_file, suppressed_for
from outreach_stream.recipients.unsubscribed import Unsubscribed
from outreach_stream.recipients.unsubscribing import Links
from outreach_stream.rendering.composer import SpecComposer
from outreach_stream.rendering.failures import TemplateErrors
from outreach_stream.scheduling.local import COLUMN, LocalTimes, counted_from, zone_named

SPEC_WAIT = 10.0
"""Seconds until a spec that was written before its run must have come into view."""
COMPILED = 64
"""Specs kept compiled."""
SUPPRESSION_FILES = 4
"""Suppression lists kept in memory, at 20 bytes an address."""


class Specs(Protocol):
    """The frozen workflows by digest: a `streaming.View` of `workflow.spec`."""

    async def wait_for(self, key: bytes, timeout: float) -> bytes:  # noqa: ASYNC109
        """The encoded spec as soon as it is there; raises `TimeoutError`."""


class CompiledSpec:
    """A spec and its compiled parts; raises `TemplateErrors`."""

    def __init__(self, spec: WorkflowSpec, links: Links | None) -> None:
        self.workflow, self.policy = spec.workflow, spec.policy
        self.composer = SpecComposer(spec, links)


class SpecMaterials:
    """Materials of runs; the specs used last stay compiled."""

    def __init__(self, specs: Specs, chunks: ChunkReader, links: Links | None = None,
                 unsubscribed: Unsubscribed | None = None) -> None:
        """`chunks`: where the recipients of earlier runs lie; `unsubscribed`: who has left which list."""
        self._specs, self._chunks, self._links = specs, chunks, links
        self._unsubscribed = unsubscribed or Unsubscribed()
        self._compiled: OrderedDict[str, CompiledSpec] = OrderedDict()
        self._suppression = SuppressionFiles()
        self._missed = Recent()

    async def gather(self, run: RunRequested, patience: float = SPEC_WAIT) -> "RunMaterial":
        """The run's material; waits `patience` seconds for its spec, the first time. Raises `CannotPlan`."""
        compiled = self._compiled.get(run.spec)
        if compiled is None:
            compiled = self._compiled[run.spec] = await self._compile(run.spec, patience)
        self._compiled.move_to_end(run.spec)
        if len(self._compiled) > COMPILED:
            self._compiled.popitem(last=False)
        left = self._unsubscribed.of(compiled.workflow.unsubscribe)
        return RunMaterial(run, compiled, self._suppression, self._chunks, left)

    async def _compile(self, digest: str, patience: float) -> CompiledSpec:
        try:
            found = await self._specs.wait_for(digest.encode(), 0.0 if digest in self._missed else patience)
            return CompiledSpec(WorkflowSpec.read(found), self._links)
        except TimeoutError as error:
            self._missed.add(digest)
            raise CannotPlan(f"its spec {digest} is not to be found in workflow.spec", retriable=True) from error
        except ValidationError as error:
            raise CannotPlan(f"its spec {digest} cannot be read: {error}") from error
        except TemplateErrors as error:
            raise CannotPlan(str(error)) from error


class SuppressionFiles:
    """The suppression lists read last: an express run must not read a million addresses anew for one of its own."""

    def __init__(self) -> None:
        self._sets: OrderedDict[tuple[str, int, int], AddressSet] = OrderedDict()

    async def read(self, file: str) -> AddressSet:
        """The addresses in the file as it is now; raises `RecipientsFailed`."""
        try:
            state = await asyncio.to_thread(Path(file).stat)
        except OSError:
            return await asyncio.to_thread(read_suppression_file, file)  # It says what is wrong.
        key = (file, state.st_mtime_ns, state.st_size)
        if key not in self._sets:
            self._sets[key] = await asyncio.to_thread(read_suppression_file, file)
            if len(self._sets) > SUPPRESSION_FILES:
                self._sets.popitem(last=False)
        return self._sets[key]


class RunMaterial:
    """One run's: its compiled spec, and whom it is for."""

    def __init__(
        self, run: RunRequested, spec: CompiledSpec, suppression: SuppressionFiles, chunks: ChunkReader,
        left: Container[str],
    ) -> None:
        self._run, self._spec, self._suppression, self._chunks, self._left = run, spec, suppression, chunks, left
        self.composer, self.policy = spec.composer, spec.policy

    def missing(self, columns: Sequence[str]) -> list[str]:
        """A sentence for each variable that nobody brings."""
        return self.composer.template.check(columns, list(self._run.parameters))

    def local_times(self) -> LocalTimes | None:
        """By the workflow's `local_time`; a replay is what somebody wants now, and waits for no clock."""
        run, workflow = self._run, self._spec.workflow
        if workflow.local_time is None or run.replay is not None:
            return None
        zone = zone_named(run.parameters.get(COLUMN)) or ZoneInfo(workflow.default_timezone)
        return LocalTimes(workflow.local_time, zone, counted_from(run.triggered_at, run.slot, run.deadline))

    @asynccontextmanager
    async def people(self) -> AsyncIterator[People]:
        """The inline recipients if there are any, else those of an earlier run, else those of the workflow's query."""
        try:
            intake = await self._intake()
            if self._run.recipients is not None:
                yield self._inline(intake, self._run.recipients)
            elif self._run.replay is not None:
                yield await replayed(self._run, self._run.replay, intake, self._chunks)
            elif (query := self._spec.workflow.recipients) is not None:
                async with stream(query, self._run.parameters) as rows:
                    yield _queried(intake, rows)
            else:
                raise CannotPlan("the workflow has no query, and the trigger brought no recipients")
        except RecipientsFailed as error:
            raise CannotPlan(str(error), retriable=error.retriable) from error

    async def decide(self, recipients: Sequence[InlineRecipient]) -> list[Person | LeftOut]:
        """Who of them gets the mail, place by place."""
        try:
            intake = await self._intake()
        except RecipientsFailed as error:
            raise CannotPlan(str(error), retriable=error.retriable) from error
        return [intake.decide(given.email, given.name, dict(given.variables)) for given in recipients]

    async def _intake(self) -> Intake:
        rule = self._spec.workflow.suppression
        if rule is not None and rule.file is not None:
            return Intake(await self._suppression.read(rule.file), self._left)
        return Intake(await suppressed_for(self._spec.workflow, self._run.parameters), self._left)

    def _inline(self, intake: Intake, recipients: Sequence[InlineRecipient]) -> People:
        columns = sorted({name for recipient in recipients for name in recipient.variables})

        doubted = frozenset(self._run.doubted)

        def row(place: int, given: InlineRecipient) -> Decided:
            # A chunk has columns: who does not bring one has the run's parameter there, or nothing.
            variables = {name: given.variables.get(name, self._run.parameters.get(name)) for name in columns}
            return decided(intake, given.email, given.name, variables, doubted=place in doubted)

        async def pages() -> AsyncIterator[Sequence[Decided]]:
            for page in batched(enumerate(recipients), PAGE, strict=False):
                yield [row(place, given) for place, given in page]

        return People(columns, pages())


def _queried(intake: Intake, rows: Rows) -> People:
    columns = Columns(rows.columns)

    async def pages() -> AsyncIterator[Sequence[Decided]]:
        async for fetched in rows:
            for page in batched(fetched, PAGE, strict=False):
                yield [columns.decide(intake, row) for row in page]
                await asyncio.sleep(0)

    return People(columns.variables, pages())
