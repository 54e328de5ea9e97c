"""Looking before anybody is mailed: whom a query finds, and what their mail is like.

Every look at a database is short (see `looks`), and only `AT_ONCE` of them run at a time: an API must be no way to
flood the customers' database. Every refusal is an HTTPException, and none holds a secret.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from fastapi import HTTPException
from fastapi.concurrency import run_in_threadpool

from outreach_stream.catalog.snapshot import Catalog, UnknownWorkflow
from outreach_stream.catalog.spec import WorkflowSpec, WrongParameters, freeze
from outreach_stream.domain.events import RunRequested
from outreach_stream.domain.identity import canonical_workflow_id
from outreach_stream.domain.ports import Unrenderable
from outreach_stream.domain.triggers import InlineRecipient, WorkflowTriggered
from outreach_stream.gateway.catalog.looks import Left, first_seen, look_at
from outreach_stream.gateway.catalog.workflows import (
    DryRun,
    PreviewRequest,
    SeenRecipient,
    ShownMail,
    TrialRequest,
)
from outreach_stream.runs.admission import Arrival, admit
from outreach_stream.settings import Settings
from outreach_stream.topics import LONGEST_RUN

if TYPE_CHECKING:
    from outreach_stream.rendering.preview import Proof

RENDER_SECONDS = 2.0
"""Seconds after which a dry run renders no further mail."""

AT_ONCE = 4
"""Looks at a time."""

PATIENCE = 2.0
"""Seconds that one more waits for its turn."""


class Previews:
    """Looks on behalf of the API; `left` says whether somebody has unsubscribed, as far as is known here."""

    def __init__(self, settings: Settings, left: Left) -> None:
        self._settings, self._lanes, self._left = settings, settings.layout().lanes, left
        self._places = asyncio.Semaphore(AT_ONCE)

    async def preview(self, catalog: Catalog, workflow: str, asked: PreviewRequest) -> ShownMail:
        """The mail that the chosen recipient would get, or the first whom the query finds."""
        spec, parameters = self._frozen(catalog, workflow, asked.parameters)
        async with self._place():
            return await self._shown(spec, parameters, await _whose(spec, parameters, asked))

    async def trial(self, catalog: Catalog, workflow: str, asked: TrialRequest, source: str) -> WorkflowTriggered:
        """The trigger that mails it to `asked.to`: an express run of its own, of no slot. It can be rendered."""
        spec, parameters = self._frozen(catalog, workflow, asked.parameters)
        async with self._place():
            chosen = (await _whose(spec, parameters, asked)).model_copy(update={"email": asked.to})
            await self._shown(spec, parameters, chosen)
        recipient = InlineRecipient(email=asked.to, name=chosen.name or None, **chosen.variables)
        return WorkflowTriggered(workflow_id=workflow, source=source, parameters=asked.parameters,
                                 recipients=[recipient], priority="express")

    async def dry_run(self, catalog: Catalog, trigger: WorkflowTriggered, run: str) -> DryRun:
        """What the trigger would do now; `run` is the id of the run that it asks for."""
        request, spec = self._admitted(catalog, trigger)
        async with self._place():
            seen = await look_at(spec.workflow, request, self._left)
            mail, problems = await run_in_threadpool(self._first_mail, spec, request.parameters, seen.recipients)
        return DryRun(
            workflow_id=spec.workflow.id, run_id=run if trigger.slot or trigger.idempotency_key else None,
            recipients=seen.recipients, counts=seen.counts, complete=seen.complete, mail=mail, problems=problems)

    def _frozen(self, catalog: Catalog, workflow: str, given: Mapping[str, Any]) -> tuple[WorkflowSpec, dict[str, Any]]:
        try:
            spec = freeze(catalog, workflow, self._lanes)
            return spec, spec.bind(given)
        except UnknownWorkflow as error:
            raise HTTPException(404, str(error)) from error
        except WrongParameters as error:
            raise HTTPException(422, str(error)) from error

    def _admitted(self, catalog: Catalog, trigger: WorkflowTriggered) -> tuple[RunRequested, WorkflowSpec]:
        """The run as it would be admitted, by the same decision."""
        if canonical_workflow_id(trigger.workflow_id) not in catalog.workflows:
            self._frozen(catalog, canonical_workflow_id(trigger.workflow_id), {})
        now = time.time()
        found = admit(trigger, catalog, Arrival(
            "", now, now, self._lanes, LONGEST_RUN, unsubscribing=self._settings.unsubscribing))
        if not isinstance(found.event, RunRequested) or found.spec is None:
            raise HTTPException(422, getattr(found.event, "reason", "it is no trigger of a run"))
        return found.event, found.spec

    @asynccontextmanager
    async def _place(self) -> AsyncIterator[None]:
        try:
            async with asyncio.timeout(PATIENCE):
                await self._places.acquire()
        except TimeoutError as error:
            raise HTTPException(429, f"{AT_ONCE} looks at databases are under way; ask again in a moment.",
                                headers={"Retry-After": str(int(PATIENCE))}) from error
        try:
            yield
        finally:
            self._places.release()

    async def _shown(self, spec: WorkflowSpec, parameters: Mapping[str, Any], recipient: SeenRecipient) -> ShownMail:
        try:
            return await run_in_threadpool(lambda: _mail(self._proof(spec, parameters), recipient))
        except Unrenderable as error:
            raise HTTPException(422, f"The mail cannot be made: {error}.") from error

    def _first_mail(self, spec: WorkflowSpec, parameters: Mapping[str, Any], recipients: Sequence[SeenRecipient],
                    ) -> tuple[ShownMail | None, list[str]]:
        """The first mail that can be made, and why others cannot; no reason twice.

        Costly templates are not rendered for all of them: this is a thread of a gateway that serves others, too.
        """
        first, until = None, time.monotonic() + RENDER_SECONDS
        problems: dict[str, None] = {}
        try:
            proof = self._proof(spec, parameters)
        except Unrenderable as error:
            return None, [str(error)]
        for each in recipients:
            if time.monotonic() > until:
                break
            try:
                shown = None if each.skipped else _mail(proof, each)
            except Unrenderable as error:
                problems[str(error)] = None
            else:
                first = first or shown
        return first, list(problems)

    def _proof(self, spec: WorkflowSpec, parameters: Mapping[str, Any]) -> "Proof":
        from outreach_stream.rendering.preview import Proof, sample_links  # noqa: PLC0415 - it takes as long as drivers do

        return Proof(spec, parameters, sample_links(self._settings.public_url))


async def _whose(spec: WorkflowSpec, parameters: Mapping[str, Any], asked: PreviewRequest) -> SeenRecipient:
    if asked.recipient is not None:
        return SeenRecipient(**asked.recipient.model_dump())
    return await first_seen(spec.workflow, parameters)


def _mail(proof: "Proof", recipient: SeenRecipient) -> ShownMail:
    from outreach_stream.rendering.preview import Reader, headers_of  # noqa: PLC0415

    mail = proof.mail(Reader(recipient.email, recipient.name or "", recipient.variables))
    return ShownMail.of(mail, headers_of(mail), recipient)
