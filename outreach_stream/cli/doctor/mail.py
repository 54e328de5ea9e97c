"""What mails are made of and sent through: the catalog, the databases of its queries, and its engines."""

import asyncio
from collections.abc import Mapping
from typing import Any

from outreach_stream.catalog.models import RecipientQuery, Workflow
from outreach_stream.catalog.snapshot import Catalog
from outreach_stream.catalog.spec import freeze
from outreach_stream.cli.catalog import compile_all
from outreach_stream.cli.doctor.finding import Found, NotThere, Scene, counted, ok, problem, warning
from outreach_stream.cli.engine_check import findings, senders_of
from outreach_stream.confidential import hide
from outreach_stream.engines.config import EngineConfig
from outreach_stream.recipients.failures import RecipientsFailed
from outreach_stream.recipients.probe import probe
from outreach_stream.recipients.unsubscribing import NOT_SET_UP
from outreach_stream.rendering.failures import TemplateErrors
from outreach_stream.rendering.templates import CompiledTemplate, compile_spec

DATABASE_SECONDS = 5.0
"""Seconds that one query may take to give its first rows."""

ENGINE_SECONDS = 30.0
"""Seconds that one engine's preflight may take."""

AT_ONCE = 4
"""Queries, and engines, that are tried at a time."""


async def catalog(scene: Scene) -> list[Found]:
    """Everything that is wrong with it."""
    reading = await scene.reading()
    compiled, uncompiled = await asyncio.to_thread(compile_all, reading)
    if wrong := sorted({*reading.problems, *uncompiled}):
        return [problem(str(each), "outreach catalog check" if each is wrong[-1] else None) for each in wrong]
    it = reading.catalog
    if lists := [each for _, each in sorted(it.workflows.items()) if each.unsubscribe is not None
                 ] if not scene.settings.unsubscribing else []:
        return [problem(f"workflow {', '.join(each.id for each in lists)}: {NOT_SET_UP}")]
    counts = [counted(len(found), noun) for found, noun in (
        (compiled, "workflow"), (it.templates, "template"), (it.engines, "engine"), (it.schedules, "schedule"))]
    return [ok(f"{', '.join(counts)}: all of it is right")]


async def databases(scene: Scene) -> list[Found]:
    """Whether each workflow's query can be run, only reads, and brings what the mails need."""
    it, places = (await scene.reading()).catalog, asyncio.Semaphore(AT_ONCE)
    queries = [(each, each.recipients) for _, each in sorted(it.workflows.items()) if each.recipients]

    async def one(workflow: Workflow, query: RecipientQuery) -> list[Found]:
        async with places:
            return await database(it, workflow, query)

    told = await asyncio.gather(*(one(*each) for each in queries))
    return [found for each in told for found in each] or [ok("no workflow has a query")]


async def database(it: Catalog, workflow: Workflow, query: RecipientQuery) -> list[Found]:
    """What is to be said of one workflow's query."""
    name, parameters = f"workflow {workflow.id}", known_parameters(it, workflow)
    try:
        probed = await probe(query, parameters, DATABASE_SECONDS)
    except RecipientsFailed as error:
        return [problem(f"{name}: {error}", f"outreach recipients {workflow.id}")]
    found = [] if probed.read_only else [
        problem(f"{name}: the database does not say that the connection only reads", "Give it a user that only reads")]
    if probed.columns is None:
        return [*found, ok(f"{name}: connected, read-only; its query needs parameters, so it was not run")]
    missing = await asyncio.to_thread(_missing, it, workflow, probed.columns)
    return [*found, *(problem(f"{name}: {each}", "Correct the query or the template") for each in missing)
            ] or [ok(f"{name}: connected, read-only, rows come with all that its template needs")]


def known_parameters(it: Catalog, workflow: Workflow) -> Mapping[str, Any] | None:
    """What the query may be tried with: defaults, and what a schedule gives. None: a required one is known nowhere."""
    given: dict[str, Any] = {name: each.default for name, each in workflow.parameters.items() if not each.required}
    for schedule in it.schedules.values():
        if schedule.workflow == workflow.id:
            given |= schedule.parameters
    return given if workflow.parameters.keys() <= given.keys() else None


def _missing(it: Catalog, workflow: Workflow, columns: tuple[str, ...]) -> list[str]:
    try:
        compiled: CompiledTemplate = compile_spec(freeze(it, workflow.id, 1))
    except (TemplateErrors, KeyError):      # the catalog's check says it
        return []
    return compiled.check(columns, list(workflow.parameters))


async def engines(scene: Scene) -> list[Found]:
    """The preflight of each engine, as `outreach engine check` does it, without a mail."""
    it, places = (await scene.reading()).catalog, asyncio.Semaphore(AT_ONCE)
    if not it.engines:
        raise NotThere("not looked at: the catalog has no engine that can be read")

    async def one(config: EngineConfig) -> list[Found]:
        async with places:
            return await engine(it, config)

    told = await asyncio.gather(*(one(it.engines[name]) for name in sorted(it.engines)))
    return [found for each in told for found in each]


async def engine(it: Catalog, config: EngineConfig) -> list[Found]:
    """What is to be said of one engine. Raises nothing."""
    found: list[Found] = []
    steps: list[str] = []
    try:
        async with asyncio.timeout(ENGINE_SECONDS):
            async for each in findings(config, senders_of(it, config.id), None):
                told = f"{config.id}: {each.step}: {hide(each.text)}"
                if each.good is False:
                    found.append(problem(told, f"outreach engine check {config.id}"))
                elif each.step == "settings" and each.good is None:
                    found.append(warning(told))
                steps += [each.step] if each.good else []
    except TimeoutError:
        found.append(problem(f"{config.id}: its preflight takes more than {ENGINE_SECONDS:g} s",
                             f"outreach engine check {config.id}"))
    return found or [ok(f"{config.id} ({config.kind}): {', '.join(dict.fromkeys(steps)) or 'nothing to check'}")]
