"""How far each role is behind: what its group has committed, and where its topics end, whether anybody works or not."""

from collections import defaultdict
from collections.abc import Iterable, Mapping

from aiokafka.client import AIOKafkaClient, CoordinationType
from aiokafka.errors import for_code
from aiokafka.protocol.commit import OffsetFetchRequest
from aiokafka.protocol.offset import OffsetRequest
from aiokafka.structs import TopicPartition

from outreach_stream.topics import (
    RUN_ADMITTED,
    RUN_ADMITTED_EXPRESS,
    RUN_EVENT,
    RUN_PLANNED,
    RUN_STATUS,
    SEND_REQUESTED,
    SEND_REQUESTED_EXPRESS,
    SEND_RESULT,
    WORKFLOW_TRIGGERED,
)

READS = {
    role: tuple(topic.name for topic in topics) for role, topics in {
        "aggregator": (WORKFLOW_TRIGGERED, RUN_EVENT, SEND_RESULT, RUN_STATUS),
        "dispatcher": (RUN_ADMITTED, RUN_ADMITTED_EXPRESS, RUN_PLANNED),
        "sender": (SEND_REQUESTED, SEND_REQUESTED_EXPRESS)}.items()}
"""What each role reads and acknowledges; its group commits nothing else."""

EARLIEST, LATEST = -2, -1
"""Times that stand for a partition's beginning and end."""
COMMITTED_ONLY = 1
"""Isolation: the end is where readers come to, before transactions that are still open."""

type Lag = dict[str, dict[str, int]]
"""Records that are not finished, by role and topic."""


async def lag(client: AIOKafkaClient) -> Lag:
    """Of every role. Raises KafkaError, OSError. Three requests, and two for each broker, however much is read."""
    await client.set_topics([topic for topics in READS.values() for topic in topics])
    committed = {role: await _committed(client, role) for role in READS}
    ends = await _offsets(client, [
        TopicPartition(topic, number) for topics in READS.values() for topic in topics
        for number in client.cluster.partitions_for_topic(topic) or ()], LATEST)
    for role, offsets in committed.items():
        offsets.update(await _offsets(client, [tp for tp in _of_role(ends, role) if tp not in offsets], EARLIEST))
    return behind(committed, ends)


def behind(reached: Mapping[str, Mapping[TopicPartition, int]], ends: Mapping[TopicPartition, int]) -> Lag:
    """By role and topic, from where each role has come to and where partitions end."""
    sums: Lag = {role: dict.fromkeys(READS[role], 0) for role in reached}
    for role, offsets in reached.items():
        for tp in _of_role(ends, role):
            sums[role][tp.topic] += max(0, ends[tp] - offsets.get(tp, 0))
    return sums


def _of_role(partitions: Iterable[TopicPartition], role: str) -> list[TopicPartition]:
    return [tp for tp in partitions if tp.topic in READS[role]]


async def _committed(client: AIOKafkaClient, role: str) -> dict[TopicPartition, int]:
    """Where the role's group has come to, as it committed it; partitions of which it committed nothing are not in."""
    group = f"outreach-{role}"
    node = await client.coordinator_lookup(CoordinationType.GROUP, group)
    answer = await client.send(node, OffsetFetchRequest(group, None))
    _raise(answer.error_code)
    return {TopicPartition(topic, number): offset for topic, partitions in answer.topics
            for number, offset, _, code in partitions if code == 0 and offset >= 0}


async def _offsets(client: AIOKafkaClient, partitions: Iterable[TopicPartition],
                   time: int) -> dict[TopicPartition, int]:
    """Where partitions begin or end; one whose leader is not known is not in."""
    leaders: defaultdict[int, defaultdict[str, list[tuple[int, int]]]] = defaultdict(lambda: defaultdict(list))
    for tp in partitions:
        leader = client.cluster.leader_for_partition(tp)
        if leader is not None and leader >= 0:
            leaders[leader][tp.topic].append((tp.partition, time))
    found: dict[TopicPartition, int] = {}
    for leader, asked in leaders.items():
        answer = await client.send(leader, OffsetRequest(-1, COMMITTED_ONLY, list(asked.items())))
        for topic, offsets in answer.topics:
            for number, code, _, offset, *_ in offsets:
                _raise(code)
                found[TopicPartition(topic, number)] = offset
    return found


def _raise(code: int) -> None:
    if code:
        raise for_code(code)
