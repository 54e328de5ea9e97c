"""`outreach catalog`: look at a catalog before it is used."""

import json
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from outreach_stream.catalog.folder import FolderCatalog, Reading
from outreach_stream.catalog.snapshot import Catalog, CatalogProblem
from outreach_stream.catalog.spec import WorkflowSpec, freeze
from outreach_stream.rendering.failures import TemplateErrors
from outreach_stream.rendering.templates import PROVIDED, CompiledTemplate, compile_spec
from outreach_stream.settings import load_settings

app = typer.Typer(name="catalog", help="Workflows, templates and engines.", no_args_is_help=True, add_completion=False)


@app.callback()
def catalog() -> None:
    """Workflows, templates and engines."""


@app.command()
def check(
    path: Annotated[Path | None, typer.Argument(help="Folder of the catalog; default: OUTREACH_CATALOG")] = None,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for other programs")] = False,
) -> None:
    """Read every file, compile every template, and say what is wrong: all of it at once. Exit code 1 if anything is."""
    reading = FolderCatalog(path or load_settings().catalog).read()
    compiled, uncompiled = compile_all(reading)
    if problems := sorted([*reading.problems, *uncompiled]):
        _report(problems, as_json=as_json)
        raise typer.Exit(1)
    if as_json:
        print(json.dumps({"problems": [], "workflows": [_summary(spec, made) for spec, made in compiled]}, indent=2))
    else:
        _show(reading.catalog, compiled)


def compile_all(reading: Reading) -> tuple[list[tuple[WorkflowSpec, CompiledTemplate]], set[CatalogProblem]]:
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
            with _noted(problems, reading.file_of["workflow", workflow.id], only=("list_unsubscribe",)):
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
    Console().print(table)
    Console().print(f"{len(compiled)} workflows, {len(catalog.templates)} templates, {len(catalog.engines)} engines: "
                    "all of it is right.")
