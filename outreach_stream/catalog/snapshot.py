"""A catalog as it stood at one moment, and what may be wrong with it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeIs

from pydantic import TypeAdapter, ValidationError

from outreach_stream.catalog.models import Template, Workflow
from outreach_stream.catalog.schedules import Schedule
from outreach_stream.domain.identity import canonical_workflow_id
from outreach_stream.engines.config import EngineConfig
from outreach_stream.values import Identifier, canonical_id

_ID: TypeAdapter[str] = TypeAdapter(Identifier)


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


@dataclass(frozen=True, slots=True)
class Unread:
    """An object whose own file has problems: where it is, and what of it may still be looked at."""

    file: str
    data: Mapping[str, Any] = field(default_factory=dict)
    """As it stands in the file."""

    def text(self, name: str) -> str | None:
        """The text in a field; None: there is none."""
        value = canonical_id(self.data.get(name))
        return value if isinstance(value, str) else None

    def texts(self, name: str) -> dict[str, str]:
        """The texts in a field that is a mapping, by their names."""
        value = self.data.get(name)
        return {str(key): text for key, text in (value if isinstance(value, Mapping) else {}).items()
                if isinstance(text, str)}


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
    broken: Mapping[tuple[str, str], Unread] | None = None,
) -> Iterator[CatalogProblem]:
    """References that lead nowhere.

    `file_of` names the file of an object by ("workflow", id); `broken` are objects whose own file has problems: a
    reference to one of them is not called wrong as well, those in them are.
    """
    broken = broken or {}
    for place, kind, wanted in _references(catalog, file_of or {}, broken):
        known: Mapping[str, object] = getattr(catalog, f"{kind}s")
        if wanted not in known and (kind, wanted) not in broken:
            yield CatalogProblem(*place, _unknown(kind, wanted, known))
    for schedule in catalog.schedules.values():
        if runs := catalog.workflows.get(schedule.workflow):
            file = _file(file_of or {}, "schedule", schedule.id)
            yield from (CatalogProblem(file, *problem) for problem in _unfit(schedule, runs))


def _references(
    catalog: Catalog, file_of: Mapping[tuple[str, str], str], broken: Mapping[tuple[str, str], Unread],
) -> Iterator[tuple[tuple[str, str], str, str]]:
    """File and field of each reference, and kind and id of what it names; those of broken objects if they are text."""
    for workflow in catalog.workflows.values():
        file = _file(file_of, "workflow", workflow.id)
        yield (file, "template"), "template", workflow.template
        for position, engine in enumerate(workflow.engines):
            yield (file, f"engines[{position}]"), "engine", engine
    for schedule in catalog.schedules.values():
        yield (_file(file_of, "schedule", schedule.id), "workflow"), "workflow", schedule.workflow
    for (kind, _), unread in broken.items():
        named = {"workflow": "template", "schedule": "workflow"}.get(kind)
        if named and _is_id(wanted := canonical_id(unread.data.get(named))):
            yield (unread.file, named), named, wanted
        engines = unread.data.get("engines") if kind == "workflow" else None
        for position, told in enumerate(engines if isinstance(engines, list | tuple) else ()):
            if _is_id(wanted := canonical_id(told)):
                yield (unread.file, f"engines[{position}]"), "engine", wanted


def _file(file_of: Mapping[tuple[str, str], str], kind: str, identity: str) -> str:
    return file_of.get((kind, identity), f"{kind} {identity}")


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
    instead = f"write one of {_names(known)}, or add" if known else "add"
    return f"there is no {kind} {wanted!r}: {instead} {kind}s/{wanted}.yaml"


def _names(known: Mapping[str, object]) -> str:
    return ", ".join(sorted(known)) or "none"


def _is_id(value: object) -> TypeIs[str]:
    """Whether it can be an id: of what cannot, its own field's problem is told."""
    try:
        _ID.validate_python(value)
    except ValidationError:
        return False
    return True
