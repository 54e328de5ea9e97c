"""The embedded broker, for real: it starts, survives a kill with its records, and leaves nothing behind."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from outreach_stream.broker.admin import create_topics
from outreach_stream.broker.embedded import EmbeddedBroker
from outreach_stream.broker.errors import BrokerStartError
from outreach_stream.topics import CONTROL, Layout


async def test_records_survive_a_kill(kafka_broker: EmbeddedBroker) -> None:
    """A record that was acknowledged is read again after kill -9 and a start, on the same port."""
    before = kafka_broker.bootstrap
    await create_topics(before, Layout())
    async with AIOKafkaProducer(bootstrap_servers=before, acks="all") as producer:
        await producer.send_and_wait(CONTROL.name, b"kept", key=b"k")

    kafka_broker.kill()
    assert not kafka_broker.running
    await kafka_broker.start()

    assert kafka_broker.bootstrap == before
    async with AIOKafkaConsumer(CONTROL.name, bootstrap_servers=before, auto_offset_reset="earliest") as consumer:
        assert (await consumer.getone()).value == b"kept"


async def test_a_stopped_broker_leaves_no_process(kafka_broker: EmbeddedBroker) -> None:
    """After stop the JVM is gone, and stopping again is no error."""
    pid = kafka_broker.pid

    await kafka_broker.stop()
    await kafka_broker.stop()

    assert not psutil.pid_exists(pid)


async def test_a_broker_that_dies_at_its_start_says_why(tmp_path: Path, cache_dir: Path) -> None:
    """The error quotes the end of Kafka's log, and the folder is free again."""
    broker = EmbeddedBroker(tmp_path / "kafka", cache_dir)
    (tmp_path / "kafka" / "records").mkdir(parents=True)
    (tmp_path / "kafka" / "records" / "meta.properties").write_text("version=99\n")

    with pytest.raises(BrokerStartError, match=r"(?s)died while it started.*kafka\.log.*meta\.properties"):
        await broker.start()

    await broker.folder.lock()
    broker.folder.unlock()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_the_broker_ends_with_the_command_that_runs_it(tmp_path: Path, cache_dir: Path, number: signal.Signals) -> None:
    """Ctrl-C, a polite and an impolite kill of `outreach broker` all take the JVM along."""
    with subprocess.Popen(
        [sys.executable, "-m", "outreach_stream.cli", "broker", "--data-dir", str(tmp_path), "--port", "0"], text=True,
        stdout=subprocess.PIPE, env=os.environ | {"OUTREACH_CACHE_DIR": str(cache_dir)},
    ) as command:
        assert command.stdout is not None
        assert any("Kafka is ready: OUTREACH_KAFKA_BOOTSTRAP=127.0.0.1:" in line for line in command.stdout)
        (jvm,) = psutil.Process(command.pid).children()

        command.send_signal(number)

        assert command.wait(timeout=15) == (-number if number == signal.SIGKILL else 0)
        assert psutil.wait_procs([jvm], timeout=5)[1] == []
