"""What can go wrong with Kafka on a laptop, in words that say what to do about it."""

from aiokafka.errors import KafkaError

KAFKA_TROUBLE = (KafkaError, OSError, AssertionError)
"""What aiokafka's clients raise while a broker is away, hangs or comes back; a TimeoutError is an OSError.

AssertionError: a client that connects while the only broker is not let into its cluster yet learns of no broker at all,
and asserts at each request from then on that there is one (aiokafka 0.14, `AIOKafkaClient.coordinator_lookup`).
"""

WAYS_OUT = """One of these helps:
  - OUTREACH_KAFKA_BOOTSTRAP=host:port, to use a Kafka that runs somewhere;
  - docker compose up -d kafka, with OUTREACH_KAFKA_BOOTSTRAP=127.0.0.1:9092;
  - the network for one start of the embedded Kafka: it downloads 45 MB once, later starts need none."""


class BrokerError(Exception):
    """The broker cannot be had. The message is for a person and complete in itself."""


class NoBrokerError(BrokerError):
    """There is no Kafka to use: none is named, and the embedded one lacks something."""

    def __init__(self, lacking: str) -> None:
        super().__init__(f"There is no Kafka to use: {lacking}\n{WAYS_OUT}")


class BrokerStartError(BrokerError):
    """The embedded broker was started and is not there: it died, its port is taken, or its folder is in use."""


class FolderInUseError(BrokerStartError):
    """Another embedded broker runs on the folder, or is just being started there."""


class BrokerUnreachableError(BrokerError):
    """Nobody answers at the bootstrap address."""


class AccessRefusedError(BrokerUnreachableError):
    """A broker answers and does not let us in: certificate, login or protocol. Waiting would not help."""


class AccessSettingError(BrokerError):
    """A setting of how Kafka is reached points at something that cannot be read: nothing was tried."""


class TopicCreationError(BrokerError):
    """The broker refused to create a topic."""
