"""`outreach catalog`: look at a catalog before it is used."""

import json
from collections import Counter
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from outreach_stream.catalog.snapshot import Catalog, CatalogProblem
from outreach_stream.catalog.source import Read, catalog_at
from outreach_stream.catalog.spec import WorkflowSpec, freeze
from outreach_stream.cli.catalog_serve import serve
from outreach_stream.cli.exits import CommandError, Exit
from outreach_stream.engines.config import EngineConfig
from outreach_stream.rendering.failures import TemplateErrors
from outreach_stream.rendering.templates import PROVIDED, CompiledTemplate, compile_spec
from outreach_stream.settings import Settings, catalog_place, load_settings

app = typer.Typer(name="catalog", help="Workflows, templates and engines.", no_args_is_help=True, add_completion=False)


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
    reading = catalog_at(settings).read()
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
    """Every workflow with its compiled template, and the problems of all templates, used by a workflow or not."""
    catalog = reading.catalog
    compiled: list[tuple[WorkflowSpec, CompiledTemplate]] = []
    problems: set[CatalogProblem] = set()
    for template in catalog.templates.values():
        with _noted(problems, reading.file_of["template", template.id]):
            CompiledTemplate(template.id, {part: getattr(template, part) for part in ("subject", "text", "html")})
    for workflow in sorted(catalog.workflows.values(), key=lambda each: each.id):
        if workflow.template in catalog.templates:
            spec = freeze(catalog, workflow.id, load_settings().layout().lanes)
            own = ("list_unsubscribe", *(f"headers.{name}" for name in workflow.headers))
            with _noted(problems, reading.file_of["workflow", workflow.id], only=own):
                compiled.append((spec, compile_spec(spec)))
    return compiled, problems


@contextmanager
def _noted(problems: set[CatalogProblem], file: str, only: Collection[str] = ()) -> Iterator[None]:
    """What keeps a template from being compiled becomes problems of `file`; with `only`, those of these parts."""
    try:
        yield
    except TemplateErrors as errors:
        problems |= {CatalogProblem(file, part, message)
                     for part, message in errors.problems if not only or part in only}


def _summary(spec: WorkflowSpec, compiled: CompiledTemplate) -> dict[str, object]:
    return {
        "id": spec.workflow.id,
        "name": spec.workflow.name,
        "version": spec.workflow.version,
        "template": spec.template.id,
        "engines": list(spec.workflow.engines),
        "parameters": sorted(spec.workflow.parameters),
        "columns": sorted(compiled.variables - PROVIDED - set(spec.workflow.parameters)),
        "digest": spec.digest,
    }


def _report(problems: list[CatalogProblem], *, as_json: bool) -> None:
    if as_json:
        listed = [{"file": problem.file, "field": problem.field, "message": problem.message} for problem in problems]
        print(json.dumps({"problems": listed}, indent=2))
        return
    table = Table("file", "field", "what to correct", title=f"{len(problems)} to correct", title_style="bold red")
    for problem in problems:
        table.add_row(problem.file, problem.field, problem.message)
    Console().print(table)


def _show(catalog: Catalog, compiled: list[tuple[WorkflowSpec, CompiledTemplate]]) -> None:
    table = Table("workflow", "name", "template", "engines", "parameters", "columns it needs")
    for spec, made in compiled:
        columns = made.variables - PROVIDED - set(spec.workflow.parameters)
        table.add_row(spec.workflow.id, spec.workflow.name, spec.template.id, ", ".join(spec.workflow.engines),
                      ", ".join(spec.workflow.parameters), ", ".join(sorted(columns)))
    console = Console()
    console.print(table)
    for engine in _engines(catalog):
        for warning in engine.warnings:
            console.print(f"Warning: engine {engine.id}: {warning}", markup=False, highlight=False, soft_wrap=True)
    kinds = Counter(engine.kind for engine in _engines(catalog))
    console.print(f"{len(compiled)} workflows, {len(catalog.templates)} templates, {len(catalog.engines)} engines "
                  f"({', '.join(f'{count} {kind}' for kind, count in kinds.items())}): all of it is right.",
                  soft_wrap=True)


def _engines(catalog: Catalog) -> list[EngineConfig]:
    return [catalog.engines[engine] for engine in sorted(catalog.engines)]
