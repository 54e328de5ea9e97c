"""`outreach schedule`: what schedules there are, and when they trigger next."""

import json
from datetime import UTC, datetime
from typing import Annotated

import typer
from rich.box import SIMPLE_HEAD
from rich.markup import escape
from rich.table import Column, Table

from outreach_stream.catalog.schedules import Schedule
from outreach_stream.catalog.source import catalog_at
from outreach_stream.cli.exits import CommandError
from outreach_stream.cli.process import command
from outreach_stream.cli.tables import show_table
from outreach_stream.scheduling.upcoming import Upcoming, coming, coming_until, told
from outreach_stream.values import written_duration

app = typer.Typer(help="Show the catalog's schedules, and when they trigger next.", no_args_is_help=True,
                  add_completion=False)

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Count = Annotated[int, typer.Option("-n", "--count", min=1, max=10_000, help="How many.")]


@app.command("list")
def list_schedules(*, as_json: AsJson = False) -> None:
    """List all schedules, each with its next slot."""
    found = [(schedule, next(coming(schedule, datetime.now(UTC), 1), None)) for schedule in _schedules()]
    if as_json:
        print(json.dumps([told(schedule) | {"next": following and following.told()} for schedule, following in found],
                         indent=2))
        return
    whole = [Column(name, no_wrap=True) for name in ("when", "zone", "next")]
    table = Table("schedule", "workflow", *whole, "catch up", box=SIMPLE_HEAD)
    for schedule, following in found:
        late = written_duration(schedule.max_lateness)
        table.add_row(schedule.id, schedule.workflow, escape(schedule.cron or f"once, {schedule.at}"),
                      schedule.timezone, _next(schedule, following), f"{schedule.catch_up}, {late}")
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
    _print(list(coming(known[name], datetime.now(UTC), count)), as_json=as_json)


@app.command()
def preview(
    until: Annotated[datetime, typer.Argument(metavar="UNTIL", help="A time in UTC, like 2026-12-24T18:00.")], *,
    count: Count = 100, as_json: AsJson = False,
) -> None:
    """Show what all schedules will trigger until a time, in order."""
    _print(coming_until(_schedules(), datetime.now(UTC), until.replace(tzinfo=UTC), count), as_json=as_json)


def _schedules() -> list[Schedule]:
    return list(catalog_at(command()).load().schedules.values())


def _next(schedule: Schedule, following: Upcoming | None) -> str:
    if not schedule.enabled:
        return "disabled"
    return f"{following.local:%a %Y-%m-%d %H:%M}" if following else "over"


def _print(found: list[Upcoming], *, as_json: bool) -> None:
    if as_json:
        print(json.dumps([each.told() for each in found], indent=2))
        return
    table = Table("schedule", "workflow", "due", "zone", "slot (UTC)", "run", box=SIMPLE_HEAD)
    for each in found:
        table.add_row(each.schedule.id, each.schedule.workflow, f"{each.local:%a %Y-%m-%d %H:%M}",
                      each.schedule.timezone, each.told()["slot"], each.run_id)
    show_table(table)
