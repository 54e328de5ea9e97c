"""What schedules will trigger next: their slots as people and programs are told of them."""

from collections.abc import Iterable, Iterator
from datetime import datetime
from itertools import islice, takewhile
from typing import Any, NamedTuple

from outreach_stream.catalog.schedules import Schedule
from outreach_stream.domain.identity import canonical_time, run_id
from outreach_stream.scheduling.slots import Slot, to_come


class Upcoming(NamedTuple):
    """One slot to come, and whose it is."""

    schedule: Schedule
    slot: Slot

    @property
    def local(self) -> datetime:
        """When it is due, on the clocks of the schedule's zone."""
        return self.slot.due.astimezone(self.schedule.zone)

    @property
    def run_id(self) -> str:
        """The run that it will be, whoever triggers it."""
        return run_id(self.schedule.workflow, slot=self.slot.at, key=None, trigger_id="")

    def told(self) -> dict[str, str]:
        """All of it, for programs."""
        return {"schedule": self.schedule.id, "workflow": self.schedule.workflow, "slot": canonical_time(self.slot.at),
                "due": canonical_time(self.slot.due), "local": self.local.isoformat(), "run_id": self.run_id}


def coming(schedule: Schedule, after: datetime, count: int) -> Iterator[Upcoming]:
    """Its next slots, `count` at most, whether it is enabled or not."""
    return islice((Upcoming(schedule, slot) for slot in to_come(schedule, after)), count)


def coming_until(schedules: Iterable[Schedule], after: datetime, until: datetime, count: int) -> list[Upcoming]:
    """What all that are enabled will trigger until then, in order, `count` at most."""
    found = [each for schedule in schedules if schedule.enabled
             for each in takewhile(lambda each: each.slot.due <= until, coming(schedule, after, count))]
    return sorted(found, key=lambda each: (each.slot.due, each.schedule.id))[:count]


def told(schedule: Schedule) -> dict[str, Any]:
    """The schedule as a file says it, without what it leaves to defaults."""
    return schedule.model_dump(mode="json", by_alias=True, exclude_defaults=True)
