"""The sending floor: all lanes that are this process's, from one assignment to the next."""

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import structlog

from outreach_stream.delivery.deliver import Delivery, Item
from outreach_stream.delivery.desk import Desk
from outreach_stream.delivery.lane import Composers, Lane, LaneKey, LaneParts, Spawn
from outreach_stream.delivery.recorder import Publish, Recorder
from outreach_stream.delivery.sent import SentRecord
from outreach_stream.domain.clock import Clock
from outreach_stream.domain.ports import Copies

log = structlog.get_logger()


@dataclass(slots=True)
class _Partition:
    """What the lanes of one partition share, bulk and express alike."""

    record: SentRecord
    recorder: Recorder
    task: asyncio.Task[None]


@dataclass(slots=True)
class Floor:
    """Opens lanes as requests arrive, and closes all of them when partitions leave."""

    table: Copies
    publish: Publish
    composers: Composers
    desk: Callable[[str], Desk]
    """The desk of an engine by its id: made at the first call, the same afterwards."""
    held: Callable[[str], bool]
    """Whether a topic's requests are held when in doubt, rather than mailed again."""
    spawn: Spawn
    clock: Clock
    _owned: set[int] = field(default_factory=set)
    _lanes: dict[LaneKey, Lane] = field(default_factory=dict)
    _partitions: dict[int, _Partition] = field(default_factory=dict)
    _desks: dict[str, Desk] = field(default_factory=dict)
    _told: dict[LaneKey, int] = field(default_factory=dict)
    _resting: bool = True

    def assigned(self, partitions: set[int]) -> None:
        """These partitions of the lanes' topics are ours now. Called before the first request of an assignment."""
        self._owned, self._resting = partitions, False
        for desk in self._desks.values():
            desk.own(partitions)

    def put(self, topic: str, partition: int, item: Item) -> None:
        """Take the next request of a partition, in offset order; one that is leaving is delivered again."""
        if self._resting or not item.batch.live:  # a lane opened now would outlive what it read of the table
            return
        key = LaneKey(topic, partition, item.request.engine)
        lane = self._lanes.get(key)
        if lane is None:
            lane = self._lanes[key] = self._open(key)
        lane.put(item)

    def rest(self) -> None:
        """Partitions are about to leave: begin nothing more."""
        self._resting = True
        for lane in self._lanes.values():
            lane.rest()

    async def last_words(self) -> None:
        """Before partitions leave: make durable what was not handed over, so that a deploy leaves no doubt."""
        await asyncio.gather(*(lane.last_word() for lane in self._lanes.values()))

    def close(self) -> None:
        """The partitions have left: stop every lane."""
        self._resting = True
        for lane in self._lanes.values():
            lane.close()
        for partition in self._partitions.values():
            partition.task.cancel()
        for state in (self._lanes, self._partitions, self._told):
            state.clear()

    def progress(self) -> Iterator[tuple[LaneKey, int]]:
        """Lanes that have come further since the last call: everything below the offset is finished."""
        for key, lane in self._lanes.items():
            if self._told.get(key) != lane.finished:
                self._told[key] = lane.finished
                yield key, lane.finished

    def _open(self, key: LaneKey) -> Lane:
        shared = self._partitions.get(key.partition)
        if shared is None:
            shared = self._partitions[key.partition] = self._share(key.partition)
        desk = self._desk(key.engine)
        if not desk.bucket.unlimited and key.partition not in desk.lanes:
            # Its share of the rate may be nothing, and then it stands still until the engine has its lanes back.
            log.warning("request_outside_of_engines_lanes", engine=key.engine, lane=key.partition, lanes=desk.lanes)
        delivery = Delivery(desk, not self.held(key.topic), self.clock)
        return Lane(key, LaneParts(delivery, self.table, shared.record, shared.recorder, self.composers, self.spawn))

    def _share(self, partition: int) -> _Partition:
        record = SentRecord(self.table, partition)
        recorder = Recorder(record, self.publish, self.clock)
        return _Partition(record, recorder, self.spawn(recorder.run()))

    def _desk(self, engine: str) -> Desk:
        desk = self._desks.get(engine)
        if desk is None:
            desk = self._desks[engine] = self.desk(engine)
            desk.own(self._owned)
        return desk

    async def shut(self) -> None:
        """Close the engines' connections."""
        await asyncio.gather(*(desk.engine.close() for desk in self._desks.values()))
