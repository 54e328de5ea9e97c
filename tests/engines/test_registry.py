"""Which kinds of engine there are, and what a catalog is told about those it cannot have."""

import sys
from importlib import import_module
from typing import get_args

import pytest

from outreach_stream.catalog.folder import FolderCatalog
from outreach_stream.engines import registry
from outreach_stream.engines.config import EngineConfig, EngineKind
from tests.installed import forget, install


@pytest.fixture
def installed(tmp_path, monkeypatch):
    """Installs a package of one module, whose entry points are kinds of engine."""
    def put(name: str, source: str, **kinds: str) -> None:
        install(tmp_path / "site", name, source, kinds)
        monkeypatch.syspath_prepend(tmp_path / "site")
        sys.modules.pop(name, None)
        forget()

    yield put
    monkeypatch.undo()
    forget()


def problems(folder, **engines: str) -> dict[tuple[str, str], str]:
    """What is wrong with a catalog of these engines: by file and field."""
    (folder / "engines").mkdir(exist_ok=True)
    for name, text in engines.items():
        (folder / "engines" / f"{name}.yaml").write_text(text, encoding="utf-8")
    return {(each.file.removeprefix("engines/").removesuffix(".yaml"), each.field): each.message
            for each in FolderCatalog(folder).read().problems}


@pytest.mark.parametrize("name", sorted(registry.BUILT_IN))
def test_what_is_built_in_is_whole(name):
    """A line of the registry leads to a kind whose configuration takes the line's name, and no other."""
    found = import_module(registry.BUILT_IN[name]).KIND
    assert isinstance(found, EngineKind)
    assert issubclass(found.config, EngineConfig)
    assert get_args(found.config.model_fields["kind"].annotation) == (name,)


@pytest.mark.parametrize(("text", "says"), [
    ("kind: pigeon", "no such kind of engine here: write one of mailgun, memory, sendgrid, ses, smtp"),
    ("rate: 5", "is missing: write one of mailgun, memory, sendgrid, ses, smtp"),
    ("kind:", "is missing: write one of"),
    ("kind: [smtp]", "no such kind"),
    ("kind: 5", "no such kind"),
])
def test_a_kind_that_is_not_there(tmp_path, text, says):
    """The problem stands at the field `kind`, and names those there are."""
    found = problems(tmp_path, relay=text)
    assert found.keys() == {("relay", "kind")}
    assert says in found["relay", "kind"]


def test_an_unknown_kind_hides_no_other_problem(tmp_path):
    """What every kind has is checked all the same; what only that kind may have cannot be."""
    found = problems(tmp_path, relay="{kind: pigeon, rate: 0, lanes: some, hourly: 0, wings: 2}")
    assert found.keys() == {("relay", field) for field in ("kind", "rate", "lanes", "hourly")}


@pytest.mark.parametrize(("source", "target", "says"), [
    ("import no_such_package", "broken_kind:KIND", "ModuleNotFoundError: No module named 'no_such_package'"),
    ("1 / 0", "broken_kind:KIND", "ZeroDivisionError"),
    ("KIND = 'a string'", "broken_kind:KIND", "is str, not EngineKind"),
    ("from outreach_stream.engines.memory import MemoryConfig as KIND", "broken_kind:KIND", "not EngineKind"),
    ("", "broken_kind:KIND", "has no attribute 'KIND'"),
    ("", "gone:KIND", "No module named 'gone'"),
])
def test_a_package_that_brings_no_kind(installed, tmp_path, source, target, says):
    """Whatever is wrong with a foreign package is a problem of the files that name its kind, and of no other."""
    installed("broken_kind", source, pigeon=target)
    found = problems(tmp_path, relay="kind: pigeon", rehearsal="kind: memory")
    assert found.keys() == {("relay", "kind")}
    assert "cannot be loaded here" in found["relay", "kind"]
    assert says in found["relay", "kind"]
    assert "pigeon" in registry.kinds()


FAULTY = """
from typing import Literal, Self
from pydantic import model_validator
from outreach_stream.engines.config import EngineConfig, EngineKind

class Pigeon(EngineConfig):
    kind: Literal["pigeon"]
    loft: int = 0

    @model_validator(mode="after")
    def _fault(self) -> Self:
        {}["loft {not here}"]

KIND = EngineKind(Pigeon, None, None)
"""


def test_a_foreign_configuration_with_a_fault(installed, tmp_path):
    """An exception in a foreign validator is a problem of the file; an ordinary mistake stands at its field."""
    installed("faulty_kind", FAULTY, pigeon="faulty_kind:KIND")
    found = problems(tmp_path, relay="kind: pigeon", other="{kind: pigeon, loft: high, wings: 2}")
    assert "KeyError: 'loft {not here}'" in found["relay", "kind"]
    assert {field for name, field in found if name == "other"} == {"loft", "wings"}


def test_a_name_that_is_built_in_stays(installed, tmp_path):
    """No package takes the place of an engine that is there already."""
    installed("usurper", "raise RuntimeError", memory="usurper:KIND")
    assert problems(tmp_path, rehearsal="kind: memory") == {}
