"""Which assignments may be worked on."""

import pytest
from faust.types import TP

from outreach_stream.streaming.co_location import NotCoLocated, check_co_location, unseen_changelogs

T0, U0, U1 = TP("t", 0), TP("u", 0), TP("u", 1)


def test_topics_assigned_differently_crash() -> None:
    """Two topics of four partitions must have the same owner per partition number."""
    check_co_location({T0, U0}, {"t": 4, "u": 4})

    with pytest.raises(NotCoLocated, match="4 partitions"):
        check_co_location({T0, U1}, {"t": 4, "u": 4})


def test_topics_of_different_counts_may_be_assigned_differently() -> None:
    """Only equal partition counts promise a common owner."""
    check_co_location({T0, U1}, {"t": 4, "u": 2})


@pytest.mark.parametrize(("assigned", "unseen"), [
    ({T0}, ["bits"]),
    ({T0, TP("bits", 0)}, []),
    ({U0}, []),
    (set(), []),
])
def test_a_changelog_that_nobody_got_is_noticed(assigned: set[TP], unseen: list[str]) -> None:
    """It belongs to the topic with its count: who has partitions of that one must have some of the changelog."""
    assert unseen_changelogs(assigned, {"t": 4, "u": 2}, {"bits": 4}) == unseen
