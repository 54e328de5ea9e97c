"""The sending floor: all lanes that are this process's, from one assignment to the next."""

import asyncio
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

import structlog

from outreach_stream.delivery.deliver import Delivery, Item
from outreach_stream.delivery.desk import Allowance, Desk
from outreach_stream.delivery.lane import Composers, Lane, LaneKey, LaneParts, Spawn
from outreach_stream.delivery.recorder import Publish, Recorder
from outreach_stream.delivery.sent import SentRecord
from outreach_stream.domain.clock import Clock
from outreach_stream.domain.ports import Copies

log = structlog.get_logger()


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
    _records: dict[int, SentRecord] = field(default_factory=dict)
    """By partition: its bulk and express lanes share one."""
    _recorder: Recorder | None = None
    _recording: asyncio.Task[None] | None = None
    _desks: dict[str, Desk] = field(default_factory=dict)
    _told: dict[LaneKey, int] = field(default_factory=dict)
    _resting: bool = True

    def assigned(self, partitions: set[int]) -> None:
        """These partitions of the lanes' topics are ours now. Called before the first request of an assignment."""
        self._owned, self._resting = partitions, False
        for desk in self._desks.values():
            desk.own(partitions, set())

    def limit(self, limits: Mapping[str, Allowance]) -> None:
        """Have every desk keep the limits of its engine as they are now; of one that is not named they stay."""
        for engine, desk in self._desks.items():
            changed = limits.get(engine, desk.limits)
            if changed != desk.limits:
                log.info("engine_limits_changed", engine=engine, rate=changed.rate, lanes=changed.lanes)
                desk.limit(changed)
                desk.own(self._owned, {key.partition for key in self._lanes if key.engine == engine})

    def put(self, topic: str, partition: int, item: Item) -> None:
        """Take the next request of a partition, in offset order; one that is leaving is delivered again."""
        if self._resting or not item.batch.live:  # a lane opened now would outlive what it read of the table
            return
        key = LaneKey(topic, partition, item.request.engine)
        lane = self._lanes.get(key)
        if lane is None:
            lane = self._lanes[key] = self._open(key, item.offset)
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
        if self._recording:
            self._recording.cancel()
        self._recorder = self._recording = None
        for state in (self._lanes, self._records, self._told):
            state.clear()

    def progress(self) -> Iterator[tuple[LaneKey, int]]:
        """Lanes that have come further since the last call: everything below the offset is finished."""
        for key, lane in self._lanes.items():
            if self._told.get(key) != lane.finished:
                self._told[key] = lane.finished
                yield key, lane.finished

    def _open(self, key: LaneKey, first: int) -> Lane:
        record = self._records.get(key.partition)
        if record is None:
            record = self._records[key.partition] = SentRecord(self.table, key.partition)
        desk = self._desk(key.engine)
        if not desk.bucket.unlimited and key.partition not in desk.limits.lanes:
            log.warning("request_outside_of_engines_lanes", engine=key.engine, lane=key.partition,
                        lanes=desk.limits.lanes)
            desk.own(self._owned, {key.partition})
        delivery = Delivery(desk, not self.held(key.topic), self.clock)
        parts = LaneParts(delivery, self.table, record, self._shared_recorder(), self.composers, self.spawn)
        return Lane(key, parts, first)

    def _shared_recorder(self) -> Recorder:
        """The recorder of all lanes of this assignment."""
        if self._recorder is None:
            self._recorder = Recorder(self.publish, self.clock)
            self._recording = self.spawn(self._recorder.run())
        return self._recorder

    def _desk(self, engine: str) -> Desk:
        desk = self._desks.get(engine)
        if desk is None:
            desk = self._desks[engine] = self.desk(engine)
            desk.own(self._owned, set())
        return desk

    async def shut(self) -> None:
        """Close the engines' connections."""
        await asyncio.gather(*(desk.engine.close() for desk in self._desks.values()))
