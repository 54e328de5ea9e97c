"""The topics of `topics.py` on a real broker: what they must be like, and what differs from that. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass

from outreach_stream.topics import FLOW, RUN_CHUNK, RUN_EVENT, WORKFLOW_SPEC, Layout, Topic

_MIB = 1024 * 1024

ROOMY: Mapping[Topic, int] = {RUN_CHUNK: 2 * _MIB, RUN_EVENT: 2 * _MIB, WORKFLOW_SPEC: 4 * _MIB}
"""Bytes of the largest record batch, where it is more than Kafka's usual 1 MiB: a chunk of recipients, a run's inline
recipients, all bodies and files of a workflow."""


@dataclass(frozen=True, slots=True)
class TopicState:
    """A topic as the broker has it."""

    partitions: int
    config: Mapping[str, str]
    replicas: int = 1
    """Of the partition that has the fewest."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One difference between a topic and what it must be, as a sentence to act on."""

    topic: str
    text: str
    grave: bool = True
    """Nothing may begin with it; False: everything works, and some day something may be lost."""

    def __str__(self) -> str:
        return f"{self.topic}: {self.text}"


def topic_config(topic: Topic, insync: int = 1) -> dict[str, str]:
    """Kafka's configuration of `topic`, of which a record counts when `insync` replicas have it.

    Compacted topics are read from their start by everybody who joins, so they are compacted early and often.
    """
    config = {
        "cleanup.policy": _cleanup_policy(topic),
        "retention.ms": "-1" if topic.keep is None else str(topic.keep * 1000),
        "min.insync.replicas": str(insync),
    }
    if topic.compacted:
        config |= {"segment.ms": "600000", "segment.bytes": str(64 * 1024 * 1024), "min.cleanable.dirty.ratio": "0.1"}
    if topic in ROOMY:
        config["max.message.bytes"] = str(ROOMY[topic])
    return config


def _cleanup_policy(topic: Topic) -> str:
    if not topic.compacted:
        return "delete"
    return "compact" if topic.keep is None else "compact,delete"


def problems(layout: Layout, found: Mapping[str, TopicState], replication: int = 1, insync: int = 1) -> list[Problem]:
    """Everything wrong with the topics `found` on a broker, in flow order. Other topics are nobody's business.

    Fewer replicas than `replication`, or records that count with fewer of them than `insync`, are not grave.
    """
    wrong = []
    for topic in FLOW:
        there = found.get(topic.name)
        texts = _differences(topic, layout, there) if there else ["is missing"]
        wrong += [Problem(topic.name, text) for text in texts]
        if there:
            wrong += [Problem(topic.name, text, grave=False) for text in _risks(there, replication, insync)]
    return wrong


def _risks(found: TopicState, replication: int, insync: int) -> list[str]:
    counts = int(found.config.get("min.insync.replicas", 1))
    texts = []
    if found.replicas < replication:
        texts.append(f"has {found.replicas} replicas, OUTREACH_REPLICATION says {replication}")
    if counts < insync:
        texts.append(f"has min.insync.replicas {counts}, should be {insync}: a record counts that may be lost with "
                     f"{'one broker' if counts == 1 else f'{counts} brokers'}")
    return texts


def _differences(topic: Topic, layout: Layout, found: TopicState) -> list[str]:
    wanted = topic_config(topic)
    texts = []
    if found.partitions != layout.partitions(topic):
        texts.append(f"has {found.partitions} partitions, the layout says {layout.partitions(topic)}")
    if _policies(found.config) != _policies(wanted):
        texts.append(f"has cleanup.policy {found.config.get('cleanup.policy')}, must be {wanted['cleanup.policy']}")
    if "delete" in _policies(wanted) and _forever(found.config) < _forever(wanted):
        texts.append(f"keeps records {found.config['retention.ms']} ms, must be {wanted['retention.ms']} at least")
    if (counts := int(found.config.get("min.insync.replicas", 1))) > found.replicas:
        texts.append(f"has min.insync.replicas {counts} and {found.replicas} replicas: nothing can be written")
    if int(found.config.get("max.message.bytes", 0)) < int(wanted.get("max.message.bytes", 0)):
        texts.append(f"takes {found.config.get('max.message.bytes')} bytes, must be {wanted['max.message.bytes']}")
    return texts


def _policies(config: Mapping[str, str]) -> set[str]:
    """A broker may answer `delete,compact` for `compact,delete`."""
    return set(config.get("cleanup.policy", "").split(","))


def _forever(config: Mapping[str, str]) -> float:
    """Milliseconds a record is kept; -1 is Kafka's word for ever."""
    kept = int(config["retention.ms"])
    return float("inf") if kept < 0 else kept
