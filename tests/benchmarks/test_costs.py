"""The model of other machines, by numbers that were worked out by hand."""

import pytest

from benchmarks.costs import Costs, Setup, best, bounds, held_ms, predicted, spread

COSTS = Costs(aggregator=40, dispatcher=20, sender=100, broker=40, sink=50)


def test_costs_are_those_that_the_bench_tells() -> None:
    """By name; what else it tells is passed over, and what is missing is said."""
    told = {"outreach": 160.0, "aggregator": 40.0, "dispatcher": 20.0, "sender": 100.0, "broker": 40.0, "sink": 50.0}

    assert Costs.of({"cpu_us_per_recipient": told}) == COSTS
    del told["broker"]      # of a Kafka that is not the bench's own nothing is known
    with pytest.raises(KeyError, match="broker"):
        Costs.of({"cpu_us_per_recipient": told})


@pytest.mark.parametrize(("brokers", "broker"), [(1, 40.0), (2, 60.0), (3, 80.0), (5, 80.0)])
def test_a_cluster_copies_each_record_to_two_followers(brokers: int, broker: float) -> None:
    """At half the cost each: 40 + 2 x 20; further brokers hold no further copies."""
    assert COSTS.replicated(brokers, 0.5).broker == broker


@pytest.mark.parametrize(("lanes", "senders", "as_many"), [
    (8, 1, 1), (8, 2, 2), (8, 3, 8 / 3), (8, 5, 4), (16, 16, 16),
])
def test_who_has_most_lanes_ends_last(lanes: int, senders: int, as_many: float) -> None:
    """Of eight lanes, three senders have 3, 3 and 2: they do eight lanes in the time of three."""
    assert spread(lanes, senders) == pytest.approx(as_many)


def test_what_each_part_allows() -> None:
    """Two cores at 250 µs, two senders at 100, one aggregator, one dispatcher, and a sink on the same machine."""
    found = bounds(COSTS, Setup(cores=2, lanes=8, sink_here=True), senders=2)

    assert found == pytest.approx({"cores": 8_000, "senders": 20_000, "aggregators": 25_000, "dispatchers": 50_000,
                                   "sink": 20_000})


def test_a_slow_relay_is_a_matter_of_places() -> None:
    """Twenty places of a sender, each kept for 25 ms: 800 a second, and twice as many with two senders."""
    setup = Setup(cores=32, lanes=8, held_ms=25, places=20)

    assert predicted(COSTS, setup, 1) == (pytest.approx(800), 1, "places")
    assert predicted(COSTS, setup, 2) == (pytest.approx(1_600), 2, "places")
    assert held_ms({"senders": 2, "concurrency": 20, "recipients_per_s": 1_600}) == pytest.approx(25)


@pytest.mark.parametrize(("setup", "per_s", "senders", "bottleneck"), [
    (Setup(cores=2, lanes=8), 10_000, 1, "cores"),                                          # 2 / 200 µs
    (Setup(cores=4, lanes=8), 20_000, 2, "cores"),
    (Setup(cores=32, lanes=8), 25_000, 3, "aggregators"),                                   # 1 / 40 µs; 3 do 26,667
    (Setup(cores=32, lanes=8, partitions=4, campaigns=4), 80_000, 8, "lanes"),              # 8 / 100 µs
    (Setup(cores=32, lanes=16, partitions=4, campaigns=2), 50_000, 6, "aggregators"),       # 16 lanes in 3: 5.33 of 6
])
def test_the_first_bottleneck(setup: Setup, per_s: float, senders: int, bottleneck: str) -> None:
    """The least that any part allows, with the least number of senders that reaches it."""
    assert best(COSTS, setup) == (pytest.approx(per_s), senders, bottleneck)


def test_a_hundredth_is_not_worth_a_sender() -> None:
    """Three senders of eight lanes do 26,667 of the 26,800 that the cores allow: the fourth is left away."""
    costs = Costs(aggregator=10, dispatcher=10, sender=100, broker=4e6 / 26_800 - 120, sink=0)

    assert best(costs, Setup(cores=4, lanes=8)) == (pytest.approx(26_667, abs=1), 3, "senders")
