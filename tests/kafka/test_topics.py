"""`outreach topics` against a real broker."""

import asyncio
import json

import pytest
from typer.testing import CliRunner

from outreach_stream.broker.admin import check_topics, create_topics, describe_topics
from outreach_stream.cli.topics import app
from outreach_stream.settings import load_settings
from outreach_stream.topics import FLOW, Layout


@pytest.fixture
def fresh_settings(monkeypatch: pytest.MonkeyPatch):
    """Settings read anew from the environment of the test, and again after it."""
    load_settings.cache_clear()
    yield monkeypatch
    load_settings.cache_clear()


async def test_topics_are_created_once_and_pass_the_check(kafka: str) -> None:
    """Creating topics again changes nothing, and what was created is what the check demands."""
    await create_topics(kafka, Layout())

    assert await create_topics(kafka, Layout()) == []
    assert await check_topics(kafka, Layout()) == []
    assert list(await describe_topics(kafka)) == [topic.name for topic in FLOW]


async def test_creators_at_the_same_time_do_not_disturb_each_other(kafka: str) -> None:
    """Roles that start together may all create: each topic is created at most once and nobody fails."""
    created = await asyncio.gather(*(create_topics(kafka, Layout()) for _ in range(4)))

    names = [name for some in created for name in some]
    assert len(names) == len(set(names))
    assert await check_topics(kafka, Layout()) == []


def test_the_command_creates_checks_and_lists(kafka: str) -> None:
    """create, check and list end well on a broker that has everything, and list's JSON has the real counts."""
    for command in ("create", "check"):
        assert CliRunner().invoke(app, [command, "--bootstrap", kafka]).exit_code == 0

    listed = CliRunner().invoke(app, ["list", "--json", "--bootstrap", kafka])

    assert {row["name"]: row["partitions"] for row in json.loads(listed.stdout)} == {
        topic.name: Layout().partitions(topic) for topic in FLOW}


def test_check_fails_on_another_layout_with_both_numbers(kafka_topics: str, fresh_settings) -> None:
    """Exit code 1, and a line for each topic that says what it has and what it should have."""
    fresh_settings.setenv("OUTREACH_PARTITIONS_LANES", "16")
    fresh_settings.setenv("OUTREACH_KAFKA_BOOTSTRAP", kafka_topics)

    result = CliRunner().invoke(app, ["check"])

    assert result.exit_code == 1
    assert "send.requested: has 8 partitions, the layout says 16" in result.stderr


def test_a_broker_that_does_not_answer_is_named() -> None:
    """Exit code 1 and the address, not a stack of frames."""
    result = CliRunner().invoke(app, ["check", "--bootstrap", "127.0.0.1:1"])

    assert result.exit_code == 1
    assert "No Kafka answers at 127.0.0.1:1." in result.stderr
    assert "Traceback" not in result.output
