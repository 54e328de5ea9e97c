"""What the shells are told when somebody presses Tab, by their own protocols."""

import resource
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from outreach_stream.cli.completing import TABLE, table
from outreach_stream.cli.completing.values import NEWEST, VALUES, runs
from outreach_stream.cli.completing.written import written
from tests.cli.conftest import CATALOG, environment

type Complete = Callable[..., list[str]]

SCRIPT = shutil.which("outreach", path=Path(sys.executable).parent)


@pytest.fixture
def complete(tmp_path: Path) -> Complete:
    """What is offered for the last word of a line, as a shell asks for it; the script's own name makes the protocol."""
    def completed(line: str, shell: str = "bash", **settings: str) -> list[str]:
        words = line.split(" ")
        asked = {"bash": {"COMP_WORDS": line, "COMP_CWORD": str(len(words) - 1)},
                 "zsh": {"_TYPER_COMPLETE_ARGS": line},
                 "fish": {"_TYPER_COMPLETE_ARGS": line, "_TYPER_COMPLETE_FISH_ACTION": "get-args"}}[shell]
        assert SCRIPT
        answer = subprocess.run([SCRIPT], capture_output=True, text=True, timeout=30, check=False, cwd=tmp_path, env={
            **environment(tmp_path, **settings), "_OUTREACH_COMPLETE": f"complete_{shell}", **asked})
        assert "Traceback" not in answer.stderr
        return [line for line in answer.stdout.splitlines() if line]
    return completed


def test_the_table_is_made_from_the_commands() -> None:
    """An option that was added, renamed or removed is noticed: `python -m outreach_stream.cli.completing`."""
    assert TABLE.read_text(encoding="utf-8") == written()


def test_what_is_completed_exists() -> None:
    """Every parameter that has values to offer is one of a command."""
    for path, parameter in VALUES:
        name, _, sub = path.partition(" ")
        known = table()[name]["commands"][sub] if sub else table()[name]
        assert parameter in {each["name"] for each in (*known["arguments"], *known["options"])}, path


@pytest.mark.parametrize(("line", "offered"), [
    ("outreach tr", ["trigger"]),
    ("outreach engine st", ["status", "stop"]),
    ("outreach trigger 1 --dea", ["--deadline"]),
    ("outreach engine check --js", ["--json"]),
    ("outreach worker se", ["sender"]),
    ("outreach worker aggregator di", ["dispatcher"]),
    ("outreach trigger ", ["1"]),
    ("outreach engine check in", ["inbox"]),
])
def test_commands_options_and_ids(complete: Complete, line: str, offered: list[str]) -> None:
    """Subcommands, options, fixed words, and the ids of the catalog's folder."""
    assert complete(line, OUTREACH_CATALOG=CATALOG) == offered


def test_it_is_there_in_a_moment(complete: Complete) -> None:
    """The deepest one costs less than a second of this machine: no command, and no library behind one, is loaded."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert "--to" in complete("outreach engine check --", OUTREACH_CATALOG=CATALOG)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)

    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < 1


def test_nothing_heavy_is_loaded() -> None:
    """As for the help: neither Kafka, nor SQL, nor a web server."""
    heavy = ["faust", "aiokafka", "sqlalchemy", "fastapi", "httpx", "jinja2", "pydantic", "structlog"]
    script = (f"import sys\nfrom outreach_stream.cli.completing import outline, table\n"
              f"[outline(name) for name in table()]\nprint([name for name in {heavy} if name in sys.modules])")
    answer = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)

    assert answer.stdout == "[]\n"


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_other_shells_are_told_with_the_help(complete: Complete, shell: str) -> None:
    """zsh and fish show what each thing is beside it."""
    shown = "\n".join(complete("outreach dead-letters re", shell))

    assert "replay" in shown
    assert "Put dead letters back" in shown


def test_runs_are_those_whose_logs_are_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The newest days first and not too many; other files are no runs, and a bucket is not asked."""
    for day, names in {"2026-03-01": ["old.json"], "2026-03-02": [f"r{i:03}.json.gz" for i in range(NEWEST)]}.items():
        (tmp_path / day).mkdir()
        for name in (*names, "notes.txt"):
            (tmp_path / day / name).write_text("")
    monkeypatch.setenv("OUTREACH_OUTPUT", str(tmp_path))

    assert runs() == [f"r{i:03}" for i in range(NEWEST)]
    monkeypatch.setenv("OUTREACH_OUTPUT", "s3://bucket/logs")
    assert runs() == []


def test_a_catalog_behind_an_address_is_not_asked(complete: Complete) -> None:
    """Tab waits for no network: there are no ids then, and no error."""
    assert complete("outreach trigger ", OUTREACH_CATALOG="https://catalog.example.com/v1") == []


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_of_each_shell_is_to_be_had(tmp_path: Path, shell: str) -> None:
    """`--show-completion SHELL` prints what `--install-completion` installs: it names the protocol's variable."""
    assert SCRIPT
    answer = subprocess.run([SCRIPT, "--show-completion"], capture_output=True, text=True, check=False, timeout=30,
                            env={**environment(tmp_path), "_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION": "1"})
    if "requires an argument" in answer.stderr:
        answer = subprocess.run([SCRIPT, "--show-completion", shell], capture_output=True, text=True, check=False,
                                timeout=30, env={**environment(tmp_path),
                                                 "_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION": "1"})
    assert f"_OUTREACH_COMPLETE=complete_{shell}" in answer.stdout
