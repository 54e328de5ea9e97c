"""`outreach topics` against a real broker."""

import asyncio
import json

import pytest
from typer.testing import CliRunner

from outreach_stream.broker.admin import check_topics, create_topics, describe_topics
from outreach_stream.broker.errors import BrokerUnreachableError
from outreach_stream.cli.exits import CommandError, Exit
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
    """It fails, with a line for each topic that says what it has and what it should have."""
    fresh_settings.setenv("OUTREACH_PARTITIONS_LANES", "16")
    fresh_settings.setenv("OUTREACH_KAFKA_BOOTSTRAP", kafka_topics)

    with pytest.raises(CommandError) as caught:
        CliRunner().invoke(app, ["check"], catch_exceptions=False)

    assert caught.value.code == Exit.FAILED
    assert "send.requested: has 8 partitions, the layout says 16" in str(caught.value)


def test_a_broker_that_does_not_answer_is_named() -> None:
    """The error has the address, for `outreach` to print and to exit with its code for brokers."""
    with pytest.raises(BrokerUnreachableError, match=r"No Kafka answers at 127\.0\.0\.1:1\."):
        CliRunner().invoke(app, ["check", "--bootstrap", "127.0.0.1:1"], catch_exceptions=False)


def test_without_an_address_the_command_asks_for_one(fresh_settings) -> None:
    """Nothing is guessed: creating topics on the wrong Kafka would be worse than a question."""
    fresh_settings.delenv("OUTREACH_KAFKA_BOOTSTRAP", raising=False)

    with pytest.raises(CommandError, match="--bootstrap host:port, or set OUTREACH_KAFKA_BOOTSTRAP"):
        CliRunner().invoke(app, ["list"], catch_exceptions=False)
