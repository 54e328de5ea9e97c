"""What a topic must be like on a broker, and what is said when it isn't."""

from dataclasses import replace

import pytest

from outreach_stream.broker.layout import TopicState, problems, topic_config
from outreach_stream.settings import Settings
from outreach_stream.topics import CONTROL, FLOW, RUN_CHUNK, RUN_STATUS, SEND_REQUESTED, SEND_RESULT, Layout

DAY_MS = 86_400_000


def right(layout: Layout, insync: int = 1) -> dict[str, TopicState]:
    """A broker on which all is well."""
    return {topic.name: TopicState(layout.partitions(topic), topic_config(topic, insync)) for topic in FLOW}


def test_retention_and_compaction_follow_the_table_of_topics() -> None:
    """Time-limited topics are deleted by age, compacted ones keep the last value, the status does both."""
    assert topic_config(SEND_RESULT)["cleanup.policy"] == "delete"
    assert topic_config(SEND_RESULT)["retention.ms"] == str(21 * DAY_MS)
    assert topic_config(CONTROL)["cleanup.policy"] == "compact"
    assert topic_config(CONTROL)["retention.ms"] == "-1"
    assert topic_config(RUN_STATUS)["cleanup.policy"] == "compact,delete"
    assert topic_config(RUN_STATUS)["retention.ms"] == str(30 * DAY_MS)


@pytest.mark.parametrize(("replication", "given", "insync"), [(1, None, 1), (2, None, 1), (3, None, 2), (3, 1, 1)])
def test_one_broker_may_be_lost(replication: int, given: int | None, insync: int) -> None:
    """A record counts when all replicas but one have it, unless it is said otherwise; there is one at least."""
    settings = Settings(replication=replication, min_insync=given)

    assert settings.insync == insync
    assert topic_config(CONTROL, settings.insync)["min.insync.replicas"] == str(insync)


def test_what_may_be_lost_with_a_broker_is_a_warning() -> None:
    """Fewer replicas than wished for, and records that count too early; more is the operator's choice."""
    found = {name: replace(state, replicas=3) for name, state in right(Layout(), insync=2).items()}
    assert problems(Layout(), found, 3, 2) == []
    assert problems(Layout(), found, 1, 1) == []

    risks = problems(Layout(), right(Layout()), 3, 2)
    assert not any(each.grave for each in risks)
    assert [str(each) for each in risks[:2]] == [
        "workflow.triggered: has 1 replicas, OUTREACH_REPLICATION says 3",
        "workflow.triggered: has min.insync.replicas 1, should be 2: a record counts that may be lost with one broker"]


def test_more_replicas_demanded_than_there_are_is_grave() -> None:
    """Nothing could ever be written."""
    found = right(Layout())
    found[CONTROL.name] = replace(found[CONTROL.name], config=topic_config(CONTROL, 2))

    assert [(str(each), each.grave) for each in problems(Layout(), found)] == [
        ("control: has min.insync.replicas 2 and 1 replicas: nothing can be written", True)]


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
