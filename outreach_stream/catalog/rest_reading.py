"""What a catalog's API gave, read as strictly as a folder's files are."""

from collections.abc import Callable, Mapping
from pathlib import PurePath
from typing import Any
from urllib.parse import unquote

from pydantic import ValidationError

from outreach_stream.catalog.contract import Collection, CollectionName
from outreach_stream.catalog.files import ReadProblem
from outreach_stream.catalog.folder import problems_of
from outreach_stream.catalog.models import Template, Workflow
from outreach_stream.catalog.schedules import Schedule
from outreach_stream.catalog.snapshot import Catalog, CatalogProblem, Unread, dangling
from outreach_stream.engines.config import EngineConfig
from outreach_stream.engines.registry import engine_from
from outreach_stream.values import canonical_id


class RestReading:
    """One reading of an API: what of it is right, the problems of the rest, and the path of each object."""

    def __init__(self, path: str, collections: Mapping[CollectionName, Collection]) -> None:
        """`path`: that of the API's URL."""
        self._path, self._collections = path, collections
        self.problems: list[CatalogProblem] = []
        self.file_of: dict[tuple[str, str], str] = {}
        self.broken: dict[tuple[str, str], Unread] = {}
        self.catalog = Catalog(
            workflows=self._objects("workflows", _workflow),
            templates=self._objects("templates", Template.model_validate),
            engines=self._objects("engines", engine_from),
            schedules=self._objects("schedules", Schedule.model_validate))
        self.problems += dangling(self.catalog, self.file_of, self.broken)

    def _objects[T: Workflow | Template | EngineConfig | Schedule](
        self, name: CollectionName, build: Callable[[Mapping[str, Any]], T],
    ) -> Mapping[str, T]:
        found: dict[str, T] = {}
        kind, collection = name.removesuffix("s"), self._collections.get(name, Collection(items=[], problems=[]))
        for told in collection.problems:
            self.problems.append(CatalogProblem(f"{self._path}/{name}/{told.id}", told.field, told.message))
            self.broken[kind, told.id] = Unread(f"{self._path}/{name}/{told.id}")
        for position, data in enumerate(collection.items):
            identity = canonical_id(data.get("id"))
            path = f"{self._path}/{name}" + (f"/{identity}" if isinstance(identity, str) else f"[{position}]")
            try:
                thing = build(data)
            except (ValidationError, ReadProblem) as error:
                self.problems += ([CatalogProblem(path, error.field, error.message)] if isinstance(error, ReadProblem)
                                  else problems_of(path, error))
                self.broken[kind, str(identity)] = Unread(path, data)
                continue
            if thing.id in found:
                self.problems.append(CatalogProblem(path, "id", f"{thing.id!r} is the id of another one already"))
            self.file_of[kind, thing.id] = path
            found[thing.id] = thing
        return found


def _workflow(data: Mapping[str, Any]) -> Workflow:
    """The workflow; what it says of files must not depend on where this process runs."""
    workflow = Workflow.model_validate(data)
    database = workflow.recipients.database if workflow.recipients else ""
    if database.startswith("sqlite:///") and not unquote(database).startswith("sqlite:////"):
        raise ReadProblem("recipients.database", "must be an absolute path: write sqlite:////path/of/people.db")
    listed = workflow.suppression.file if workflow.suppression else None
    if listed and not PurePath(listed).is_absolute():
        raise ReadProblem("suppression.file", "must be an absolute path, which every dispatcher can read")
    return workflow


class NoReading:
    """A catalog that could not be asked for: nothing of it is known but why."""

    def __init__(self, problem: CatalogProblem) -> None:
        self.problems = [problem]
        self.file_of: dict[tuple[str, str], str] = {}
        self.broken: dict[tuple[str, str], Unread] = {}
        self.catalog = Catalog({}, {}, {})
