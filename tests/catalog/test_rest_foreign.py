"""APIs that others wrote: with less than the contract allows, and with more than is right."""

import json

import pytest

from outreach_stream.catalog.contract import COLLECTIONS
from outreach_stream.catalog.snapshot import CatalogErrors
from tests.catalog.rest_stage import stage

EMPTY = b'{"items": [], "next": null}'


@pytest.fixture
def there(tmp_path):
    with stage(tmp_path / "catalog") as there:
        yield there


def page(*items, **more) -> tuple[int, bytes]:
    return 200, json.dumps({"items": items} | more).encode()


def problems_with(there, *answers) -> dict[tuple[str, str], str]:
    there.between.answers = [*answers, *[(200, EMPTY)] * (len(COLLECTIONS) - len(answers))] * 2     # asked again
    with pytest.raises(CatalogErrors) as errors:
        there.catalog(url=there.url).load()
    return {(each.file, each.field): each.message for each in errors.value.problems}


def test_a_server_without_etags(there) -> None:
    """It is read anew each time, and the same again is the same snapshot; fields of a newer server are passed over."""
    template = page({"id": 1, "subject": "Hello", "text": "Hello"}, newer=True)
    catalog = there.catalog()
    there.between.answers = [(200, EMPTY), template, (200, EMPTY), (200, EMPTY)] * 2
    first = catalog.current()
    catalog.look()

    assert set(first.templates) == {"1"}
    assert catalog.current() is first
    assert there.between.statuses == {200: 8}


@pytest.mark.parametrize(("answer", "says"), [
    ((200, b"<html>"), "is no page of a catalog"), ((200, b"[]"), "is no page of a catalog"),
    ((200, b'{"items": [3]}'), "is no page of a catalog"), ((404, b""), "the address of a catalog's API"),
    ((302, b""), "answers 302, which no catalog does"), ((304, b""), "answers 304, which no catalog does"),
])
def test_what_is_no_catalog(there, answer, says) -> None:
    """It is said in words that tell where to look, and not tried again."""
    assert says in problems_with(there, answer)["/workflows", ""]
    assert there.pauses == []


def test_pages_without_end(there) -> None:
    """A server whose last page leads back to the first is not followed for ever."""
    found = problems_with(there, *[page(next="a"), page(next="b"), page(next="a")])

    assert "has no last page" in found["/workflows", ""]


def test_what_objects_say_wrongly(there) -> None:
    """Each with its path; one without an id by its place; what the server itself cannot give is no unknown object."""
    found = problems_with(
        there,
        page({"template": "t", "engines": ["gone"], "from": "a@example.com"},
             {"id": "w", "template": "t", "engines": ["gone"], "from": "a@example.com"},
             {"id": "dup", "template": "t", "engines": ["gone"], "from": "a@example.com"},
             {"id": "dup", "template": "t", "engines": ["gone"], "from": "a@example.com"}),
        page({"id": "t", "subject": "Hi", "text": "Hi", "attachments": ["terms.pdf"]}),
        page(problems=[{"id": "gone", "field": "host", "message": "is missing: add it"}]))

    assert found == {
        ("/workflows[0]", "id"): "is missing: add it",
        ("/workflows/dup", "id"): "'dup' is the id of another one already",
        ("/templates/t", "attachments[0]"): "must be a mapping: write a line `name: value` for each of its fields",
        ("/engines/gone", "host"): "is missing: add it"}


@pytest.mark.parametrize(("field", "value", "at"), [
    ("recipients", {"database": "sqlite:///people.db", "query": "SELECT 1"}, "recipients.database"),
    ("suppression", {"file": "stop.txt"}, "suppression.file"),
])
def test_paths_are_absolute(there, field, value, at) -> None:
    """A path relative to nothing would be another one in each process."""
    workflow = {"id": "w", "template": "t", "engines": ["e"], "from": "a@example.com", field: value}
    found = problems_with(there, page(workflow), page({"id": "t", "subject": "Hi", "text": "Hi"}),
                          page({"id": "e", "kind": "memory"}))

    assert "must be an absolute path" in found["/workflows/w", at]


def test_a_secret_that_is_written_down_is_refused_and_not_repeated(there) -> None:
    """As in a file: only a reference to it may be in a catalog."""
    engine = {"id": "e", "kind": "smtp", "host": "h", "username": "u", "password": "hunter2"}
    found = problems_with(there, (200, EMPTY), (200, EMPTY), page(engine))

    assert "must not be a plain secret" in found["/engines/e", "password"]
    assert "hunter2" not in str(found)
