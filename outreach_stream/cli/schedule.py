"""`outreach schedule`: what schedules there are, and when they trigger next."""

import json
from datetime import UTC, datetime
from itertools import islice, takewhile
from typing import Annotated, Any

import typer
from rich.box import SIMPLE_HEAD
from rich.markup import escape
from rich.table import Column, Table

from outreach_stream.catalog.schedules import Schedule
from outreach_stream.catalog.source import catalog_at
from outreach_stream.cli.exits import CommandError
from outreach_stream.cli.process import command
from outreach_stream.cli.tables import show_table
from outreach_stream.domain.identity import canonical_time, run_id
from outreach_stream.scheduling.slots import Slot, slots
from outreach_stream.values import written_duration

app = typer.Typer(help="Show the catalog's schedules, and when they trigger next.", no_args_is_help=True,
                  add_completion=False)

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Count = Annotated[int, typer.Option("-n", "--count", min=1, max=10_000, help="How many.")]


@app.command("list")
def list_schedules(*, as_json: AsJson = False) -> None:
    """List all schedules, each with its next slot."""
    found = [(schedule, next(_coming(schedule), None)) for schedule in _schedules()]
    if as_json:
        print(json.dumps([_told(schedule) | {"next": slot and _slot(schedule, slot)} for schedule, slot in found],
                         indent=2))
        return
    whole = [Column(name, no_wrap=True) for name in ("when", "zone", "next")]
    table = Table("schedule", "workflow", *whole, "catch up", box=SIMPLE_HEAD)
    for schedule, slot in found:
        late = written_duration(schedule.max_lateness)
        table.add_row(schedule.id, schedule.workflow, escape(schedule.cron or f"once, {schedule.at}"),
                      schedule.timezone, _next(schedule, slot), f"{schedule.catch_up}, {late}")
    show_table(table)


@app.command("next")
def next_slots(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Id of the schedule.")], *, count: Count = 5,
    as_json: AsJson = False,
) -> None:
    """Show a schedule's next slots: the time, in its zone and in UTC, when it is due, and the run it will be."""
    known = {schedule.id: schedule for schedule in _schedules()}
    if name not in known:
        raise CommandError(f"Unknown schedule: {name}; there are: {', '.join(known) or 'none'}.")
    schedule = known[name]
    _print([(schedule, slot) for slot in islice(_coming(schedule), count)], as_json=as_json)


@app.command()
def preview(
    until: Annotated[datetime, typer.Argument(metavar="UNTIL", help="A time in UTC, like 2026-12-24T18:00.")], *,
    count: Count = 100, as_json: AsJson = False,
) -> None:
    """Show what all schedules will trigger until a time, in order."""
    end = until.replace(tzinfo=UTC)
    found = [(schedule, slot) for schedule in _schedules() if schedule.enabled
             for slot in islice(takewhile(lambda slot: slot.due <= end, _coming(schedule)), count)]
    _print(sorted(found, key=lambda pair: (pair[1].due, pair[0].id))[:count], as_json=as_json)


def _schedules() -> list[Schedule]:
    return list(catalog_at(command()).load().schedules.values())


def _coming(schedule: Schedule) -> Any:
    return slots(schedule, datetime.now(UTC))


def _told(schedule: Schedule) -> dict[str, Any]:
    return schedule.model_dump(mode="json", by_alias=True, exclude_defaults=True)


def _slot(schedule: Schedule, slot: Slot) -> dict[str, str]:
    return {"schedule": schedule.id, "workflow": schedule.workflow, "slot": canonical_time(slot.at),
            "due": canonical_time(slot.due), "local": slot.due.astimezone(schedule.zone).isoformat(),
            "run_id": run_id(schedule.workflow, slot=slot.at, key=None, trigger_id="")}


def _next(schedule: Schedule, slot: Slot | None) -> str:
    if not schedule.enabled:
        return "disabled"
    return f"{slot.due.astimezone(schedule.zone):%a %Y-%m-%d %H:%M}" if slot else "over"


def _print(found: list[tuple[Schedule, Slot]], *, as_json: bool) -> None:
    if as_json:
        print(json.dumps([_slot(*pair) for pair in found], indent=2))
        return
    table = Table("schedule", "workflow", "due", "zone", "slot (UTC)", "run", box=SIMPLE_HEAD)
    for schedule, slot in found:
        told = _slot(schedule, slot)
        table.add_row(schedule.id, schedule.workflow, f"{slot.due.astimezone(schedule.zone):%a %Y-%m-%d %H:%M}",
                      schedule.timezone, told["slot"], told["run_id"])
    show_table(table)
