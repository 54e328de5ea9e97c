"""What `outreach cancel`, `pause` and `resume` have in common: look, order, and wait if asked to."""

import asyncio
import json
import sys
from typing import Annotated

import typer

from outreach_stream.cli.exits import CommandError, Exit
from outreach_stream.cli.kafka import find_kafka, read_to_end, writing
from outreach_stream.cli.process import command
from outreach_stream.domain.clock import wall_clock
from outreach_stream.domain.events import RunStatus
from outreach_stream.domain.states import RunState
from outreach_stream.gateway.controls import Controls
from outreach_stream.gateway.runs.orders import Order, objection, run_record
from outreach_stream.gateway.runs.statuses import RunStatuses
from outreach_stream.settings import Settings
from outreach_stream.topics import CONTROL

BY = "cli"

Run = Annotated[str, typer.Argument(help="Id of the run, as `outreach trigger` and the gateway give it.")]
Wait = Annotated[bool, typer.Option("--wait", help="Return when the run's status says that it is so.")]
Timeout = Annotated[float, typer.Option(
    min=1, metavar="SECONDS", help="How long --wait waits; the order stands, however long the workers need.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object; with --wait the run's status.")]
PATIENCE = 120.0

_ORDERED = {"cancel": "is being cancelled", "pause": "is being paused", "resume": "goes on"}


def order(what: Order, run: str, *, wait: bool, timeout: float, as_json: bool) -> None:
    """Give the order, and end the process with the command's exit code. Raises `CommandError`, `BrokerError`."""
    sys.exit(asyncio.run(_order(what, run, command(), patience=timeout if wait else None, as_json=as_json)))


def known(statuses: RunStatuses, run: str) -> RunStatus:
    """Where the run stands. Raises `CommandError` for one that is not known."""
    if status := statuses.get(run):
        return status
    raise CommandError(f"Nothing is known of run {run}. Is the id right? Ids are printed by `outreach trigger`; a run "
                       "that was triggered a moment ago is known when an aggregator has admitted it.")


async def _order(what: Order, run: str, settings: Settings, *, patience: float | None, as_json: bool) -> Exit:
    bootstrap = await find_kafka(settings, patience=5)
    async with read_to_end(RunStatuses(bootstrap), bootstrap) as statuses:
        async with read_to_end(Controls(bootstrap), bootstrap) as controls:
            if reason := objection(what, known(statuses, run), controls.orders):
                raise CommandError(reason)
        async with writing(bootstrap, "the order", "Repeat it: that does no harm") as writer:
            await writer.write(CONTROL.name, run_record(what, run, by=BY, at=wall_clock()), partition=0)
        if patience is None:
            print(json.dumps({"run_id": run, "ordered": what}) if as_json
                  else f"Run {run} {_ORDERED[what]}. Follow it: outreach watch {run}")
            return Exit.OK
        status = await _heeded(what, run, statuses, patience)
    print(status.model_dump_json(exclude_none=True) if as_json else _said(status))
    return Exit.OK if obeyed(what, status) else Exit.FAILED


async def _heeded(what: Order, run: str, statuses: RunStatuses, patience: float) -> RunStatus:
    """The first status that says that it is so, or that the run has ended. Raises `CommandError` when time is up."""
    try:
        async with asyncio.timeout(patience):
            while not (obeyed(what, status := known(statuses, run)) or status.state.terminal):
                statuses.changed.clear()
                await statuses.changed.wait()
    except TimeoutError as error:
        raise CommandError(f"The order stands, but after {patience:g} s run {run} is {known(statuses, run).state} as "
                           f"before. Do its workers run? Follow it: outreach watch {run}") from error
    return status


def obeyed(what: Order, status: RunStatus) -> bool:
    """Whether the run's status says that the order is carried out."""
    if what == "cancel":
        return status.state is RunState.CANCELLED
    return status.paused is (what == "pause")


def _said(status: RunStatus) -> str:
    paused = ", paused" if status.paused and not status.state.terminal else ""
    return f"Run {status.run_id} is {status.state}{paused}: {status.counts.sent:,} of {status.counts.total:,} sent."
