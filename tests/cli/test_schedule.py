"""`outreach schedule` and the catalog's schedules, as their users meet them."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from outreach_stream.domain.identity import run_id
from outreach_stream.values import parse_duration, written_duration
from tests.cli.conftest import Outreach

FILES = {
    "engines/relay.yaml": "kind: memory\n",
    "templates/hello.yaml": "subject: Hello\ntext: Hello\n",
    "workflows/7.yaml": "template: hello\nengines: [relay]\nfrom: a@shop.example.com\n"
                        "parameters: {code: {required: true}}\n"
                        "recipients: {database: 'sqlite:///p.db', query: SELECT 1}\n",
    "workflows/inline.yaml": "template: hello\nengines: [relay]\nfrom: a@shop.example.com\n",
    "schedules/daily.yaml": "workflow: 7\ncron: 0 9 * * *\ntimezone: Europe/Berlin\nparameters: {code: x}\n"
                            "quiet: [{from: '08:00', to: '10:30'}]\n",
    "schedules/off.yaml": "workflow: 7\ncron: 0 * * * *\nenabled: false\nparameters: {code: x}\n",
    "schedules/once.yaml": "workflow: 7\nat: 2020-01-01T09:00:00\nparameters: {code: x}\n",
}


@pytest.fixture
def catalog(tmp_path: Path) -> Path:
    for name, text in FILES.items():
        (tmp_path / "catalog" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "catalog" / name).write_text(text)
    return tmp_path / "catalog"


def test_the_next_slots_are_told_with_the_runs_they_will_be(inside: Outreach, catalog: Path) -> None:
    """The slot in UTC, when it is due in its zone after its quiet window, and the run's id, before it is one."""
    answer = inside("schedule", "next", "daily", "-n", "3", "--json", OUTREACH_CATALOG="catalog")
    found = json.loads(answer.stdout)

    assert answer.returncode == 0, answer.stderr
    assert len(found) == 3
    for told in found:
        slot = datetime.fromisoformat(told["slot"])
        assert datetime.fromisoformat(told["due"]) > datetime.now(UTC) - timedelta(minutes=1)
        assert told["local"][11:16] == "10:30"
        assert told["run_id"] == run_id("7", slot=slot, key=None, trigger_id="")


def test_all_schedules_are_listed_each_with_what_comes_next(inside: Outreach, catalog: Path) -> None:
    """Those that are disabled or over say so."""
    answer = inside("schedule", "list", OUTREACH_CATALOG="catalog")
    rows = {line.split()[0]: line for line in answer.stdout.splitlines() if line.strip()}

    assert "disabled" in rows["off"]
    assert "over" in rows["once"]
    assert "Europe/Berlin" in rows["daily"]
    assert "10:30" in rows["daily"]


def test_a_preview_is_in_order_and_ends_when_told(inside: Outreach, catalog: Path) -> None:
    """All that will be triggered until then, and nothing of what is disabled."""
    until = datetime.now(UTC) + timedelta(days=3)
    answer = inside("schedule", "preview", f"{until:%Y-%m-%dT%H:%M:%S}", "--json", OUTREACH_CATALOG="catalog")
    found = json.loads(answer.stdout)

    assert {told["schedule"] for told in found} == {"daily"}
    assert len(found) == 3
    assert [told["due"] for told in found] == sorted(told["due"] for told in found)


def test_an_unknown_schedule_names_those_there_are(inside: Outreach, catalog: Path) -> None:
    """It fails, and says what could be meant."""
    answer = inside("schedule", "next", "dayly", OUTREACH_CATALOG="catalog")
    assert answer.returncode == 1
    assert "there are: daily, off, once" in answer.stderr


def test_what_could_never_become_a_run_is_a_mistake_of_the_catalog(inside: Outreach, catalog: Path) -> None:
    """Every mistake of every schedule at once, by file and field."""
    for name, text in {"lost": "workflow: 8\ncron: 0 9 * * *\n", "nobody": "workflow: inline\ncron: 0 9 * * *\n",
                       "odd": "workflow: 7\ncron: 0 9 * *\nzone: UTC\n",
                       "unfit": "workflow: 7\ncron: 0 9 * * *\nparameters: {colour: red}\n"}.items():
        (catalog / "schedules" / f"{name}.yaml").write_text(text)
    answer = inside("catalog", "check", "catalog", "--json")

    assert answer.returncode == 1
    for told in ("schedules/lost.yaml", "there is no workflow '8'", "has no query", "must have five fields",
                 "is not known here", "no parameter 'colour'", "needs the parameter 'code'"):
        assert told in answer.stdout


def test_how_late_a_slot_may_be_is_written_as_in_the_catalog(inside: Outreach, catalog: Path) -> None:
    """With units, not as a number of seconds."""
    with (catalog / "schedules" / "daily.yaml").open("a") as file:
        file.write("max_lateness: 5400s\n")
    assert "latest, 1h30m" in inside("schedule", "list", OUTREACH_CATALOG="catalog").stdout


@pytest.mark.parametrize("text", ["0s", "250ms", "5s", "1h", "1h30m", "2d1h1m1s1ms"])
def test_a_duration_is_written_as_it_is_read(text: str) -> None:
    """The largest units first, and none that is zero."""
    assert written_duration(parse_duration(text)) == text
