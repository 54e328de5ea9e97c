"""`outreach recipients`: the people of a workflow, before anybody is mailed."""

import json
import sqlite3
from pathlib import Path

import pytest

from tests.cli.conftest import Outreach

PEOPLE = [("ada@example.org", "Ada", "Rome"), ("no address", "Bob", "Oslo"), ("ADA@example.org", "Ada", "Rome"),
          ("cleo@example.org", "Cleo", "Rome"), ("dan@example.org", None, "Oslo")]


@pytest.fixture
def catalog(tmp_path: Path) -> Path:
    folder = tmp_path / "catalog"
    for name, text in {
        "engines/relay.yaml": "kind: memory\n", "templates/hello.yaml": "subject: Hello\ntext: '{{ city }}'\n",
        "suppressed.txt": "cleo@example.org\n",
        "workflows/7.yaml": "template: hello\nengines: [relay]\nfrom: a@shop.example.com\n"
                            "parameters: {town: {required: true}}\nsuppression: {file: suppressed.txt}\nrecipients:\n"
                            "  database: sqlite:///people.db\n"
                            "  query: \"SELECT * FROM people WHERE :town = '' OR city = :town\"\n",
        "workflows/inline.yaml": "template: hello\nengines: [relay]\nfrom: a@shop.example.com\n",
    }.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    with sqlite3.connect(folder / "people.db") as db:
        db.execute("CREATE TABLE people (email TEXT, name TEXT, city TEXT)")
        db.executemany("INSERT INTO people VALUES (?, ?, ?)", PEOPLE)
    return folder


def test_everybody_is_shown_with_the_reason_for_being_left_out(inside: Outreach, catalog: Path) -> None:
    """As a run would decide: invalid, repeated and suppressed addresses are named and counted."""
    answer = inside("recipients", "7", "--param", "town=", "--all", "--json", OUTREACH_CATALOG="catalog")
    told = json.loads(answer.stdout)

    assert answer.returncode == 0, answer.stderr
    assert told["counts"] == {"to mail": 2, "invalid": 1, "duplicate": 1, "suppressed": 1}
    assert told["recipients"][0] == {"email": "ada@example.org", "name": "Ada", "variables": {"city": "Rome"}}
    assert [each.get("skipped") for each in told["recipients"]] == [None, "invalid", "duplicate", "suppressed", None]


def test_only_as_many_rows_are_read_as_are_shown(inside: Outreach, catalog: Path) -> None:
    """A look at a large table costs little, and says that it is not all."""
    answer = inside("recipients", "7", "--param", "town=Oslo", "--limit", "1", OUTREACH_CATALOG="catalog")

    assert "1 invalid among the first 1 rows" in answer.stdout
    assert "dan@example.org" not in answer.stdout


@pytest.mark.parametrize(("arguments", "code", "says"), [
    (("8",), 1, "there are: 7, inline"), (("inline",), 1, "come with the trigger"),
    (("7",), 2, "missing parameters: town"),
    (("7", "--param", "town"), 2, "NAME=VALUE"),
    (("7", "--param", "town=x", "--param", "x=1"), 2, "unknown parameters"),
])
def test_what_is_wrong_is_said(
    inside: Outreach, catalog: Path, arguments: tuple[str, ...], code: int, says: str,
) -> None:
    """Each mistake says what would be right."""
    answer = inside("recipients", *arguments, OUTREACH_CATALOG="catalog")
    assert answer.returncode == code
    assert says in answer.stderr
