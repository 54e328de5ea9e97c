"""The sending floor: all lanes that are this process's, from one assignment to the next."""

import asyncio
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial

import structlog

from outreach_stream.delivery.couriers import Couriers
from outreach_stream.delivery.deliver import Delivery
from outreach_stream.delivery.desk import Allowance, Desk, Tell
from outreach_stream.delivery.groups import Groups
from outreach_stream.delivery.item import Item, LaneKey
from outreach_stream.delivery.lane import Lane
from outreach_stream.delivery.lane_parts import Briefs, HasLeft, LaneParts, Spawn, nobody_has_left
from outreach_stream.delivery.later import lanes_with_entries
from outreach_stream.delivery.mover import HandOn, Moved, Mover
from outreach_stream.delivery.quota import Caps, Quota
from outreach_stream.delivery.recorder import Publish, Recorder
from outreach_stream.delivery.sent import SentRecord
from outreach_stream.delivery.work import Ends
from outreach_stream.domain.clock import Clock
from outreach_stream.domain.control import Control, Subject
from outreach_stream.domain.ports import Copies, Ledgered

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What the floor stands on."""

    table: Copies
    publish: Publish
    hand_on: HandOn
    briefs: Briefs
    desk: Callable[[str], Desk]
    """The desk of an engine by its id: made at the first call, the same afterwards."""
    express: Callable[[str], bool]
    """Whether a topic's requests go ahead of bulk."""
    own_work: Callable[[str, int], Ledgered]
    """A place in the ledger of a topic's partition, for a request that comes from its table."""
    tell: Tell
    spawn: Spawn
    clock: Clock
    control: Control = field(default_factory=Control)
    unsubscribed: HasLeft = nobody_has_left


