"""How the laptop's Kafka is configured. Values in, text out."""

from dataclasses import dataclass
from pathlib import Path

LOOPBACK = "127.0.0.1"

MAX_MESSAGE_BYTES = 2 * 1024 * 1024
"""The largest record batch taken. A run chunk is 256 KiB at most; Faust's batches and changelogs need some room."""


@dataclass(frozen=True, slots=True)
class Ports:
    """Both on loopback: `broker` for clients, `controller` for the metadata quorum of one."""

    broker: int
    controller: int


def server_properties(data_dir: Path, ports: Ports) -> str:
    """The `server.properties` of a single node that is broker and controller, with its records under `data_dir`."""
    settings = {
        "process.roles": "broker,controller",
        "node.id": "1",
        # A static quorum, not a dynamic one: the controller's port may differ from start to start.
        "controller.quorum.voters": f"1@{LOOPBACK}:{ports.controller}",
        "controller.listener.names": "CONTROLLER",
        "listeners": f"PLAINTEXT://{LOOPBACK}:{ports.broker},CONTROLLER://{LOOPBACK}:{ports.controller}",
        "advertised.listeners": f"PLAINTEXT://{LOOPBACK}:{ports.broker}",
        "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
        "log.dirs": str(data_dir / "records"),
        # Topics have a layout: a misspelt name must fail, not become a topic of one partition.
        "auto.create.topics.enable": "false",
        "message.max.bytes": str(MAX_MESSAGE_BYTES),
        "replica.fetch.max.bytes": str(MAX_MESSAGE_BYTES),
        # One node: nothing can be replicated.
        "default.replication.factor": "1",
        "min.insync.replicas": "1",
        "offsets.topic.replication.factor": "1",
        "transaction.state.log.replication.factor": "1",
        "transaction.state.log.min.isr": "1",
        "share.coordinator.state.topic.replication.factor": "1",
        "share.coordinator.state.topic.min.isr": "1",
        # Each partition of these is a folder and a file that must be opened at every start.
        "offsets.topic.num.partitions": "4",
        "transaction.state.log.num.partitions": "4",
        "share.coordinator.state.topic.num.partitions": "1",
        # Nobody waits for other members to join, and tests may use sessions of one second.
        "group.initial.rebalance.delay.ms": "0",
        "group.min.session.timeout.ms": "1000",
        # After a kill the node waits until its own earlier session has run out: 9 s by default.
        "broker.session.timeout.ms": "2000",
        "broker.heartbeat.interval.ms": "250",
        "num.network.threads": "2",
        "num.io.threads": "4",
        "log.cleaner.dedupe.buffer.size": str(16 * 1024 * 1024),
    }
    return "".join(f"{key}={value}\n" for key, value in settings.items())
