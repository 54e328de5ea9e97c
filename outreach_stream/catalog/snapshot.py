"""A catalog as it stood at one moment, and what may be wrong with it."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field

from outreach_stream.catalog.models import Template, Workflow
from outreach_stream.catalog.schedules import Schedule
from outreach_stream.domain.identity import canonical_workflow_id
from outreach_stream.engines.config import EngineConfig


@dataclass(frozen=True, slots=True, order=True)
class CatalogProblem:
    """One thing to correct: where it is and what to write instead."""

    file: str
    """Relative to the catalog; the object's name when there is no file."""
    field: str
    """Path of the field, `recipients.query`; empty: the file as a whole."""
    message: str

    def __str__(self) -> str:
        return f"{self.file}: {self.field}: {self.message}" if self.field else f"{self.file}: {self.message}"


class CatalogErrors(Exception):  # noqa: N818 - it holds all of them
    """The catalog cannot be used; `problems` lists everything that is wrong with it, in order of the files."""

    def __init__(self, problems: list[CatalogProblem]) -> None:
        self.problems = sorted(problems)
        super().__init__("\n".join(map(str, self.problems)))


class UnknownWorkflow(LookupError):  # noqa: N818 - named as it is said
    """No workflow has this id."""


class UnknownEngine(LookupError):  # noqa: N818 - named as it is said
    """No engine has this id."""


@dataclass(frozen=True, slots=True)
class Catalog:
    """Workflows, templates, engines and schedules by id; every reference between them resolves."""

    workflows: Mapping[str, Workflow]
    templates: Mapping[str, Template]
    engines: Mapping[str, EngineConfig]
    schedules: Mapping[str, Schedule] = field(default_factory=dict)

    def workflow(self, workflow_id: int | str) -> Workflow:
        """The workflow of this id (`1` is `"1"`); raises `UnknownWorkflow`, naming those there are."""
        found = self.workflows.get(canonical_workflow_id(workflow_id))
        if found is None:
            raise UnknownWorkflow(f"no workflow has the id {str(workflow_id)!r}; there are: {_names(self.workflows)}")
        return found

    def engine(self, engine_id: str) -> EngineConfig:
        """The engine of this id; raises `UnknownEngine`, naming those there are."""
        found = self.engines.get(engine_id)
        if found is None:
            raise UnknownEngine(f"no engine has the id {engine_id!r}; there are: {_names(self.engines)}")
        return found


def dangling(
    catalog: Catalog,
    file_of: Mapping[tuple[str, str], str] | None = None,
    broken: Collection[tuple[str, str]] = (),
) -> Iterator[CatalogProblem]:
    """References that lead nowhere.

    `file_of` names the file of an object by ("workflow", id); `broken` are objects whose own file has problems,
    so that a reference to them is not called wrong as well.
    """
    for workflow in catalog.workflows.values():
        file = (file_of or {}).get(("workflow", workflow.id), f"workflow {workflow.id}")
        if workflow.template not in catalog.templates and ("template", workflow.template) not in broken:
            yield CatalogProblem(file, "template", _unknown("template", workflow.template, catalog.templates))
        for position, engine in enumerate(workflow.engines):
            if engine not in catalog.engines and ("engine", engine) not in broken:
                yield CatalogProblem(file, f"engines[{position}]", _unknown("engine", engine, catalog.engines))
    for schedule in catalog.schedules.values():
        file = (file_of or {}).get(("schedule", schedule.id), f"schedule {schedule.id}")
        runs = catalog.workflows.get(schedule.workflow)
        if runs is not None:
            yield from (CatalogProblem(file, *problem) for problem in _unfit(schedule, runs))
        elif ("workflow", schedule.workflow) not in broken:
            yield CatalogProblem(file, "workflow", _unknown("workflow", schedule.workflow, catalog.workflows))


def _unfit(schedule: Schedule, workflow: Workflow) -> Iterator[tuple[str, str]]:
    """Field and words of what keeps a schedule's triggers from becoming runs."""
    if workflow.recipients is None:
        yield "workflow", f"workflow {workflow.id} has no query, so nobody would be mailed: give it recipients"
    for name in sorted(set(schedule.parameters) - set(workflow.parameters)):
        yield "parameters", f"workflow {workflow.id} has no parameter {name!r}: remove it or correct its spelling"
    for name, parameter in workflow.parameters.items():
        if parameter.required and name not in schedule.parameters:
            yield "parameters", f"workflow {workflow.id} needs the parameter {name!r}: add it"


def _unknown(kind: str, wanted: str, known: Mapping[str, object]) -> str:
    return f"there is no {kind} {wanted!r}: write one of {_names(known)}, or add {kind}s/{wanted}.yaml"


def _names(known: Mapping[str, object]) -> str:
    return ", ".join(sorted(known)) or "none"
