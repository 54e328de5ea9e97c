"""A broker that goes in the moment after it has answered."""

import pytest
from aiokafka.errors import KafkaError, NodeNotReadyError

from outreach_stream.broker.errors import BrokerUnreachableError
from outreach_stream.cli import kafka
from outreach_stream.settings import Settings

NAMED = Settings(kafka_bootstrap="127.0.0.1:9092")


@pytest.fixture
def prepared(monkeypatch: pytest.MonkeyPatch) -> list[Exception | None]:
    """How often the topics were looked at, each time with this to come of it; a broker always answers."""
    outcomes: list[Exception | None] = []

    async def prepare(*_: object, **__: object) -> None:
        if error := outcomes.pop(0):
            raise error

    async def reached(_bootstrap: str) -> bool:
        return True

    monkeypatch.setattr(kafka, "prepare", prepare)
    monkeypatch.setattr(kafka, "reached", reached)
    return outcomes


@pytest.mark.parametrize("error", [NodeNotReadyError(), BrokerUnreachableError("gone"), ConnectionError()])
async def test_it_is_waited_for_once_more(prepared: list[Exception | None], error: Exception) -> None:
    """A service that starts while Kafka restarts goes on when it is back."""
    prepared[:] = [error, None]
    async with kafka.kafka_for(NAMED) as bootstrap:
        assert bootstrap == "127.0.0.1:9092"
    assert not prepared


async def test_what_stays_is_told(prepared: list[Exception | None]) -> None:
    """Of a broker that answers and does nothing else, it is told what it said last."""
    prepared[:] = [NodeNotReadyError(), NodeNotReadyError()]
    with pytest.raises(KafkaError):
        async with kafka.kafka_for(NAMED):
            pass
