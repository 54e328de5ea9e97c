"""Several processes of a role under one `outreach worker`: what they are called, where they live, what they share."""

import signal
import socket
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest
from pydantic import ValidationError
from structlog.testing import capture_logs

from outreach_stream.cli.worker import ROLES, Role, look_at_counts, process_names, processes, role_programs, useful
from outreach_stream.settings import MOST_PROCESSES, Settings
from outreach_stream.topics import Layout
from tests.cli.conftest import CATALOG, Outreach, family, running, wait_until_gone
from tests.cli.test_worker import until
from tests.scraped import values

LANES = 8


def free_ports(count: int) -> int:
    """The first of so many ports in a row that nobody listens on."""
    while True:
        with ExitStack() as taken:
            first = taken.enter_context(socket.socket())
            first.bind(("127.0.0.1", 0))
            port = int(first.getsockname()[1])
            try:
                for number in range(port + 1, port + count):
                    taken.enter_context(socket.socket()).bind(("127.0.0.1", number))
            except (OSError, OverflowError):
                continue
            return port


def lanes(port: int) -> float:
    """The lanes of the sender that tells its metrics there; 0: it tells nothing yet."""
    try:
        said = httpx.get(f"http://127.0.0.1:{port}/metrics", timeout=5).text
    except httpx.TransportError:
        return 0
    return values(said, "outreach_partitions_assigned").get(("send.requested",), 0)


@pytest.mark.timeout(300)
def test_three_senders_of_one_command_share_the_lanes_and_end_with_it(tmp_path: Path) -> None:
    """Each has lanes, a port and a state folder of its own, all lanes have an owner, and one Ctrl-C ends everything."""
    log, port = tmp_path / "log", free_ports(3)
    with log.open("w") as err, running(
            tmp_path, "worker", "sender", stderr=err,
            settings={"OUTREACH_CATALOG": CATALOG, "OUTREACH_SENDERS": "3",
                      "OUTREACH_METRICS_PORT": str(port)}) as supervisor:
        shares = until(lambda: [s] if sum(s := [lanes(port + number) for number in range(3)]) == LANES and all(s)
                       else [])[0]
        started = family(supervisor.pid)
        supervisor.send_signal(signal.SIGINT)
        assert supervisor.wait(90) == 0
        wait_until_gone(started)

    assert sorted(shares) == [2, 3, 3]
    state = tmp_path / "state"
    members = {(state / own / "instance").read_text() for own in ("sender", "sender-2/sender", "sender-3/sender")}
    assert len(members) == 3
    assert '"instance": "sender-3"' in log.read_text()


def test_a_role_has_as_many_processes_as_its_setting_says() -> None:
    """Of the roles that are asked for; one of each without settings."""
    settings = Settings(senders=3, aggregators=2)

    assert processes(["all"], Settings()) == list(ROLES)
    assert processes(["sender"], settings) == [Role.SENDER] * 3
    assert processes(["sender", "dispatcher"], settings) == [Role.DISPATCHER, *[Role.SENDER] * 3]
    assert processes(["all"], settings) == [Role.AGGREGATOR, Role.AGGREGATOR, Role.DISPATCHER, *[Role.SENDER] * 3]


def test_each_process_has_a_name_a_folder_a_log_and_a_port_of_its_own() -> None:
    """The first of a role keeps its name and folder; the others are instances, and none starts more of its kind."""
    programs = role_programs(["dispatcher", "sender", "sender", "sender"], {"OUTREACH_SENDERS": "3"}, Path("/state"),
                             Path("/logs"), metrics_port=9464)

    assert [program.name for program in programs] == ["dispatcher", "sender", "sender-2", "sender-3"]
    assert [program.command[3:] for program in programs] == [
        ("worker", "dispatcher"), ("worker", "sender"), ("worker", "sender", "--instance", "sender-2"),
        ("worker", "sender", "--instance", "sender-3")]
    assert [program.env["OUTREACH_METRICS_PORT"] for program in programs] == ["9464", "9465", "9466", "9467"]
    assert [program.output for program in programs] == [Path(f"/logs/{program.name}.log") for program in programs]
    assert {program.env["OUTREACH_STATE_DIR"] for program in programs} == {"/state"}
    assert {program.env["OUTREACH_SENDERS"] for program in programs} == {"1"}


def test_names_are_counted_by_role() -> None:
    """Each role has its own first, whatever stands between."""
    assert process_names([Role.SENDER, "aggregator", "sender"]) == ["sender", "aggregator", "sender-2"]


@pytest.mark.parametrize("count", [0, MOST_PROCESSES + 1])
@pytest.mark.parametrize("role", ["aggregators", "dispatchers", "senders"])
def test_a_number_of_processes_that_cannot_be_is_refused(role: str, count: int) -> None:
    """None at all, or more than one command looks after."""
    with pytest.raises(ValidationError, match=role):
        Settings.model_validate({role: count})


def test_more_processes_than_partitions_are_warned_of() -> None:
    """With the role and both numbers; those that all have work are not."""
    settings = Settings(senders=9, aggregators=4)
    with capture_logs() as logs:
        look_at_counts(processes(["all"], settings), settings)

    assert logs == [{"event": "workers_without_partitions", "log_level": "warning", "role": "sender", "processes": 9,
                     "partitions": LANES}]


def test_what_a_role_can_use_is_the_most_partitions_of_its_topics() -> None:
    """Topics with other partition counts are shared out apart from each other."""
    layout = Layout(triggers=6, runs=2, engines=5, lanes=3)

    assert [useful(role, layout) for role in ROLES] == [6, 5, 3]


def test_ports_beyond_the_last_are_2_and_said(inside: Outreach) -> None:
    """Before anything is begun."""
    answer = inside("worker", "sender", OUTREACH_CATALOG=CATALOG, OUTREACH_SENDERS="4", OUTREACH_METRICS_PORT="65533")

    assert answer.returncode == 2
    assert "4 processes tell their metrics on the ports from 65533 on" in answer.stderr
