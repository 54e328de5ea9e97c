"""Resting partitions: a busy topic is fetched less often, one that lags or trickles is not held back."""

import asyncio
from collections.abc import Sequence
from typing import Any, NamedTuple

import pytest
from aiokafka import TopicPartition
from aiokafka.consumer.fetcher import Fetcher, FetchResult
from aiokafka.consumer.subscription_state import Assignment, SubscriptionState
from faust.types import TP

from outreach_stream.streaming import rest
from outreach_stream.streaming.rest import BUSY, Rest
from outreach_stream.streaming.thread import PREFETCH_PAUSE

RESULTS, OTHERS = TopicPartition("results", 0), TopicPartition("results", 1)
TRIGGERS = TopicPartition("triggers", 0)


class Taken(NamedTuple):
    """All that counts of a record here."""

    offset: int


class FakeConsumer:
    """aiokafka's own states of partitions, and as many records on the broker as `ends` says."""

    def __init__(self, **ends: int) -> None:
        self._subscription, self._ends = SubscriptionState(), ends
        self._fetcher = type("Fetcher", (), {"_fetch_max_wait_ms": 250})()
        self.assign(RESULTS, OTHERS, TRIGGERS)

    def assign(self, *tps: TopicPartition) -> None:
        self._subscription = SubscriptionState()
        self._subscription.assign_from_user(tps)

    def assignment(self) -> frozenset[TopicPartition]:
        return self._subscription.assigned_partitions()

    def highwater(self, tp: TopicPartition) -> int | None:
        return self._ends.get(tp.topic)

    def pause(self, *tps: TopicPartition) -> None:
        for tp in tps:
            self._subscription.pause(tp)

    def resume(self, tp: TopicPartition) -> None:
        self._subscription.resume(tp)

    def resting(self) -> set[TopicPartition]:
        return self._subscription.paused_partitions()


def fetched(count: int, tp: TopicPartition = RESULTS) -> dict[Any, Sequence[Any]]:
    return {TP(*tp): [Taken(offset) for offset in range(count)]}


def take(consumer: FakeConsumer, records: dict[Any, Sequence[Any]]) -> None:
    Rest({"results"}, 0.25).fetched(consumer, records)    # type: ignore[arg-type]


async def ended(consumer: FakeConsumer) -> None:
    async with asyncio.timeout(5.0):
        while consumer.resting() or consumer._fetcher._fetch_max_wait_ms != 250:
            await asyncio.sleep(0.005)


async def test_a_busy_topic_rests_and_others_do_not() -> None:
    """All its partitions are passed over, no fetch outlasts the rest, and then all is as before."""
    consumer = FakeConsumer(results=BUSY)

    take(consumer, fetched(BUSY))

    assert consumer.resting() == {RESULTS, OTHERS}
    assert consumer._fetcher._fetch_max_wait_ms == rest.REST * 1000
    await ended(consumer)


async def test_what_trickles_is_taken_at_once() -> None:
    """A single mail's result waits for nothing."""
    consumer = FakeConsumer(results=BUSY - 1)

    take(consumer, fetched(BUSY - 1))

    assert not consumer.resting()


async def test_what_lags_behind_does_not_rest() -> None:
    """While there is more on the broker the topic is fetched as fast as it can be."""
    consumer = FakeConsumer(results=BUSY + 1)

    take(consumer, fetched(BUSY))

    assert not consumer.resting()


async def test_a_topic_that_is_in_a_hurry_never_rests() -> None:
    """Only topics that were named unhurried do."""
    consumer = FakeConsumer(triggers=BUSY)

    take(consumer, fetched(BUSY, TRIGGERS))

    assert not consumer.resting()


@pytest.mark.parametrize("left", [(TRIGGERS,), (RESULTS, TRIGGERS)])
async def test_a_rest_outlives_no_assignment(left: tuple[TopicPartition, ...]) -> None:
    """Partitions that leave meanwhile are no error, and those that come again do not rest."""
    consumer = FakeConsumer(results=BUSY)
    take(consumer, fetched(BUSY))

    consumer.assign(*left)

    assert not consumer.resting()
    await ended(consumer)


def fetcher_of(*assigned: TopicPartition, **state: object) -> tuple[Fetcher, Assignment, SubscriptionState]:
    """aiokafka's own, at the beginning of these partitions, as far as it decides what to fetch."""
    subscriptions = SubscriptionState()
    subscriptions.assign_from_user(assigned)
    assignment: Assignment = subscriptions.subscription.assignment
    for tp in assigned:
        assignment.state_value(tp).seek(0)
    fetcher = Fetcher.__new__(Fetcher)
    fetcher.__dict__.update(
        _records={}, _in_flight=set(), _select_read_replica=lambda _: 1, _fetch_max_wait_ms=100, _fetch_min_bytes=1,
        _fetch_max_bytes=1000, _max_partition_fetch_bytes=1000, _isolation_level=1, _client_rack=None,
        _fetcher_timeout=0.2, _closed=True, **state)
    return fetcher, assignment, subscriptions


async def test_aiokafka_fetches_no_paused_partition_and_reads_the_wait_each_time() -> None:
    """What a rest relies on: aiokafka passes paused partitions over, and asks its fetcher how long to wait."""
    fetcher, assignment, subscriptions = fetcher_of(RESULTS, TRIGGERS)
    subscriptions.pause(RESULTS)

    (_, request), = fetcher._get_actions_per_node(assignment)[0]

    assert [topic for topic, _ in request.topics] == ["triggers"]
    assert vars(request)["_max_wait_ms"] == 100


async def test_records_that_are_left_hold_others_up_for_a_moment_only() -> None:
    """A full lane keeps its records in aiokafka, which asks the broker for nothing meanwhile, but not for long."""
    fetcher, assignment, _ = fetcher_of(RESULTS, TRIGGERS)
    fetcher._records[RESULTS] = FetchResult(RESULTS, assignment=assignment, partition_records=None,
                                            backoff=PREFETCH_PAUSE)
    assert not fetcher._get_actions_per_node(assignment)[0]

    await asyncio.sleep(PREFETCH_PAUSE)

    (_, request), = fetcher._get_actions_per_node(assignment)[0]
    assert [topic for topic, _ in request.topics] == ["triggers"]
