"""Partitions that rest between fetches: many records for what a few cost, where nobody waits for them."""

import asyncio
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.errors import IllegalStateError

REST = 0.1
"""Seconds in which a resting topic is not fetched."""

BUSY = 16
"""Records of one fetch from which on a topic rests: what comes singly is taken at once."""

MARGIN = 0.01
"""Seconds by which a rest ends before the fetch that passes the topic over: the next one then has it again."""


class Rest:
    """Keeps `topics` out of the fetches for a moment after each that brought much, and all there was, of them.

    A fetch costs the broker and us a millisecond, because each names all partitions, and what is made of it is written
    at once: with two dozen records in each, these are most of what a record costs. `fetch_min_bytes` would hold back
    the topics that are fetched together with these, and a trigger may not wait. A topic that lags behind never rests.

    For the event loop of the consumer's thread. `fetch_wait`: seconds that the broker may hold a fetch otherwise.
    """

    def __init__(self, topics: Collection[str], fetch_wait: float) -> None:
        self._topics, self._fetch_wait = topics, fetch_wait

    def fetched(self, consumer: AIOKafkaConsumer, records: Mapping[Any, Sequence[ConsumerRecord]]) -> None:
        """These were taken from the consumer, and no other fetch was begun since."""
        ends = {TopicPartition(*tp): taken[-1].offset + 1 for tp, taken in records.items()
                if taken and tp.topic in self._topics}
        many = sum(len(records[tp]) for tp in ends) >= BUSY
        if many and all((consumer.highwater(tp) or 0) <= end for tp, end in ends.items()):
            busy = {tp.topic for tp in ends}
            self._begin(consumer, [tp for tp in consumer.assignment() if tp.topic in busy])

    def _begin(self, consumer: AIOKafkaConsumer, resting: Sequence[TopicPartition]) -> None:
        consumer.pause(*resting)
        # A fetch that is under way when the rest ends would prolong it.
        consumer._fetcher._fetch_max_wait_ms = int(min(REST, self._fetch_wait) * 1000)
        asyncio.get_running_loop().call_later(REST - MARGIN, self._end, consumer, resting)

    def _end(self, consumer: AIOKafkaConsumer, resting: Sequence[TopicPartition]) -> None:
        consumer._fetcher._fetch_max_wait_ms = int(self._fetch_wait * 1000)
        for tp in resting:
            try:
                consumer.resume(tp)
            except IllegalStateError:   # it has left; a new assignment of it begins without a rest
                continue
