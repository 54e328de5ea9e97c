"""A folder's broker comes back where its clients look for it: on the port it had."""

import asyncio
import socket
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from outreach_stream.broker import folder as folder_module
from outreach_stream.broker.embedded import EmbeddedBroker
from outreach_stream.broker.errors import NoBrokerError
from outreach_stream.broker.folder import DataFolder
from outreach_stream.broker.ports import choose_ports
from outreach_stream.cli.kafka import find_kafka, kafka_folder, kafka_for
from outreach_stream.settings import Settings


def configured(path: Path, port: int = 0) -> EmbeddedBroker:
    """A broker of the folder as a process has it that starts it: its port chosen and written down."""
    broker = EmbeddedBroker(path, path / "no jars needed", port=port)
    broker.folder.configure(broker.configuration())
    return broker


def test_a_new_folder_has_no_port(tmp_path: Path) -> None:
    """Nothing is kept before the first start, so folders do not share a port."""
    assert DataFolder(tmp_path).address is None
    assert DataFolder(tmp_path).port == 0


def test_the_next_process_takes_the_port_of_the_last(tmp_path: Path) -> None:
    """Whoever starts the broker of a folder; the configuration is replaced as a whole, and nothing said."""
    first = configured(tmp_path)

    with capture_logs() as log:
        second = configured(tmp_path)

    assert second.port == first.port
    assert DataFolder(tmp_path).address == first.bootstrap
    assert [path.name for path in tmp_path.iterdir()] == ["server.properties"]
    assert log == []


def test_a_port_that_was_taken_meanwhile_is_given_up_and_said(tmp_path: Path) -> None:
    """The broker starts all the same, elsewhere; the log has both ports, and the new one is kept from then on."""
    earlier = configured(tmp_path).port

    with socket.create_server(("127.0.0.1", earlier)), capture_logs() as log:
        moved = configured(tmp_path)

    assert moved.port != earlier
    assert [(line["event"], line["earlier"], line["port"]) for line in log] == [("broker_moved", earlier, moved.port)]
    assert configured(tmp_path).port == moved.port


def test_a_port_that_is_asked_for_decides(tmp_path: Path) -> None:
    """Over the folder's, without a word, and becomes the folder's."""
    configured(tmp_path)
    asked = choose_ports(0).broker

    with capture_logs() as log:
        broker = configured(tmp_path, asked)

    assert broker.port == asked
    assert configured(tmp_path).port == asked
    assert log == []


async def test_a_folder_is_in_use_while_it_is_locked(tmp_path: Path) -> None:
    """Looking takes nothing: the folder can be locked after it, and is free when it is given back."""
    place = DataFolder(tmp_path)
    assert not place.in_use

    await place.lock()
    assert DataFolder(tmp_path).in_use
    place.unlock()

    assert not DataFolder(tmp_path).in_use
    await place.lock()
    place.unlock()


async def test_who_answers_at_the_port_of_a_stopped_broker_is_not_taken_for_it(
        tmp_path: Path, kafka: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another Kafka that has the port now has other records: a state folder's is the one that holds its lock."""
    monkeypatch.delenv("OUTREACH_KAFKA_BOOTSTRAP", raising=False)
    settings = Settings(state_dir=tmp_path, kafka_bootstrap=None)
    place = DataFolder(kafka_folder(settings))
    place.path.mkdir()
    place.configure(f"advertised.listeners=PLAINTEXT://{kafka}\n")

    with pytest.raises(NoBrokerError, match="none runs on"):
        await find_kafka(settings)
    await place.lock()

    assert await find_kafka(settings) == kafka
    place.unlock()


async def test_of_two_commands_that_start_at_once_one_starts_the_broker(
        tmp_path: Path, cache_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both work with the same one, on the port that the folder had before; after it the next would be there again."""
    monkeypatch.setattr(folder_module, "LOCK_PATIENCE", 0.5)
    settings = Settings(state_dir=tmp_path, cache_dir=cache_dir, kafka_bootstrap=None)
    kafka_folder(settings).mkdir()
    earlier = configured(kafka_folder(settings)).bootstrap
    both = asyncio.Barrier(2)

    async def command() -> str:
        async with kafka_for(settings) as bootstrap:
            await both.wait()
        return bootstrap

    with capture_logs() as log:
        assert await asyncio.gather(command(), command()) == [earlier, earlier]

    assert [line["event"] for line in log].count("broker_started") == 1
    assert not DataFolder(kafka_folder(settings)).in_use
    assert configured(kafka_folder(settings)).bootstrap == earlier


def test_broker_and_controller_never_have_the_same_port(monkeypatch: pytest.MonkeyPatch) -> None:
    """Though each is free, and chance names the same one to both."""
    free = choose_ports(0)
    monkeypatch.setattr("outreach_stream.broker.ports.random.sample", lambda *_: [free.broker, free.controller])
    assert choose_ports(0) == free
