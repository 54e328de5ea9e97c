"""What each role must be allowed: the documents say what the program knows, and the lines are those of Kafka's tool."""

import re
from pathlib import Path

import pytest

from outreach_stream.broker.permissions import ROLES, Grant, commands, grants
from outreach_stream.topics import FLOW, Topic

OPERATIONS = (Path(__file__).parents[2] / "docs" / "operations.md").read_text(encoding="utf-8")


def test_the_table_in_the_documents_is_that_of_the_program() -> None:
    """Row by row: who reads and writes what."""
    def told(topics: tuple[Topic, ...]) -> str:
        return "all" if topics == FLOW else ", ".join(f"`{topic.name}`" for topic in topics) or "none"

    rows = re.findall(r"^\| `(\w+)` \| (.*) \| (.*) \| (?:Read|Describe|none).*\|$", OPERATIONS, re.MULTILINE)
    assert rows == [(name, told(role.reads), told(role.writes)) for name, role in ROLES.items()]


@pytest.mark.parametrize("name", ROLES)
def test_nothing_is_allowed_on_the_topics_of_others(name: str) -> None:
    """Our topics, the role's own changelogs and groups; only an operator creates topics."""
    allowed = list(grants(name))
    topics = {grant.name for grant in allowed if grant.resource == "topic" and not grant.prefixed}

    assert topics == {topic.name for topic in FLOW}
    assert all(grant.name.startswith("outreach-") for grant in allowed if grant.prefixed or grant.resource == "group")
    assert (Grant("topic", "control", "Create") in allowed) == (name == "operator")
    assert len(allowed) == len(set(allowed))


def test_the_lines_allow_what_is_granted() -> None:
    """Each grant is in one of them, those that are alike together."""
    lines = list(commands("sender", "User:outreach-sender"))

    assert len(lines) == 6
    assert all(line.startswith("kafka-acls.sh --add --allow-principal User:outreach-sender ") for line in lines)
    for grant in grants("sender"):
        assert [line for line in lines if f"--{grant.resource} {grant.name}" in line.split("principal", 1)[1]
                and f"--operation {grant.operation}" in line and ("prefixed" in line) == grant.prefixed], grant
