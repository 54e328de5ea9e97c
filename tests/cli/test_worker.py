"""`outreach worker` with real processes and a real Kafka."""

import signal
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from tests.cli.conftest import Outreach, alive, family, running, wait_until_gone


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
    with log.open("w") as err, running(tmp_path, "worker", "all", stderr=err) as supervisor:
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
            settings={"OUTREACH_KAFKA_BOOTSTRAP": kafka_topics}) as worker:
        until(lambda: "worker_started" in log.read_text())
        assert len(family(worker.pid)) == 1

        worker.send_signal(signal.SIGTERM)

        assert worker.wait(60) == 0
    assert (tmp_path / "own" / "b" / "sender").is_dir()


def test_a_layout_that_differs_is_2_and_said(outreach: Outreach, kafka_topics: str) -> None:
    """A worker does not begin on topics with other partition counts than its settings say."""
    answer = outreach("worker", "sender", OUTREACH_KAFKA_BOOTSTRAP=kafka_topics, OUTREACH_PARTITIONS_LANES="3")

    assert answer.returncode == 2
    assert "send.requested: has 8 partitions, the layout says 3" in answer.stderr
