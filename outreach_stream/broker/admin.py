"""Topics are created and looked at here, on any Kafka; what they must be like is said in `layout`."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import KafkaError, TopicAlreadyExistsError, for_code

from outreach_stream.broker.access import kafka_access
from outreach_stream.broker.errors import BrokerUnreachableError, TopicCreationError
from outreach_stream.broker.layout import Problem, TopicState, problems, topic_config
from outreach_stream.topics import FLOW, Layout

VISIBLE_TIMEOUT = 30.0
"""Seconds until a broker must show the topics it has said to be created."""


async def create_topics(bootstrap: str, layout: Layout, replication: int = 1, insync: int = 1) -> list[str]:
    """Create every topic that is not there; returns their names. Topics that are there are left as they are.

    Each has `replication` replicas, of which `insync` must have a record before it counts. May be called by several
    processes at once. Returns when the broker shows all topics.
    """
    async with _admin(bootstrap) as admin:
        there = await _described(admin)
        new = [
            NewTopic(topic.name, layout.partitions(topic), replication, topic_configs=topic_config(topic, insync))
            for topic in FLOW if topic.name not in there
        ]
        if not new:
            return []
        created = _created(await admin.create_topics(new))
        async with asyncio.timeout(VISIBLE_TIMEOUT):
            while {topic.name for topic in FLOW} - (await _described(admin)).keys():  # noqa: ASYNC110 - it tells nobody
                await asyncio.sleep(0.02)
        return created


def _created(response: object) -> list[str]:
    """Names of the topics made by us; another process may have been quicker with some."""
    names = []
    for name, code, reason in response.topic_errors:  # type: ignore[attr-defined]
        error = for_code(code)
        if code and error is not TopicAlreadyExistsError:
            raise TopicCreationError(f"The broker refused to create {name}: {reason or error.description}")
        if not code:
            names.append(name)
    return names


async def check_topics(bootstrap: str, layout: Layout, replication: int = 1, insync: int = 1) -> list[Problem]:
    """What is wrong with the topics of the broker at `bootstrap`; an empty list is good news."""
    return problems(layout, await describe_topics(bootstrap), replication, insync)


async def describe_topics(bootstrap: str) -> dict[str, TopicState]:
    """Those of our topics that the broker has, in flow order."""
    async with _admin(bootstrap) as admin:
        there = await _described(admin)
        resources = [ConfigResource(ConfigResourceType.TOPIC, name) for name in there]
        responses = await admin.describe_configs(resources) if resources else []
        configs = {
            resource[3]: {entry[0]: entry[1] for entry in resource[4]}
            for response in responses for resource in response.resources
        }
    return {name: TopicState(len(replicas), configs.get(name, {}), min(replicas, default=0))
            for name, replicas in there.items()}


async def _described(admin: AIOKafkaAdminClient) -> dict[str, list[int]]:
    """How many replicas each partition of our topics has.

    All topics are asked for: asking by name would create a missing one.
    """
    found = {topic["topic"]: [len(partition["replicas"]) for partition in topic["partitions"]]
             for topic in await admin.describe_topics()}
    return {topic.name: found[topic.name] for topic in FLOW if topic.name in found}


@asynccontextmanager
async def _admin(bootstrap: str) -> AsyncIterator[AIOKafkaAdminClient]:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap, request_timeout_ms=20_000, **kafka_access())
    try:
        await admin.start()
    except (KafkaError, OSError) as error:
        await admin.close()
        raise BrokerUnreachableError(f"No Kafka answers at {bootstrap}.") from error
    try:
        yield admin
    finally:
        await admin.close()
