"""`outreach catalog check` on folders."""

import json
import shutil
from pathlib import Path

import pytest

from tests.cli.conftest import CATALOG, Outreach


@pytest.fixture
def catalog(tmp_path: Path) -> Path:
    """A copy of the example, with an engine beside it that has a warning."""
    shutil.copytree(CATALOG, tmp_path / "catalog")
    (tmp_path / "catalog" / "engines" / "loud.yaml").write_text(
        "kind: smtp\nhost: relay.example.com\nverify_certificates: false\n", encoding="utf-8")
    return tmp_path / "catalog"


def test_warnings_are_told_and_fail_nothing(inside: Outreach, catalog: Path) -> None:
    """What works and should not be left so is said, with the engine; the exit code stays 0."""
    answer = inside("catalog", "check", "catalog")

    assert answer.returncode == 0, answer.stderr
    assert "Warning: engine loud: verify_certificates is off" in answer.stdout
    assert "all of it is right" in answer.stdout


def test_engines_are_told_to_programs(inside: Outreach, catalog: Path) -> None:
    """Their ids, kinds and warnings are in the JSON."""
    (catalog / "engines" / "rehearsal.yaml").write_text("kind: memory", encoding="utf-8")
    told = json.loads(inside("catalog", "check", "catalog", "--json").stdout)
    kinds = {engine["id"]: (engine["kind"], len(engine["warnings"]) > 0) for engine in told["engines"]}

    assert told["problems"] == []
    assert kinds["loud"] == ("smtp", True)
    assert kinds["rehearsal"][0] == "memory"


def test_every_problem_of_every_engine_is_told_at_once(inside: Outreach, catalog: Path) -> None:
    """Each with file, field and what to write instead; a secret that was written down is not repeated."""
    engines = {"a": "kind: pigeon", "b": "kind: smtp\nhost: h\npassword: hunter2\nusername: u\nretries: 3",
               "c": "host: h"}
    for name, text in engines.items():
        (catalog / "engines" / f"{name}.yaml").write_text(text, encoding="utf-8")
    answer = inside("catalog", "check", "catalog", "--json")
    told = [(each["file"], each["field"]) for each in json.loads(answer.stdout)["problems"]]

    assert answer.returncode == 1
    assert told == [("engines/a.yaml", "kind"), ("engines/b.yaml", "password"), ("engines/b.yaml", "retries"),
                    ("engines/c.yaml", "kind")]
    assert "hunter2" not in answer.stdout + answer.stderr


def test_brackets_and_numbers_are_told_as_they_are(inside: Outreach, catalog: Path) -> None:
    """A field's index stays, and one template is not "1 templates"."""
    told = inside("catalog", "check", "catalog").stdout
    (catalog / "workflows" / "odd.yaml").write_text(
        "template: spring-offer\nengines: [nonesuch]\nfrom: a@shop.example.com\n", encoding="utf-8")

    assert "1 workflow, 1 template, 2 engines" in told
    assert "engines[0]" in inside("catalog", "check", "catalog").stdout
