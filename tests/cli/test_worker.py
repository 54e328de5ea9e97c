"""`outreach worker` with real processes and a real Kafka."""

import signal
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from tests.cli.conftest import CATALOG, Outreach, alive, family, running, wait_until_gone


def until[T](found: Callable[[], T], seconds: float = 120) -> T:
    deadline = time.monotonic() + seconds
    while not (value := found()):
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.2)
    return value


def roles(supervisor: int) -> dict[str, int]:
    return {each.cmdline()[-1]: each.pid for each in alive(family(supervisor)[1:]) if "worker" in each.cmdline()}


@pytest.mark.timeout(400)
def test_all_starts_kafka_and_every_role_and_restarts_what_is_killed(tmp_path: Path) -> None:
    """Without settings `worker all` brings a Kafka of its own; a killed role comes back; kill -9 takes all with it."""
    log = tmp_path / "log"
    with log.open("w") as err, running(tmp_path, "worker", "all", stderr=err,
                                       settings={"OUTREACH_CATALOG": CATALOG}) as supervisor:
        until(lambda: log.read_text().count("worker_started") >= 3)
        before = roles(supervisor.pid)
        assert before.keys() == {"aggregator", "dispatcher", "sender"}

        psutil.Process(before["sender"]).kill()
        until(lambda: roles(supervisor.pid).get("sender", before["sender"]) != before["sender"])

        assert roles(supervisor.pid)["aggregator"] == before["aggregator"]
        assert '"process_died"' in log.read_text()
        processes = family(supervisor.pid)
        assert any("java" in each.name() for each in processes)
        supervisor.kill()
        wait_until_gone(processes)


@pytest.mark.timeout(300)
def test_sigterm_ends_a_single_worker_with_0(tmp_path: Path, kafka_topics: str) -> None:
    """One role works in this very process, has its state in the folder it was given, and SIGTERM ends it cleanly."""
    log = tmp_path / "log"
    with log.open("w") as err, running(
            tmp_path, "worker", "sender", "--data-dir", str(tmp_path / "own"), "--instance", "b", stderr=err,
            settings={"OUTREACH_KAFKA_BOOTSTRAP": kafka_topics, "OUTREACH_CATALOG": CATALOG}) as worker:
        until(lambda: "worker_started" in log.read_text())
        assert len(family(worker.pid)) == 1

        worker.send_signal(signal.SIGTERM)

        assert worker.wait(60) == 0
    assert (tmp_path / "own" / "b" / "sender").is_dir()


def test_a_layout_that_differs_is_2_and_said(outreach: Outreach, kafka_topics: str) -> None:
    """A worker does not begin on topics with other partition counts than its settings say."""
    answer = outreach("worker", "sender", OUTREACH_KAFKA_BOOTSTRAP=kafka_topics, OUTREACH_PARTITIONS_LANES="3",
                      OUTREACH_CATALOG=CATALOG)

    assert answer.returncode == 2
    assert "send.requested: has 8 partitions, the layout says 3" in answer.stderr


@pytest.mark.parametrize("role", ["aggregator", "dispatcher", "sender", "all"])
def test_a_catalog_that_cannot_be_used_is_2_and_all_of_it_said(outreach: Outreach, tmp_path: Path, role: str) -> None:
    """Before anything is begun, and not as a process that dies again and again."""
    engines = tmp_path / "broken" / "engines"
    engines.mkdir(parents=True)
    (engines / "one.yaml").write_text("kind: smtp\nhots: localhost\n")
    (engines / "two.yaml").write_text("kind: smtp\nhost: localhost\nrate: 0\n")

    answer = outreach("worker", role, OUTREACH_CATALOG=str(tmp_path / "broken"), OUTREACH_KAFKA_BOOTSTRAP="127.0.0.1:1")

    assert answer.returncode == 2
    assert "engines/one.yaml: hots" in answer.stderr
    assert "engines/two.yaml: rate" in answer.stderr
    assert "Traceback" not in answer.stderr
