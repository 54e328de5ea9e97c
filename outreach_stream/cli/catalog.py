"""`outreach catalog`: look at a catalog before it is used."""

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from outreach_stream.catalog.models import URL_VARIABLE
from outreach_stream.catalog.snapshot import Catalog, CatalogProblem
from outreach_stream.catalog.source import Read, catalog_at
from outreach_stream.catalog.spec import WorkflowSpec, freeze
from outreach_stream.cli.catalog_serve import serve
from outreach_stream.cli.exits import CommandError, Exit
from outreach_stream.cli.progress import busy
from outreach_stream.engines.config import EngineConfig
from outreach_stream.recipients.unsubscribing import NOT_SET_UP
from outreach_stream.rendering.failures import TemplateErrors
from outreach_stream.rendering.templates import CompiledTemplate, compile_spec
from outreach_stream.settings import Settings, catalog_place, load_settings

app = typer.Typer(name="catalog", help="Workflows, templates and engines.", no_args_is_help=True, add_completion=False)

_PARTS = ("subject", "text", "html")


@app.callback()
def catalog() -> None:
    """Workflows, templates and engines."""


@app.command()
def check(
    path: Annotated[str | None, typer.Argument(
        help="Folder or https:// address of the catalog; default: OUTREACH_CATALOG")] = None,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for other programs")] = False,
) -> None:
    """Read every file, compile every template, and say what is wrong: all of it at once. Exit code 1 if anything is."""
    settings = _settings(path)
    with busy("Reading the catalog …") as say:
        reading = catalog_at(settings).read()
        say(f"Compiling {_counted(len(reading.catalog.templates), 'template')} …")
        compiled, uncompiled = compile_all(reading)
    if problems := sorted([*reading.problems, *uncompiled]):
        _report(problems, as_json=as_json)
        raise typer.Exit(1)
    if as_json:
        engines = [{"id": each.id, "kind": each.kind, "warnings": list(each.warnings)}
                   for each in _engines(reading.catalog)]
        print(json.dumps({"problems": [], "workflows": [_summary(spec, made) for spec, made in compiled],
                          "engines": engines}, indent=2))
    else:
        _show(reading.catalog, compiled)
        if not isinstance(settings.catalog, Path):
            print(f"Read from {settings.catalog} just now.")


app.command()(serve)


def _settings(place: str | None) -> Settings:
    """The settings, with the catalog that is named, if one is."""
    settings = load_settings()
    try:
        return settings if place is None else settings.model_copy(update={"catalog": catalog_place(place)})
    except ValueError as error:
        raise CommandError(f"{place}: {error}.", Exit.USAGE) from error


def compile_all(reading: Read) -> tuple[list[tuple[WorkflowSpec, CompiledTemplate]], set[CatalogProblem]]:
    """Every workflow with its compiled template, if all is right; and the problems of whatever is to be compiled.

    That is every template, used by a workflow or not, and the workflows' own, wherever they can be read.
    """
    catalog = reading.catalog
    problems: set[CatalogProblem] = set()
    for file, sources in _sources(reading):
        try:
            CompiledTemplate(file, {**sources, "subject": sources.get("subject") or ""})
        except TemplateErrors as errors:
            problems |= {CatalogProblem(file, part, message) for part, message in errors.problems}
    if problems or reading.problems:
        return [], problems
    lanes = load_settings().layout().lanes
    specs = [freeze(catalog, workflow, lanes) for workflow in sorted(catalog.workflows)]
    return [(spec, compile_spec(spec)) for spec in specs], problems


def _sources(reading: Read) -> Iterator[tuple[str, Mapping[str, str | None]]]:
    """What is to be compiled of each file, by the names of its parts."""
    for template in reading.catalog.templates.values():
        yield reading.file_of["template", template.id], {part: getattr(template, part) for part in _PARTS}
    for workflow in reading.catalog.workflows.values():
        yield reading.file_of["workflow", workflow.id], _own(workflow.list_unsubscribe, workflow.headers)
    for (kind, _), unread in reading.broken.items():
        if kind == "template":
            yield unread.file, {part: unread.text(part) for part in _PARTS}
        if kind == "workflow":
            yield unread.file, _own(unread.text("list_unsubscribe"), unread.texts("headers"))


def _own(list_unsubscribe: str | None, headers: Mapping[str, str]) -> dict[str, str | None]:
    """What is a workflow's own, beside its template."""
    return {"list_unsubscribe": list_unsubscribe, **{f"headers.{name}": source for name, source in headers.items()}}


def _summary(spec: WorkflowSpec, compiled: CompiledTemplate) -> dict[str, object]:
    return {
        "id": spec.workflow.id,
        "name": spec.workflow.name,
        "version": spec.workflow.version,
        "template": spec.template.id,
        "engines": list(spec.workflow.engines),
        "parameters": sorted(spec.workflow.parameters),
        "columns": sorted(compiled.variables - compiled.provided - set(spec.workflow.parameters)),
        "digest": spec.digest,
        "warnings": _warnings(spec, compiled),
    }


def _warnings(spec: WorkflowSpec, compiled: CompiledTemplate) -> list[str]:
    """What is right in itself, and should not be left so."""
    if spec.workflow.unsubscribe is None:
        return []
    found = [] if load_settings().unsubscribing else [f"its runs will be refused: {NOT_SET_UP}"]
    if URL_VARIABLE not in compiled.variables:
        found.append(f"template {spec.template.id} shows no {{{{ {URL_VARIABLE} }}}}: beside the header, Gmail and "
                     "Yahoo demand a link that readers see")
    return found


def _report(problems: list[CatalogProblem], *, as_json: bool) -> None:
    if as_json:
        listed = [{"file": problem.file, "field": problem.field, "message": problem.message} for problem in problems]
        print(json.dumps({"problems": listed}, indent=2))
        return
    table = Table("file", "field", "what to correct", title=f"{len(problems)} to correct", title_style="bold red")
    for problem in problems:
        table.add_row(*map(escape, (problem.file, problem.field, problem.message)))
    Console().print(table)


def _show(catalog: Catalog, compiled: list[tuple[WorkflowSpec, CompiledTemplate]]) -> None:
    table = Table("workflow", "name", "template", "engines", "parameters", "columns it needs")
    for spec, made in compiled:
        columns = made.variables - made.provided - set(spec.workflow.parameters)
        table.add_row(*map(escape, (
            spec.workflow.id, spec.workflow.name, spec.template.id, ", ".join(spec.workflow.engines),
            ", ".join(spec.workflow.parameters), ", ".join(sorted(columns)))))
    console = Console()
    console.print(table)
    for spec, made in compiled:
        for warning in _warnings(spec, made):
            console.print(f"Warning: workflow {spec.workflow.id}: {warning}", markup=False, highlight=False,
                          soft_wrap=True)
    for engine in _engines(catalog):
        for warning in engine.warnings:
            console.print(f"Warning: engine {engine.id}: {warning}", markup=False, highlight=False, soft_wrap=True)
    kinds = Counter(engine.kind for engine in _engines(catalog))
    counts = [_counted(len(found), noun) for found, noun in (
        (compiled, "workflow"), (catalog.templates, "template"), (catalog.engines, "engine"))]
    console.print(f"{', '.join(counts)} "
                  f"({', '.join(f'{count} {kind}' for kind, count in kinds.items())}): all of it is right.",
                  soft_wrap=True)


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def _engines(catalog: Catalog) -> list[EngineConfig]:
    return [catalog.engines[engine] for engine in sorted(catalog.engines)]
