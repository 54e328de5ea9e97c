"""The command line as a contract: names, exit codes, and errors that say what to do."""

import re
import sys
from concurrent.futures import ThreadPoolExecutor
from importlib import import_module

import pytest
import typer

from outreach_stream.cli import COMMANDS, main
from tests.cli.conftest import Outreach

NOBODY = "127.0.0.1:9"


def test_help_names_every_command(outreach: Outreach) -> None:
    """`outreach --help` lists all commands with their summaries."""
    answer = outreach("--help")

    assert answer.returncode == 0
    for name in COMMANDS:
        assert re.search(rf"^\W*{name} ", answer.stdout, re.MULTILINE), name


def test_version(outreach: Outreach) -> None:
    """`outreach --version` names the program and the version that is installed."""
    from importlib.metadata import version

    answer = outreach("--version")

    assert answer.returncode == 0
    assert answer.stdout == f"outreach-stream {version('outreach-stream')}\n"


@pytest.mark.parametrize(("command", "says"), [
    ("worker", "[default: (OUTREACH_STATE_DIR)]"), ("gateway", "[default: (OUTREACH_GATEWAY_PORT)]"),
    ("broker", "[default: (kafka in OUTREACH_STATE_DIR)]"), ("trigger", "[default: (the workflow's)]"),
])
def test_help_names_the_settings_that_options_stand_for(outreach: Outreach, command: str, says: str) -> None:
    """Which setting is used without the option is to be read in the help, whatever markup the help is in."""
    assert says in outreach(command, "--help", COLUMNS="200").stdout


def test_help_fills_its_lines(outreach: Outreach) -> None:
    """A paragraph ends a line where the terminal does, not where the source file did."""
    shown = outreach("demo", "--help", COLUMNS="200").stdout

    assert "provider's HTTP API (it refuses about one address in a hundred for good" in shown


def test_help_loads_no_kafka_sql_or_web_server() -> None:
    """Help is there in a moment because the heavy libraries stay out."""
    import subprocess

    heavy = ["faust", "aiokafka", "sqlalchemy", "fastapi", "uvicorn", "httpx", "jinja2", "pydantic"]
    script = ("import sys\nfrom outreach_stream.cli import app\n"
              "try: app(['--help'])\nexcept SystemExit: pass\n"
              f"print('loaded:', [name for name in {heavy} if name in sys.modules])")
    answer = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)

    assert answer.stdout.splitlines()[-1] == "loaded: []"


@pytest.mark.parametrize("name", COMMANDS)
def test_the_table_says_what_the_command_says(name: str) -> None:
    """Every command of the table can be loaded; its summary there is the first line of its own help."""
    module, _, attribute = COMMANDS[name].place.partition(":")
    found = getattr(import_module(f"outreach_stream.cli.{module}"), attribute)

    assert isinstance(found, typer.Typer) or found.__doc__.startswith(COMMANDS[name].summary)


@pytest.mark.parametrize("arguments", [
    ("trigger", "1", "--slot", "soon"), ("trigger", "1", "--param", "discount"), ("trigger", "1", "--recipient", "ann"),
    ("trigger", "1", "--priority", "high"), ("trigger",), ("worker", "cook"), ("nonsense",),
    ("worker", "sender", "--instance", "../up"), ("cancel",), ("pause", "r", "--wait", "--timeout", "0"),
    ("replay", "r", "--status", "sent"), ("engine", "stop", "relay"), ("dead-letters", "show", "first"),
])
def test_wrong_usage_is_2(outreach: Outreach, arguments: tuple[str, ...]) -> None:
    """What is wrong with the command line is said at once, before anything is connected, with exit code 2."""
    answer = outreach(*arguments)

    assert answer.returncode == 2
    assert answer.stderr
    assert "Traceback" not in answer.stderr


def test_a_wrong_setting_is_2_and_names_its_variable(outreach: Outreach) -> None:
    """A setting that cannot be used is named as it is spelt in the environment."""
    answer = outreach("trigger", "1", OUTREACH_GATEWAY_PORT="http")

    assert answer.returncode == 2
    assert "OUTREACH_GATEWAY_PORT" in answer.stderr


def test_a_broker_that_is_away_is_3_and_the_ways_out_are_named(outreach: Outreach) -> None:
    """Exit code 3, with the choices: another address, docker compose, the embedded one. Each waits for some seconds."""
    commands = [("trigger", "1"), ("watch", "some-run"), ("topics", "list"), ("topics", "check"),
                ("dead-letters", "list")]
    with ThreadPoolExecutor() as together:
        answers = list(together.map(lambda arguments: outreach(*arguments, OUTREACH_KAFKA_BOOTSTRAP=NOBODY), commands))

    for answer in answers:
        assert answer.returncode == 3
        assert NOBODY in answer.stderr
        assert "docker compose" in answer.stderr
        assert "Traceback" not in answer.stderr
        assert "Unable connect" not in answer.stderr, "the library's own words"


@pytest.mark.parametrize("arguments", [("topics", "list"), ("watch", "some-run")])
def test_an_address_that_is_none_is_2(outreach: Outreach, arguments: tuple[str, ...]) -> None:
    """What can be no address of a broker is said at once, with what one looks like."""
    answer = outreach(*arguments, OUTREACH_KAFKA_BOOTSTRAP="kafka")

    assert answer.returncode == 2
    assert "write host:port" in answer.stderr


def test_no_broker_named_and_none_running_is_3(outreach: Outreach) -> None:
    """Without an address and without an embedded broker a trigger says how to get one."""
    answer = outreach("trigger", "1")

    assert answer.returncode == 3
    assert "OUTREACH_KAFKA_BOOTSTRAP" in answer.stderr
    assert "outreach worker all" in answer.stderr


def test_a_taken_gateway_port_is_said(outreach: Outreach) -> None:
    """A port that is taken ends the gateway at once, and the message names the option to change it."""
    import socket

    with socket.create_server(("127.0.0.1", 0)) as taken:
        answer = outreach("gateway", "--port", str(taken.getsockname()[1]), OUTREACH_KAFKA_BOOTSTRAP=NOBODY)

    assert answer.returncode == 1
    assert "--port" in answer.stderr


def test_main_is_the_console_script() -> None:
    """The installed script calls `outreach_stream.cli:main`."""
    from importlib.metadata import entry_points

    (script,) = entry_points(group="console_scripts", name="outreach")
    assert script.load() is main
