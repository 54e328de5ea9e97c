"""What each process may do on a Kafka that asks (ACLs): the least with which it works. Pure.

A test runs the whole flow with nothing but these.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from outreach_stream.topics import (
    CONTROL,
    DEAD_LETTER,
    FLOW,
    LANE_PROGRESS,
    RUN_ADMITTED,
    RUN_ADMITTED_EXPRESS,
    RUN_CHUNK,
    RUN_EVENT,
    RUN_PLANNED,
    RUN_STATUS,
    SEND_REQUESTED,
    SEND_REQUESTED_EXPRESS,
    SEND_RESULT,
    SUPPRESSION,
    WORKFLOW_SPEC,
    WORKFLOW_TRIGGERED,
    Topic,
)

GROUPS = "outreach-"
"""How the names of all consumer groups begin; a role's is `outreach-ROLE`, and so begin its tables' changelogs."""


@dataclass(frozen=True, slots=True)
class Role:
    """What one kind of process reads and writes."""

    reads: tuple[Topic, ...] = ()
    writes: tuple[Topic, ...] = ()
    works: bool = False
    """It has a group, and tables with changelogs of their own, which it creates."""
    watches: bool = False
    """It looks at the groups of the others."""
    creates: bool = False
    """It creates topics."""


ROLES: Mapping[str, Role] = {
    "aggregator": Role(
        reads=(WORKFLOW_TRIGGERED, RUN_EVENT, RUN_CHUNK, SEND_RESULT, RUN_STATUS, CONTROL),
        writes=(RUN_EVENT, RUN_ADMITTED, RUN_ADMITTED_EXPRESS, WORKFLOW_SPEC, RUN_STATUS, CONTROL, DEAD_LETTER),
        works=True),
    "dispatcher": Role(
        reads=(RUN_ADMITTED, RUN_ADMITTED_EXPRESS, WORKFLOW_SPEC, RUN_CHUNK, RUN_PLANNED, LANE_PROGRESS, SUPPRESSION,
               CONTROL),
        writes=(RUN_EVENT, RUN_CHUNK, RUN_PLANNED, SEND_REQUESTED, SEND_REQUESTED_EXPRESS, DEAD_LETTER), works=True),
    "sender": Role(
        reads=(WORKFLOW_SPEC, SEND_REQUESTED, SEND_REQUESTED_EXPRESS, SUPPRESSION, CONTROL),
        writes=(SEND_REQUESTED, SEND_REQUESTED_EXPRESS, LANE_PROGRESS, SEND_RESULT, CONTROL, DEAD_LETTER), works=True),
    "gateway": Role(reads=(SEND_RESULT, RUN_STATUS, SUPPRESSION, CONTROL),
                    writes=(WORKFLOW_TRIGGERED, SUPPRESSION, CONTROL), watches=True),
    "ticker": Role(writes=(WORKFLOW_TRIGGERED,)),
    "operator": Role(reads=FLOW, writes=FLOW, watches=True, creates=True),
}
"""By the command's name; the operator is whoever uses the other commands (`topics`, `trigger`, `dead-letters`, …)."""

Resource = Literal["topic", "group"]
Operation = Literal["Read", "Write", "Create", "Describe", "DescribeConfigs"]

CHANGELOGS: tuple[Operation, ...] = ("Create", "Describe", "Read", "Write")
"""What a role does with the changelogs of its tables."""


@dataclass(frozen=True, slots=True)
class Grant:
    """One thing that is allowed; read and write allow to describe."""

    resource: Resource
    name: str
    operation: Operation
    prefixed: bool = False
    """It is allowed on whatever begins with the name."""


def grants(name: str) -> Iterator[Grant]:
    """All that the process of this name needs; KeyError for one that there is not."""
    role, own = ROLES[name], f"{GROUPS}{name}"
    for topic in FLOW:      # each compares all topics with the layout at its start
        yield Grant("topic", topic.name, "Describe")
        yield Grant("topic", topic.name, "DescribeConfigs")
        if topic in role.reads:
            yield Grant("topic", topic.name, "Read")
        if topic in role.writes:
            yield Grant("topic", topic.name, "Write")
        if role.creates:
            yield Grant("topic", topic.name, "Create")
    if role.works:
        yield Grant("group", own, "Read")
        for operation in CHANGELOGS:
            yield Grant("topic", f"{own}-", operation, prefixed=True)
    if role.watches:
        yield Grant("group", GROUPS, "Describe", prefixed=True)


def commands(name: str, principal: str) -> Iterator[str]:
    """The lines by which Kafka's own tool allows a principal (`User:outreach-sender`) all of it; KeyError as above."""
    of_one: dict[tuple[Resource, bool, str], list[Operation]] = {}
    for grant in grants(name):
        of_one.setdefault((grant.resource, grant.prefixed, grant.name), []).append(grant.operation)
    alike: dict[tuple[Resource, bool, tuple[Operation, ...]], list[str]] = {}
    for (resource, prefixed, named), operations in of_one.items():
        alike.setdefault((resource, prefixed, tuple(operations)), []).append(named)
    for (resource, prefixed, allowed), names in alike.items():
        words = [f"--operation {operation}" for operation in allowed] + [f"--{resource} {named}" for named in names]
        pattern = "--resource-pattern-type prefixed " if prefixed else ""
        yield f"kafka-acls.sh --add --allow-principal {principal} {pattern}{' '.join(words)}"
