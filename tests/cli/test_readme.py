"""The README tells what is there: every command, every option it names, every setting."""

import re
from pathlib import Path

from typer.testing import CliRunner

from outreach_stream.cli import COMMANDS, app
from outreach_stream.settings import Settings

README = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
ROWS = re.findall(r"^\| `outreach ([\w-]+) ?(.*?)` \|", README, re.MULTILINE)


def test_the_table_of_commands_has_every_command_and_no_other() -> None:
    """What README's table lists is what `outreach --help` lists, in any order."""
    assert sorted(name for name, _ in ROWS) == sorted(COMMANDS)


def test_every_option_in_the_table_exists() -> None:
    """Each option and subcommand that the table names is in the command's own help."""
    for name, arguments in ROWS:
        shown = CliRunner().invoke(app, [name, "--help"], env={"COLUMNS": "200", "TERM": "dumb"}).output
        for word in re.findall(r"--[\w-]+", arguments):
            if name not in {"catalog", "topics", "engine", "dead-letters", "schedule", "events", "token"}:
                assert word in shown, f"{name} {word}"
        for word in re.findall(r"^[a-z]+(?:\\\|[a-z]+)*", arguments):
            assert all(each in shown for each in word.split("\\|")), f"{name} {word}"


def test_commands_in_examples_exist() -> None:
    """Every `outreach …` in a shell example is a command."""
    examples = "".join(re.findall(r"```sh\n(.*?)```", README, re.DOTALL))

    assert set(re.findall(r"^outreach ([\w-]+)", examples, re.MULTILINE)) <= set(COMMANDS)


def test_the_table_of_settings_is_that_of_the_program() -> None:
    """One row for each setting, with its default and its description word for word."""
    rows = [f"| `OUTREACH_{name.upper()}` | {default}| {field.description} |"
            for name, field in Settings.model_fields.items()
            for default in [_default(name)]]

    assert re.findall(r"^\| `OUTREACH_.*$", README, re.MULTILINE) == rows


def _default(name: str) -> str:
    field = Settings.model_fields[name]
    if field.default_factory is not None:
        return "`~/.cache/outreach-stream` "
    return "" if field.default is None else f"`{field.default}` "


def test_every_test_that_the_guarantees_name_exists() -> None:
    """A promise whose proof was renamed or removed is noticed."""
    root = Path(__file__).parents[2]
    guarantees = (root / "docs" / "guarantees.md").read_text(encoding="utf-8")
    named = re.findall(r"`(tests/[\w/]+\.py)::(test_\w+)`", guarantees)

    missing = [f"{file}::{test}" for file, test in named
               if not (root / file).is_file() or f"def {test}(" not in (root / file).read_text(encoding="utf-8")]
    assert named
    assert missing == []


def test_links_between_the_documents_lead_somewhere() -> None:
    """Every relative link in the documents is a file."""
    root = Path(__file__).parents[2]
    for document in (*root.glob("*.md"), *root.glob("docs/*.md")):
        for target in re.findall(r"\]\((?!https?:)([^)#]+)\)", document.read_text(encoding="utf-8")):
            assert (document.parent / target).exists(), f"{document.name}: {target}"
