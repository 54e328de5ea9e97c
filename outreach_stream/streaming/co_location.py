"""Whether an assignment gives each partition number one owner over all the topics that need it."""

from collections import defaultdict
from collections.abc import Collection, Mapping

from faust.types import TP


class NotCoLocated(Exception):  # noqa: N818
    """Topics with equal partition counts were not assigned alike: a key would meet two processes."""


def check_co_location(assigned: Collection[TP], counts: Mapping[str, int | None]) -> None:
    """Raises NotCoLocated unless topics with equal partition counts were assigned the same partitions."""
    groups: defaultdict[int | None, dict[str, set[int]]] = defaultdict(dict)
    for topic, count in counts.items():
        groups[count][topic] = {tp.partition for tp in assigned if tp.topic == topic}
    for count, group in groups.items():
        if len({frozenset(partitions) for partitions in group.values()}) > 1:
            raise NotCoLocated(f"topics of {count} partitions were assigned differently: {group}")


def unseen_changelogs(assigned: Collection[TP], counts: Mapping[str, int | None],
                      changelogs: Mapping[str, int | None]) -> list[str]:
    """The changelogs that were assigned to nobody: they are so new that the group's leader had not seen them.

    `counts`: the partitions of the topics with work; `changelogs`: those of the tables, as they will be.
    """
    topics = {tp.topic for tp in assigned}
    with_work = {counts[topic] for topic in topics & counts.keys()}
    return sorted(topic for topic, count in changelogs.items() if count in with_work and topic not in topics)
