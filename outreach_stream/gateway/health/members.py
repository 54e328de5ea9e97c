"""Who works: the members of the roles' consumer groups, as the broker knows them."""

from typing import override

from aiokafka.client import AIOKafkaClient, CoordinationType
from aiokafka.protocol.admin import DescribeGroupsRequest_v2
from aiokafka.protocol.api import Request

ROLES = ("aggregator", "dispatcher", "sender")


class _DescribeGroups(Request[DescribeGroupsRequest_v2]):  # type: ignore[misc]  # untyped library
    """2026-11-24: aiokafka 0.14's own request asks for version 3 and decodes the answer as version 2, which fails."""

    API_KEY = 15

    def __init__(self, groups: list[str]) -> None:
        self._groups = groups

    @override
    def build(self, request_struct_class: type[DescribeGroupsRequest_v2]) -> DescribeGroupsRequest_v2:
        return request_struct_class(self._groups)


async def members(client: AIOKafkaClient) -> dict[str, int]:
    """Workers of each role. Raises KafkaError."""
    counts = dict.fromkeys(ROLES, 0)
    for role in ROLES:
        group = f"outreach-{role}"
        node = await client.coordinator_lookup(CoordinationType.GROUP, group)
        answer = await client.send(node, _DescribeGroups([group]))
        counts[role] = sum(len(found[5]) for found in answer.groups)
    return counts
