"""The catalog's schedules as the API tells them, each with its next slots."""

from datetime import datetime
from typing import Any

from pydantic import BaseModel

from outreach_stream.catalog.schedules import CatchUp, QuietWindow, Schedule
from outreach_stream.catalog.snapshot import Catalog
from outreach_stream.domain.clock import Stamp
from outreach_stream.scheduling.upcoming import coming

MOST_SLOTS = 100
"""Slots of one schedule that are told at most."""


class UpcomingSlot(BaseModel):
    """One slot to come."""

    slot: Stamp
    due: Stamp
    """When it may begin: later than the slot if that lies in a quiet window."""
    local: Stamp
    """The same moment in the schedule's zone."""
    run_id: str
    """The run that it will be."""


class ScheduleState(BaseModel):
    """One schedule."""

    id: str
    name: str
    workflow_id: str
    enabled: bool
    cron: str | None
    at: datetime | None
    timezone: str
    quiet: list[QuietWindow]
    catch_up: CatchUp
    max_lateness: float
    """Seconds."""
    parameters: dict[str, Any]
    starts: datetime | None
    ends: datetime | None
    next: list[Stamp]
    """When it triggers next; none of one that is not enabled, or over."""
    slots: list[UpcomingSlot]
    """The same with all that is known of them."""


class Schedules(BaseModel):
    """All schedules of the catalog."""

    schedules: list[ScheduleState]


def schedule_states(catalog: Catalog, now: datetime, count: int) -> Schedules:
    """All of them, by id. Blocks: it computes slots."""
    return Schedules(schedules=[_state(catalog.schedules[name], now, count) for name in sorted(catalog.schedules)])


def _state(schedule: Schedule, now: datetime, count: int) -> ScheduleState:
    found = [each.told() for each in coming(schedule, now, count)] if schedule.enabled else []
    fields = {name: getattr(schedule, name) for name in ScheduleState.model_fields if hasattr(schedule, name)}
    return ScheduleState(**fields, workflow_id=schedule.workflow, next=[each["due"] for each in found],
                         slots=[UpcomingSlot.model_validate(each) for each in found])
