"""A catalog in a folder: workflows, templates with their bodies beside them, engines, schedules; one object a file."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import structlog
from pydantic import ValidationError
from pydantic_core import ErrorDetails

from outreach_stream.catalog.beside import Beside
from outreach_stream.catalog.files import ReadProblem, absolute_database, read_mapping
from outreach_stream.catalog.models import RecipientQuery, Suppression, Template, Workflow
from outreach_stream.catalog.schedules import Schedule
from outreach_stream.catalog.snapshot import Catalog, CatalogErrors, CatalogProblem, Unread, dangling
from outreach_stream.engines.config import EngineConfig
from outreach_stream.engines.registry import engine_from

log = structlog.get_logger()

FOLDERS = ("workflows", "templates", "engines", "schedules")
_ADVICE = {
    "extra_forbidden": "is not known here: remove it or correct its spelling",
    "missing": "is missing: add it",
    "model_type": "must be a mapping: write a line `name: value` for each of its fields",
}
_BOUNDS = {
    "greater_than": "must be more than {}",
    "greater_than_equal": "must be {} or more",
    "less_than": "must be less than {}",
    "less_than_equal": "must be {} or less",
}

Signature = tuple[tuple[str, int, int], ...]


class FolderCatalog:
    """Reads a folder strictly: either all of it is right, or every mistake in it is named at once."""

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)
        self._good: Catalog | None = None
        self._seen: Signature | None = None

    def load(self) -> Catalog:
        """Read every file; raises `CatalogErrors` with the problems of all of them. Blocks on the disk."""
        reading = self.read()
        if reading.problems:
            raise CatalogErrors(reading.problems)
        return reading.catalog

    def read(self) -> "Reading":
        """Every file as far as it can be read, with all problems: for those who look on. Blocks on the disk."""
        return Reading(self.path.resolve())

    def current(self) -> Catalog:
        """The last good catalog; a changed file makes it read again. Costs one `stat` per file.

        When the changed folder is wrong, the last good one stays in use and the log says why, once per change.
        Raises `CatalogErrors` only when no load has ever succeeded.
        """
        signature = signature_of(self.path)
        if self._good is not None and signature == self._seen:
            return self._good
        try:
            self._good = self.load()
        except CatalogErrors as errors:
            if self._good is None:
                raise
            log.warning("catalog_reload_failed", problems=[str(problem) for problem in errors.problems])
        self._seen = signature
        return self._good


class Reading:
    """One reading of a folder: what could be read, the problems of the rest, and in which file each object is."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.problems: list[CatalogProblem] = []
        self.file_of: dict[tuple[str, str], str] = {}
        self.broken: dict[tuple[str, str], Unread] = {}
        self.catalog = self._catalog()

    def _catalog(self) -> Catalog:
        if not self.root.is_dir():
            self.problems.append(CatalogProblem(str(self.root), "", "there is no such folder"))
        catalog = Catalog(
            workflows=self._objects("workflows", self._workflow),
            templates=self._objects("templates", self._template),
            engines=self._objects("engines", lambda _file, data: engine_from(data)),
            schedules=self._objects("schedules", lambda _file, data: Schedule.model_validate(data)),
        )
        self.problems += dangling(catalog, self.file_of, self.broken)
        return catalog

    def _objects[T: Workflow | Template | EngineConfig | Schedule](
        self, folder: str, build: Callable[[Path, dict[str, Any]], T],
    ) -> Mapping[str, T]:
        found: dict[str, T] = {}
        kind = folder.removesuffix("s")
        for file in sorted([*(self.root / folder).glob("*.yaml"), *(self.root / folder).glob("*.yml")]):
            name = file.relative_to(self.root).as_posix()
            data: dict[str, Any] = {"id": file.stem}
            try:
                data |= read_mapping(file)
                thing = build(file, data)
            except ReadProblem as problem:
                self.problems.append(CatalogProblem(name, problem.field, problem.message))
                self.broken[kind, str(data["id"])] = self._unread(file, data)
            except ValidationError as error:
                self.problems += problems_of(name, error)
                self.broken[kind, str(data["id"])] = self._unread(file, data)
            else:
                first = self.file_of.setdefault((kind, thing.id), name)
                if first != name:
                    self.problems.append(CatalogProblem(name, "id", f"{thing.id!r} is the id of {first} already"))
                found[thing.id] = thing
        return found

    def _unread(self, file: Path, data: dict[str, Any]) -> Unread:
        """What can be looked at of an object with problems; bodies of a template as they would be read."""
        beside = Beside(self.root, file.parent)
        for body in {"html", "text"} & data.keys():
            with suppress(ValueError):
                data = data | {body: beside.body(data[body])}
        return Unread(file.relative_to(self.root).as_posix(), data)

    def _workflow(self, _file: Path, data: dict[str, Any]) -> Workflow:
        workflow = Workflow.model_validate(data)
        changes: dict[str, RecipientQuery | Suppression] = {}
        if workflow.recipients:
            url = absolute_database(workflow.recipients.database, self.root)
            changes["recipients"] = workflow.recipients.model_copy(update={"database": url})
        if workflow.suppression and workflow.suppression.file:
            listed = self.root / workflow.suppression.file
            if not listed.is_file():
                raise ReadProblem("suppression.file", f"{workflow.suppression.file} does not exist in the catalog")
            changes["suppression"] = workflow.suppression.model_copy(update={"file": str(listed)})
        return workflow.model_copy(update=changes)

    def _template(self, file: Path, data: dict[str, Any]) -> Template:
        return Template.model_validate(data, context=Beside(self.root, file.parent))


def signature_of(root: Path) -> Signature:
    """What is another when a file of the catalog is changed, or comes or goes. Blocks on the disk."""
    return tuple(sorted(_stat(file) for folder in FOLDERS for file in (root / folder).glob("**/*")))


def _stat(file: Path) -> tuple[str, int, int]:
    try:
        stat = file.stat()
    except OSError:  # Removed since it was listed: the next look settles it.
        return str(file), 0, 0
    return str(file), stat.st_mtime_ns, stat.st_size


def problems_of(file: str, error: ValidationError) -> Iterator[CatalogProblem]:
    """What is wrong with the object in `file`, each in words that say what to write instead."""
    for detail in error.errors(include_input=False, include_url=False):
        yield CatalogProblem(file, _path(detail["loc"]), _words(detail))


def _words(detail: ErrorDetails) -> str:
    kind, location = detail["type"], detail["loc"]
    if kind not in _BOUNDS:
        return _ADVICE.get(kind, detail["msg"].removeprefix("Value error, "))
    bound = next(iter(detail["ctx"].values()))
    # Deeper down are durations, too, which are numbers here only.
    example = ": write for example 50" if kind == "greater_than" and len(location) == 1 else ""
    return _BOUNDS[kind].format(f"{bound:,.12g}") + example


def _path(location: tuple[int | str, ...]) -> str:
    path = ""
    for step in location:
        if step == "[key]":  # pydantic's word for: the name itself, not its value
            continue
        path += f"[{step}]" if isinstance(step, int) else f".{step}" if path else step
    return path
