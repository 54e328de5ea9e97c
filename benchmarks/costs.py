"""What a machine could send, by what each process costs for a recipient: pure functions of measured microseconds.

Everybody's part in a recipient is so many microseconds of processor time, and what a set-up can do is the least of
what its parts can do: a Python process runs on one core at a time; a role has at most as many busy processes as it
has partitions with work; and all together have the cores there are. What is assumed beyond that stands in `ASSUMED`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

REPLICAS = 3
"""Copies of each record in a cluster that has as many brokers: the leader's and two followers'."""

FOLLOWER_SHARE = 0.5
"""What a follower's copy costs (being fetched, and written), as part of what the record costs a single broker, which
also takes it from its producer and gives it to its consumers."""

NEARLY = 0.99
"""Part of the most that counts as all of it: the last hundredth is not worth another process."""

ASSUMED = (
    "a process of Python uses one core at most; a broker (a JVM) as many as there are",
    "costs per recipient stay as measured, however many processes and cores there are",
    "each campaign has an engine of its own, and their runs fall into different partitions",
    "replication to {followers} followers costs {share:.0%} of a single broker's cost each, brokers share it evenly",
    "the network, disks and the relay are never what is waited for",
)


@dataclass(frozen=True, slots=True)
class Costs:
    """Microseconds of processor time for each recipient."""

    aggregator: float
    dispatcher: float
    sender: float
    broker: float
    """Of a single node."""
    sink: float

    @classmethod
    def of(cls, figures: Mapping[str, Any]) -> "Costs":
        """As `outreach bench --json` tells them. Raises KeyError if one is missing."""
        return cls(**{name: float(figures["cpu_us_per_recipient"][name]) for name in cls.__dataclass_fields__})

    def replicated(self, brokers: int, share: float = FOLLOWER_SHARE) -> "Costs":
        """With so many brokers that keep copies of each other's records; a follower's copy costs that share."""
        return replace(self, broker=self.broker * (1 + (min(brokers, REPLICAS) - 1) * share))


@dataclass(frozen=True, slots=True)
class Setup:
    """Where it runs, and how it is spread."""

    cores: int
    lanes: int
    """Partitions of requests: more senders than these have nothing to do."""
    partitions: int = 1
    """Of the topics of runs and of engines: more aggregators or dispatchers than these have nothing to do."""
    campaigns: int = 1
    """Runs at a time. One run has one aggregator, and one dispatcher."""
    sink_here: bool = False
    """Whether what takes the mails, a process of one thread, uses these cores as well."""
    held_ms: float = 0.0
    """Milliseconds for which a mail keeps one of `places` of its sender: the relay takes it, and its end is recorded.
    0: never long enough to count."""
    places: int = 100


class Prediction(NamedTuple):
    """The most that a set-up can do."""

    per_s: float
    senders: int
    bottleneck: str


def spread(units: int, processes: int) -> float:
    """As how many processes they work that share units of equal work: those with the most of them finish last."""
    return units / -(-units // processes)


def bounds(costs: Costs, setup: Setup, senders: int) -> dict[str, float]:
    """Recipients a second that each part of a set-up allows."""
    runs = min(setup.campaigns, setup.partitions)
    busy = spread(setup.lanes, min(senders, setup.lanes))
    here = costs.sink if setup.sink_here else 0.0
    found = {
        "cores": setup.cores * 1e6 / (costs.aggregator + costs.dispatcher + costs.sender + costs.broker + here),
        "senders" if senders < setup.lanes else "lanes": busy * 1e6 / costs.sender,
        "aggregators": runs * 1e6 / costs.aggregator,
        "dispatchers": runs * 1e6 / costs.dispatcher,
    }
    if setup.sink_here:
        found["sink"] = 1e6 / costs.sink
    if setup.held_ms:
        found["places"] = busy * setup.places * 1e3 / setup.held_ms
    return found


def held_ms(figures: Mapping[str, Any]) -> float:
    """Milliseconds for which each mail of this measurement must have kept its place, if all places were taken."""
    return float(figures["senders"] * figures["concurrency"] * 1e3 / figures["recipients_per_s"])


def predicted(costs: Costs, setup: Setup, senders: int) -> Prediction:
    """With so many senders: the least that any part allows, and which part that is."""
    found = bounds(costs, setup, senders)
    part = min(found, key=found.__getitem__)
    return Prediction(found[part], senders, part)


def best(costs: Costs, setup: Setup) -> Prediction:
    """With the least number of senders that does the most, to a hundredth."""
    found = [predicted(costs, setup, senders) for senders in range(1, setup.lanes + 1)]
    most = max(each.per_s for each in found)
    return next(each for each in found if each.per_s >= NEARLY * most)
