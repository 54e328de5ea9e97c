"""`outreach engine`: which engines take mail, and the operator's fuse."""

import asyncio
import json
from typing import Annotated

import typer
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Column, Table

from outreach_stream.cli.engine_check import check
from outreach_stream.cli.exits import CommandError
from outreach_stream.cli.kafka import find_kafka, read_to_end, writing
from outreach_stream.cli.order import BY
from outreach_stream.cli.process import command
from outreach_stream.cli.readable import readable
from outreach_stream.domain.clock import wall_clock
from outreach_stream.domain.control import Control
from outreach_stream.gateway.controls import Controls
from outreach_stream.gateway.engines.orders import EngineOrder, resume_order, stop_order
from outreach_stream.gateway.engines.states import EngineState, engine_states, ordered_states
from outreach_stream.settings import Settings
from outreach_stream.streaming.produce import Record
from outreach_stream.topics import CONTROL

app = typer.Typer(help="Check engines, show which take mail, stop one, let one go on.", no_args_is_help=True,
                  add_completion=False)
app.command()(check)

Name = Annotated[str, typer.Argument(metavar="NAME", help="Id of the engine in the catalog.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.command()
def status(
    name: Annotated[str | None, typer.Argument(metavar="NAME", help="Only this one; default: all.")] = None, *,
    as_json: AsJson = False,
) -> None:
    """Show each engine's limits, and whether it takes mail: ok, throttled by its provider, or stopped; by whom and why.

    A throttled engine goes on by itself, at a part of its rate first. A stopped one waits for `outreach engine resume`;
    what its recipients do meanwhile is their workflow's on_engine_stopped: wait, fail, or failover.
    """
    settings = command()
    known, now = readable(settings), wall_clock()
    if name is not None:
        known.check_engine(name)
    control = asyncio.run(_control(settings))
    found = engine_states(known.catalog, control, now)
    if not known.whole:
        found += ordered_states(control, now, besides=known.catalog.engines, named=[name] if name else [])
    found = [state for state in found if name in (None, state.id)]
    if as_json:
        print(json.dumps([state.model_dump() for state in found], indent=2))
    else:
        _show(found)


@app.command()
def stop(
    name: Name,
    reason: Annotated[str, typer.Option(help="Why; whoever looks at the engine or its runs reads it.")],
    *, as_json: AsJson = False,
) -> None:
    """Stop an engine: nothing is handed to it, by any worker, until `outreach engine resume`.

    Of its runs' recipients nobody is lost: they wait, fail, or go to another engine, as their workflows say.
    """
    settings = command()
    readable(settings).warn_of_engine(name)

    async def order() -> EngineOrder:
        given = stop_order(name, reason, await _control(settings), by=BY, at=wall_clock())
        if given.records:
            await _write(settings, given.records)
        return given

    given = asyncio.run(order())
    _say(name, "stopped", as_json=as_json,
         told=given.told + (f" It goes on with: outreach engine resume {name}" if given.records else ""))


@app.command()
def resume(name: Name, *, as_json: AsJson = False) -> None:
    """Let a stopped engine go on, when what stopped it is mended; a throttle is taken back, too.

    Everything that waits for it goes on within seconds. If it is not mended, the engine stops again: at the next mail
    where a login or a sender is refused, after ten that fail where mails are blocked one by one.
    """
    settings = command()
    known = readable(settings)

    async def order() -> EngineOrder:
        given = resume_order(name, await _control(settings), wall_clock())
        if not given.records:
            known.check_engine(name)    # one that has left the catalog may still be let go on
            raise CommandError(given.told)
        await _write(settings, given.records)
        return given

    _say(name, "resumed", asyncio.run(order()).told, as_json=as_json)


async def _control(settings: Settings) -> Control:
    bootstrap = await find_kafka(settings, patience=5)
    async with read_to_end(Controls(bootstrap), bootstrap) as controls:
        return controls.orders


async def _write(settings: Settings, records: list[Record]) -> None:
    bootstrap = await find_kafka(settings, patience=5)
    async with writing(bootstrap, "the order", "Repeat it: that does no harm") as writer:
        for record in records:
            await writer.write(CONTROL.name, record, partition=0)


def _say(name: str, ordered: str, told: str, *, as_json: bool) -> None:
    print(json.dumps({"engine": name, "ordered": ordered}) if as_json else told)


def said(state: EngineState) -> str:
    """Where an engine stands, for people."""
    if state.state == "stopped":
        return f"stopped since {state.since}" + (f" because {state.reason}" if state.reason else "")
    if state.state == "throttled":
        how = f"at {state.factor or 0:.0%} of its rate, and climbing"
        return (f"throttled until {state.until}, then {how}" if state.until else f"throttled: {how}") + (
            f" ({state.reason})" if state.reason else "")
    return "ok"


def rate(state: EngineState) -> str:
    """How fast an engine may be, for people."""
    if state.kind is None:
        return "?"
    if state.rate:
        return f"{state.rate:,g}/s"
    return "by the provider" if state.rate_by == "provider" else "unlimited"


def _show(states: list[EngineState]) -> None:
    told = [Column(name, overflow="fold") for name in ("state", "by")]      # whole, however long a word
    table = Table("engine", "kind", "rate", "hourly", "daily", *told, box=SIMPLE_HEAD)
    for state in states:
        caps = [f"{cap:,}" if cap else "-" for cap in (state.hourly, state.daily)]
        table.add_row(escape(state.id), state.kind or "?", rate(state), *caps,
                      *map(escape, (said(state), state.by or "-")))
    console = Console()
    console.print(table)
    for state in states:
        for warning in state.warnings:
            console.print(f"Warning: {state.id}: {warning}", markup=False, highlight=False, soft_wrap=True)
