"""Triggers every slot of every schedule when it is due. It remembers nothing that matters: see `slots`."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

import structlog

from outreach_stream.catalog.schedules import Schedule
from outreach_stream.catalog.snapshot import Catalog
from outreach_stream.domain.clock import Clock, wall_clock
from outreach_stream.domain.identity import canonical_time
from outreach_stream.domain.spread import Spread
from outreach_stream.domain.triggers import WorkflowTriggered
from outreach_stream.scheduling.slots import EVER, Slot, ready

log = structlog.get_logger()

LATE = (0.1, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 300.0, 3600.0)
"""Upper bounds of lateness, in seconds: from a tick to what is made up for after a pause."""

type Publish = Callable[[WorkflowTriggered], Awaitable[object]]
"""Has a trigger acknowledged by the broker; raises if it could not in time: it is tried again."""


def trigger_of(schedule: Schedule, slot: Slot) -> WorkflowTriggered:
    """What a slot triggers: the same whoever triggers it, and whenever."""
    return WorkflowTriggered(
        workflow_id=schedule.workflow, trigger_id=f"{schedule.id}@{canonical_time(slot.at)}",
        source=f"schedule:{schedule.id}", slot=slot.at, parameters=schedule.parameters)


class Ticker:
    """Looks at the schedules once a second."""

    def __init__(self, catalog: Callable[[], Catalog], publish: Publish, clock: Clock = wall_clock) -> None:
        self._catalog, self._publish, self._clock = catalog, publish, clock
        self._seen: dict[str, tuple[Schedule, datetime]] = {}
        """How far each schedule is triggered. One that is changed is another one, and begins with the change."""
        self._started = False
        self.triggered, self.failed = 0, 0
        """Slots that are in Kafka, and tries that came to nothing."""
        self.lateness = Spread(LATE)
        """Seconds from when a slot was due until it was in Kafka."""

    @property
    def schedules(self) -> int:
        """How many were there at the last look."""
        return len(self._seen)

    @property
    def looked(self) -> bool:
        """Whether it has come to the end of a look."""
        return self._started

    async def run(self, stop: asyncio.Event) -> None:
        """Tick until `stop` is set; raises nothing for what passes."""
        while not stop.is_set():
            await self.look()
            await _either(stop, 1.0 - self._clock() % 1.0)

    async def look(self) -> None:
        """Trigger what is ready now. What cannot be triggered is ready again at the next look."""
        now = datetime.fromtimestamp(self._clock(), UTC)
        seen: dict[str, tuple[Schedule, datetime]] = {}
        for schedule in self._catalog().schedules.values():
            before = self._seen.get(schedule.id)
            since = before[1] if before and before[0] == schedule else now if self._started else EVER
            done = await self._triggered(schedule, ready(schedule, since, now))
            seen[schedule.id] = schedule, now if done else since
        self._seen, self._started = seen, True

    async def _triggered(self, schedule: Schedule, slots: list[Slot]) -> bool:
        """Whether every slot is in Kafka now."""
        for slot in slots:
            late = round(self._clock() - slot.due.timestamp(), 1)
            try:
                await self._publish(trigger_of(schedule, slot))
            except Exception as error:  # noqa: BLE001 - whatever it is, the slot must not be lost for it
                self.failed += 1
                log.warning("slot_not_triggered", schedule=schedule.id, slot=canonical_time(slot.at),
                            error=type(error).__name__)
                return False
            self.triggered += 1
            self.lateness.note(late)
            log.info("slot_triggered", schedule=schedule.id, workflow_id=schedule.workflow,
                     slot=canonical_time(slot.at), late_seconds=late)
        return True


async def _either(stop: asyncio.Event, seconds: float) -> None:
    """Wait until `stop` is set, or for so many seconds."""
    waiting = asyncio.ensure_future(stop.wait())
    await asyncio.wait([waiting], timeout=seconds)
    waiting.cancel()