class Floor:
    """Opens lanes as requests arrive or are due, and closes all of them when partitions leave."""

    def __init__(self, around: Surroundings) -> None:
        self._around = around
        self._owned: set[int] = set()
        self._lanes: dict[LaneKey, Lane] = {}
        self._records: dict[int, SentRecord] = {}       # by partition: its bulk and express lanes share one
        self._quotas: dict[tuple[int, str], Quota] = {}     # by partition and engine, likewise
        self._desks: dict[str, Desk] = {}
        self._couriers: dict[str, Couriers] = {}
        self._told: dict[LaneKey, int] = {}
        self._groups: tuple[Recorder, Groups[Moved]] | None = None
        self._writing: list[asyncio.Task[None]] = []
        self._resting = True
        self.ends = Ends()
        around.control.listeners.append(self._ordered)

    def assigned(self, partitions: set[int]) -> None:
        """These partitions of the lanes' topics are ours now. Called before the first request of an assignment."""
        self._owned, self._resting = partitions, False
        for desk in self._desks.values():
            desk.own(partitions, set())
        for partition in partitions:
            for key in lanes_with_entries(self._around.table, partition):
                if key not in self._lanes:
                    self._lanes[key] = self._open(key)

    def limit(self, limits: Mapping[str, Allowance]) -> None:
        """Have every desk keep the limits of its engine as they are now; of one that is not named they stay."""
        for engine, desk in self._desks.items():
            desk.follow()
            if engine not in limits:
                continue
            if desk.found():
                self._wake(engine)
            changed = limits[engine]
            if changed != desk.limits:
                log.info("engine_limits_changed", engine=engine, rate=changed.rate, lanes=changed.lanes)
                desk.limit(changed)
                desk.own(self._owned, {key.partition for key in self._lanes if key.engine == engine})
                for (partition, capped), quota in self._quotas.items():
                    if capped == engine:
                        quota.caps = _caps(changed, partition)
                self._wake(engine)  # a cap may have been raised

    def _ordered(self, subject: Subject) -> None:
        """An order has come about a run or an engine."""
        if subject.kind == "run":
            for lane in self._lanes.values():
                lane.wake(subject.id)
        elif (desk := self._desks.get(subject.id)) and desk.ordered():
            self._wake(subject.id)

    def _wake(self, engine: str) -> None:
        for key, lane in self._lanes.items():
            if key.engine == engine:
                lane.wake()

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
        await asyncio.gather(*(lane.last_word() for lane in self._lanes.values()),
                             *(quota.release() for quota in self._quotas.values()))

    def close(self) -> None:
        """The partitions have left: stop every lane."""
        self._resting = True
        for lane in self._lanes.values():
            lane.close()
        for couriers in self._couriers.values():
            couriers.stop()
        for task in self._writing:
            task.cancel()
        self._groups = None
        for state in (self._lanes, self._couriers, self._records, self._quotas, self._told, self._writing):
            state.clear()

    def progress(self) -> Iterator[tuple[LaneKey, int]]:
        """Lanes that have come further since the last call: everything below the offset is finished."""
        for key, lane in self._lanes.items():
            if self._told.get(key, 0) != lane.finished:
                self._told[key] = lane.finished
                yield key, lane.finished

    @property
    def desks(self) -> Mapping[str, Desk]:
        """Those of the engines that this process has met, by id."""
        return self._desks

    def in_lanes(self, engine: str) -> tuple[int, int]:
        """An engine's requests here: those that wait or are at work, and those that are put off."""
        loads = [lane.load() for key, lane in self._lanes.items() if key.engine == engine]
        return sum(waiting for waiting, _ in loads), sum(put_off for _, put_off in loads)

    def _open(self, key: LaneKey) -> Lane:
        around, desk = self._around, self._desk(key.engine)
        record = self._records.get(key.partition)
        if record is None:
            record = self._records[key.partition] = SentRecord(around.table, key.partition)
        if not desk.bucket.unlimited and key.partition not in desk.limits.lanes:
            log.warning("request_outside_of_engines_lanes", engine=key.engine, lane=key.partition,
                        lanes=desk.limits.lanes)
            desk.own(self._owned, {key.partition})
        recorder, mover = self._shared_groups()
        return Lane(key, LaneParts(
            delivery=Delivery(desk, around.express(key.topic), around.clock), couriers=self._couriers_of(desk),
            table=around.table, record=record,
            quota=self._quota(key, desk), recorder=recorder, mover=mover, briefs=around.briefs,
            control=around.control, own_work=partial(around.own_work, key.topic, key.partition), spawn=around.spawn,
            unsubscribed=around.unsubscribed))

    def _couriers_of(self, desk: Desk) -> Couriers:
        """Those of all lanes of the engine, in this assignment."""
        if desk.id not in self._couriers:
            self._couriers[desk.id] = Couriers(desk, self._around.spawn)
        return self._couriers[desk.id]

    def _quota(self, key: LaneKey, desk: Desk) -> Quota:
        around, place = self._around, (key.partition, key.engine)
        if place not in self._quotas:
            self._quotas[place] = Quota(around.table, key.partition, key.engine, _caps(desk.limits, key.partition),
                                        around.clock, block=desk.size)
        return self._quotas[place]

    def _shared_groups(self) -> tuple[Recorder, Groups[Moved]]:
        """Those of all lanes of this assignment."""
        if self._groups is None:
            around = self._around
            recorder = Recorder(around.publish, around.clock, self.ends)
            mover = Groups(Mover(around.hand_on, self.ends).write)
            self._groups = recorder, mover
            self._writing += [around.spawn(recorder.run()), around.spawn(mover.run())]
        return self._groups

    def _desk(self, engine: str) -> Desk:
        desk = self._desks.get(engine)
        if desk is None:
            desk = self._desks[engine] = self._around.desk(engine)
            desk.control, desk.tell, desk.clock = self._around.control, self._around.tell, self._around.clock
            desk.ordered()
            desk.own(self._owned, set())
        return desk

    async def shut(self) -> None:
        """Close the engines' connections."""
        await asyncio.gather(*(desk.engine.close() for desk in self._desks.values()))


def _caps(limits: Allowance, partition: int) -> Caps:
    """A partition's share of an engine's caps."""
    return Caps(limits.hourly, limits.daily).share(limits.lanes, partition)
