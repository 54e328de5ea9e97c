"""`outreach catalog`: look at a catalog before it is used."""

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from outreach_stream.catalog.folder import FolderCatalog
from outreach_stream.catalog.snapshot import Catalog, CatalogErrors, CatalogProblem
from outreach_stream.catalog.spec import WorkflowSpec, freeze
from outreach_stream.rendering.failures import TemplateErrors
from outreach_stream.rendering.templates import PROVIDED, CompiledTemplate, compile_spec
from outreach_stream.settings import load_settings

app = typer.Typer(name="catalog", help="Workflows, templates and engines.", no_args_is_help=True)


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
    try:
        catalog = FolderCatalog(path or load_settings().catalog).load()
        compiled = compile_all(catalog)
    except CatalogErrors as errors:
        _report(errors.problems, as_json=as_json)
        raise typer.Exit(1) from None
    if as_json:
        print(json.dumps({"problems": [], "workflows": [_summary(spec, made) for spec, made in compiled]}, indent=2))
    else:
        _show(catalog, compiled)


def compile_all(catalog: Catalog) -> list[tuple[WorkflowSpec, CompiledTemplate]]:
    """Every workflow with its compiled template; raises `CatalogErrors` with the problems of all templates."""
    compiled: list[tuple[WorkflowSpec, CompiledTemplate]] = []
    problems: set[CatalogProblem] = set()
    for workflow_id in sorted(catalog.workflows):
        spec = freeze(catalog, workflow_id)
        try:
            compiled.append((spec, compile_spec(spec)))
        except TemplateErrors as errors:
            for part, message in errors.problems:
                owner = f"workflow {workflow_id}" if part == "list_unsubscribe" else f"template {errors.template}"
                problems.add(CatalogProblem(owner, part, message))
    if problems:
        raise CatalogErrors(sorted(problems))
    return compiled


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
