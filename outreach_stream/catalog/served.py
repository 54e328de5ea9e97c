"""A folder as its API gives it: objects as the files say them, with what lies beside them inside."""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from outreach_stream.catalog.beside import Beside
from outreach_stream.catalog.contract import CollectionName, Page, ToldProblem
from outreach_stream.catalog.files import ReadProblem, absolute_database, read_mapping
from outreach_stream.catalog.folder import Signature, problems_of, signature_of
from outreach_stream.catalog.models import Template, Workflow

_BESIDE = {"html", "text", "attachments", "images"}
"""What of a template may lie in files beside it."""


@dataclass(frozen=True, slots=True)
class Shelf:
    """One collection as it stands now."""

    items: list[dict[str, Any]]
    problems: list[ToldProblem]
    etag: str

    def page(self, after: str | None, limit: int) -> Page | None:
        """The objects behind `after`, the first with all problems; None: `after` is nothing that we gave."""
        starts = {str(start): start for start in range(len(self.items))}
        if after is not None and after not in starts:
            return None
        start = starts[after] if after is not None else 0
        end = start + limit
        return Page(items=self.items[start:end], problems=[] if start else self.problems,
                    next=str(end) if end < len(self.items) else None)


class ServedFolder:
    """The collections of a folder, read again when a file of it is changed. Blocks on the disk."""

    def __init__(self, root: Path) -> None:
        self._root = root.resolve()
        self._seen: Signature | None = None
        self._shelves: dict[CollectionName, Shelf] = {}

    def shelf(self, name: CollectionName) -> Shelf:
        """The collection, with the objects that cannot be given told as problems. Raises FileNotFoundError."""
        if not self._root.is_dir():     # not the same as a catalog with nothing in it
            raise FileNotFoundError(self._root)
        signature = signature_of(self._root)
        if signature != self._seen:
            self._seen, self._shelves = signature, {}
        if name not in self._shelves:
            self._shelves[name] = self._read(name)
        return self._shelves[name]

    def _read(self, name: CollectionName) -> Shelf:
        items: list[dict[str, Any]] = []
        problems: list[ToldProblem] = []
        for file in sorted([*(self._root / name).glob("*.yaml"), *(self._root / name).glob("*.yml")]):
            data: dict[str, Any] = {"id": file.stem}
            try:
                data |= read_mapping(file)
                items.append(_plain(self._whole(name, file, data)))
            except ReadProblem as problem:
                problems.append(ToldProblem(id=str(data["id"]), field=problem.field, message=problem.message))
            except ValidationError as error:
                problems += _told(str(data["id"]), error)
        everything = json.dumps([items, [told.model_dump() for told in problems]], sort_keys=True)
        return Shelf(items, problems, f'"{hashlib.sha256(everything.encode()).hexdigest()}"')

    def _whole(self, name: CollectionName, file: Path, data: dict[str, Any]) -> dict[str, Any]:
        """`data` with what is relative to the folder resolved. Raises `ReadProblem`, `ValidationError`."""
        if name == "templates":
            template = Template.model_validate(data, context=Beside(self._root, file.parent))
            return data | template.model_dump(mode="json", include=data.keys() & _BESIDE)
        return self._workflow(data) if name == "workflows" else data

    def _workflow(self, data: dict[str, Any]) -> dict[str, Any]:
        try:
            workflow = Workflow.model_validate(data)
        except ValidationError:
            return data         # its reader says what is wrong with it
        whole = dict(data)
        if workflow.recipients:
            whole["recipients"] = data["recipients"] | {
                "database": absolute_database(workflow.recipients.database, self._root)}
        if workflow.suppression and workflow.suppression.file:
            listed = self._root / workflow.suppression.file
            if not listed.is_file():
                raise ReadProblem("suppression.file", f"{workflow.suppression.file} does not exist in the catalog")
            whole["suppression"] = {"file": str(listed)}
        return whole


def _told(identity: str, error: ValidationError) -> Iterator[ToldProblem]:
    for problem in problems_of("", error):
        yield ToldProblem(id=identity, field=problem.field, message=problem.message)


def _plain(data: dict[str, Any]) -> dict[str, Any]:
    """`data` as JSON has it; raises `ReadProblem` for what would be something else on the other side."""
    for field, value in data.items():
        _check(field, value)
    plain: dict[str, Any] = json.loads(json.dumps(data, default=lambda moment: moment.isoformat()))
    return plain


def _check(field: str, value: object) -> None:
    match value:
        case dict():
            for name, inner in value.items():
                if not isinstance(name, str):
                    raise ReadProblem(field, 'names must be text: write them in quotes, "…"')
                _check(f"{field}.{name}", inner)
        case list():
            for position, inner in enumerate(value):
                _check(f"{field}[{position}]", inner)
        case float() if value != value or value in (float("inf"), float("-inf")):  # noqa: PLR0124 - NaN
            raise ReadProblem(field, "must be a number")
        case bytes() | set():
            raise ReadProblem(field, "must be text, a number, a list or a mapping")
