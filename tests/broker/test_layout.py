"""What a topic must be like on a broker, and what is said when it isn't."""

from dataclasses import replace

import pytest

from outreach_stream.broker.layout import TopicState, problems, topic_config
from outreach_stream.topics import CONTROL, FLOW, RUN_CHUNK, RUN_STATUS, SEND_REQUESTED, SEND_RESULT, Layout

DAY_MS = 86_400_000


def right(layout: Layout) -> dict[str, TopicState]:
    """A broker on which all is well."""
    return {topic.name: TopicState(layout.partitions(topic), topic_config(topic)) for topic in FLOW}


def test_retention_and_compaction_follow_the_table_of_topics() -> None:
    """Time-limited topics are deleted by age, compacted ones keep the last value, the status does both."""
    assert topic_config(SEND_RESULT)["cleanup.policy"] == "delete"
    assert topic_config(SEND_RESULT)["retention.ms"] == str(21 * DAY_MS)
    assert topic_config(CONTROL)["cleanup.policy"] == "compact"
    assert topic_config(CONTROL)["retention.ms"] == "-1"
    assert topic_config(RUN_STATUS)["cleanup.policy"] == "compact,delete"
    assert topic_config(RUN_STATUS)["retention.ms"] == str(30 * DAY_MS)


@pytest.mark.parametrize(("replication", "insync"), [(1, "1"), (2, "1"), (3, "2")])
def test_three_replicas_survive_the_loss_of_one(replication: int, insync: str) -> None:
    """With three replicas two must have a write; with fewer, demanding two would stop everything with one loss."""
    assert topic_config(CONTROL, replication)["min.insync.replicas"] == insync


def test_a_layout_that_was_created_has_no_problems() -> None:
    """What is created is what is demanded, also where a broker turns the policies round."""
    found = right(Layout())
    config = dict(found[RUN_STATUS.name].config) | {"cleanup.policy": "delete,compact"}
    found[RUN_STATUS.name] = TopicState(4, config)

    assert problems(Layout(), found) == []


def test_topics_of_others_do_not_matter() -> None:
    """A shared cluster may hold anything else."""
    assert problems(Layout(), right(Layout()) | {"other": TopicState(99, {})}) == []


def test_every_missing_topic_is_named_in_flow_order() -> None:
    """An empty broker lacks all of them."""
    assert [str(problem) for problem in problems(Layout(), {})] == [f"{topic.name}: is missing" for topic in FLOW]


@pytest.mark.parametrize(("topic", "change", "text"), [
    (SEND_REQUESTED, {"cleanup.policy": "compact"}, "has cleanup.policy compact, must be delete"),
    (CONTROL, {"cleanup.policy": "delete"}, "has cleanup.policy delete, must be compact"),
    (SEND_REQUESTED, {"retention.ms": "604800000"}, "keeps records 604800000 ms, must be 1814400000 at least"),
    (RUN_CHUNK, {"max.message.bytes": "1048588"}, "takes 1048588 bytes, must be 2097152"),
])
def test_a_configuration_that_would_lose_records_is_named(topic, change, text) -> None:
    """Wrong compaction, too short a memory and too small a limit are each a line with both values."""
    found = right(Layout())
    found[topic.name] = replace(found[topic.name], config=dict(found[topic.name].config) | change)

    (problem,) = problems(Layout(), found)

    assert str(problem) == f"{topic.name}: {text}"


@pytest.mark.parametrize("change", [{"retention.ms": "-1"}, {"retention.ms": str(99 * DAY_MS)},
                                    {"max.message.bytes": "9999999"}])
def test_more_than_demanded_is_fine(change) -> None:
    """Keeping longer and taking more is the operator's choice."""
    found = right(Layout())
    found[RUN_CHUNK.name] = replace(found[RUN_CHUNK.name], config=dict(found[RUN_CHUNK.name].config) | change)

    assert problems(Layout(), found) == []


def test_a_wrong_number_of_partitions_is_named_with_both_numbers() -> None:
    """Lanes are a function of the count, so a count that differs is a problem for each topic of the group."""
    texts = [str(problem) for problem in problems(Layout(lanes=16), right(Layout()))]

    assert texts == ["send.requested: has 8 partitions, the layout says 16",
                     "send.requested.express: has 8 partitions, the layout says 16"]
