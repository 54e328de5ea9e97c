"""docs/adding-an-engine.md: every block of it is part of something that works, or works by itself."""

import ast
import os
import re
import subprocess
import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import pytest
import yaml

from outreach_stream.domain import outcomes
from outreach_stream.engines.http_wire import Answer
from tests.installed import PLUGIN, install

ROOT = Path(__file__).parents[2]
DOCUMENT = (ROOT / "docs" / "adding-an-engine.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w*)\n(.*?)^```$", DOCUMENT, re.DOTALL | re.MULTILINE)
SOURCE = (PLUGIN / "outreach_webhook.py").read_text(encoding="utf-8")
REGISTRY = (ROOT / "outreach_stream" / "engines" / "registry.py").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return [text for found, text in BLOCKS if found == language]


def of_the_engine() -> list[str]:
    return [text for text in blocks("python") if text in SOURCE]


def test_no_block_is_without_a_test():
    """All Python is the engine's, the registry's, or the table that is run below; so with the other languages."""
    others = [text for text in blocks("python") if text not in SOURCE]
    assert [text in REGISTRY for text in others] == [True, False]
    assert "def test_every_answer_of_the_contract" in others[1]
    assert {language: len(blocks(language)) for language in {found for found, _ in BLOCKS}} == {
        "python": len(of_the_engine()) + 2, "yaml": 1, "toml": 1, "sh": 1}


def test_the_page_has_the_whole_engine():
    """Whoever types the blocks has everything, in one order or another."""
    typed = "\n".join(of_the_engine())
    for statement in ast.parse(SOURCE).body:
        if isinstance(statement, ast.Expr):
            continue
        for line in ast.get_source_segment(SOURCE, statement).splitlines():
            assert line in typed


@pytest.fixture(scope="module")
def engine():
    """The example's module."""
    spec = spec_from_file_location("documented_webhook", PLUGIN / "outreach_webhook.py")
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_example_of_a_file_loads(engine):
    """What the page says a catalog may say is said in a catalog."""
    [text] = blocks("yaml")
    config = engine.KIND.config.model_validate({"id": "gateway", **yaml.safe_load(text)})
    assert config.origin().url == "https://mail.corp.example"
    assert str(config.token) == "env:GATEWAY_TOKEN"


def test_the_table_of_the_page_passes(engine):
    """It is run as it stands, once for each of its rows."""
    [text] = [text for text in blocks("python") if "parametrize" in text]
    config = engine.KIND.config(id="g", kind="webhook", host="h.example", token="env:T")
    scope = vars(outcomes) | {"pytest": pytest, "CONFIG": config, "Webhook": engine.Webhook, "Answer": Answer}
    exec(text, scope)
    test = scope["test_every_answer_of_the_contract"]
    rows = test.pytestmark[0].args[1]
    for row in rows:
        test(*row)
    assert {status for status, *_ in rows} >= set(engine.MEANINGS) | {engine.ACCEPTED, engine.THROTTLED}


def test_the_commands_are_those_that_work(tmp_path):
    """The package is described as it is; where it is installed, the second command is content."""
    [point] = blocks("toml")
    [commands] = blocks("sh")
    assert point in (PLUGIN / "pyproject.toml").read_text(encoding="utf-8")
    installing, *asking = commands.splitlines()
    assert installing in (PLUGIN / "README.md").read_text(encoding="utf-8")
    assert (ROOT / installing.split()[-1]).resolve() == PLUGIN

    install(tmp_path / "site", "outreach_webhook", SOURCE, {"webhook": "outreach_webhook:KIND"})
    (tmp_path / "engines").mkdir()
    (tmp_path / "engines" / "gateway.yaml").write_text(blocks("yaml")[0])
    for command in asking:
        name, *arguments = command.split()
        assert name == "outreach"
        subprocess.run([sys.executable, "-m", "outreach_stream.cli", *arguments], check=True, timeout=60,
                       env=os.environ | {"PYTHONPATH": str(tmp_path / "site"), "OUTREACH_CATALOG": str(tmp_path)})


def test_what_it_points_to_is_there():
    """Links and folders, and the table in which the worlds stand."""
    for target in re.findall(r"\]\(([^)#]+)\)", DOCUMENT):
        assert (ROOT / "docs" / target).exists(), target
    assert "WORLDS" in "".join(path.read_text(encoding="utf-8") for path in (ROOT / "tests" / "contract").glob("*.py"))
    for place in ("outreach_stream/domain/ports.py", "outreach_stream/inbox/providers", "tests/contract"):
        assert place in DOCUMENT
        assert (ROOT / place).exists()
