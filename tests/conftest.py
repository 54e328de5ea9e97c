"""Real brokers for tests: one for the whole session, and one that a test may break."""

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

import docker
import hypothesis
import pytest
from docker.errors import DockerException
from testcontainers.community.kafka import KafkaContainer

from outreach_stream import confidential
from outreach_stream.broker.admin import create_topics
from outreach_stream.broker.embedded import EmbeddedBroker
from outreach_stream.settings import Settings
from outreach_stream.topics import Layout

from .class_cache import class_cache

hypothesis.settings.register_profile("any machine", deadline=None)     # a busy one is no reason to fail
hypothesis.settings.load_profile("any machine")


@pytest.fixture(autouse=True)
def no_secrets_of_other_tests(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a process has read as a secret it hides for ever: also where another test's is a word of this one."""
    for name, empty in (("_forms", {}), ("_words", ()), ("_heads", ())):
        monkeypatch.setattr(confidential, name, empty)


@pytest.fixture(scope="session")
def cache_dir() -> Iterator[Path]:
    """Where Kafka's jars lie: downloaded by the first run of the tests, shared with the program."""
    folder = Settings().cache_dir
    with class_cache(folder):
        yield folder


@pytest.fixture(scope="session")
def kafka(tmp_path_factory: pytest.TempPathFactory, cache_dir: Path) -> Iterator[str]:
    """Bootstrap address of a real broker for the session: leave it running, use topics and groups of your own."""
    source = broker_source(os.environ, docker_answers)
    if source == "named":
        yield os.environ["OUTREACH_KAFKA_BOOTSTRAP"]
        return
    with contained_broker() if source == "docker" else embedded_broker(tmp_path_factory, cache_dir) as bootstrap:
        yield bootstrap


def broker_source(environment: Mapping[str, str], docker_there: Callable[[], bool]
                  ) -> Literal["named", "docker", "embedded"]:
    """A broker that is named wins; then a container, where an engine answers; then the embedded one."""
    if environment.get("OUTREACH_KAFKA_BOOTSTRAP", "").strip():
        return "named"
    return "docker" if docker_there() else "embedded"


def docker_answers() -> bool:
    """Whether a Docker engine answers, within two seconds."""
    try:
        client = docker.from_env(timeout=2)
    except (DockerException, OSError):
        return False
    with client:
        try:
            return bool(client.ping())
        except (DockerException, OSError):
            return False


@contextmanager
def embedded_broker(tmp_path_factory: pytest.TempPathFactory, cache_dir: Path) -> Iterator[str]:
    """The program's own broker, in a folder of the session."""
    broker = EmbeddedBroker(tmp_path_factory.mktemp("kafka"), cache_dir)
    with asyncio.Runner() as runner:
        runner.run(broker.start())
        try:
            yield broker.bootstrap
        finally:
            runner.run(broker.stop())


@contextmanager
def contained_broker() -> Iterator[str]:
    """Kafka in a container, set up like the embedded one where tests can tell the difference."""
    container = KafkaContainer().with_kraft().with_envs(
        KAFKA_AUTO_CREATE_TOPICS_ENABLE="false",
        KAFKA_GROUP_MIN_SESSION_TIMEOUT_MS="1000",
        KAFKA_TRANSACTION_STATE_LOG_REPLICATION_FACTOR="1",
        KAFKA_TRANSACTION_STATE_LOG_MIN_ISR="1",
    )
    with container:
        yield container.get_bootstrap_server()


@pytest.fixture(scope="session")
def layout() -> Layout:
    """The layout of `kafka_topics`: the laptop's."""
    return Layout()


@pytest.fixture(scope="session")
def kafka_topics(kafka: str, layout: Layout) -> str:
    """`kafka` with all topics created; returns its bootstrap address."""
    asyncio.run(create_topics(kafka, layout))
    return kafka


@pytest.fixture
async def kafka_broker(tmp_path: Path, cache_dir: Path) -> AsyncIterator[EmbeddedBroker]:
    """A running embedded broker of the test's own, to `kill()`, `restart()` or freeze; no topics yet."""
    async with EmbeddedBroker(tmp_path / "kafka", cache_dir) as broker:
        yield broker
