"""`outreach watch`: follows one run through `run.status`."""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import nullcontext, suppress
from time import monotonic
from typing import Annotated, Literal

import typer

from outreach_stream.cli.display import RunDisplay, closing_lines
from outreach_stream.cli.exits import CommandError, Exit
from outreach_stream.cli.kafka import find_kafka
from outreach_stream.cli.process import command
from outreach_stream.domain.events import RunStatus
from outreach_stream.domain.states import RunState
from outreach_stream.gateway.runs.statuses import RunStatuses

UNKNOWN_PATIENCE = 10.0
"""Seconds to wait for the first word on a run."""

TICK = 1.0
"""Seconds after which a display is refreshed without news."""

Show = Literal["progress", "json", "nothing"]


def watch(
    run: Annotated[str, typer.Argument(help="Id of the run, as `outreach trigger` and the gateway give it.")],
    as_json: Annotated[bool, typer.Option(
        "--json", help="Print each status as a JSON line; the last is the end.")] = False,
) -> None:
    """Follow a run until it has ended and its log is written.

    Exit code 0 if it completed, 1 if it failed, was cancelled or refused, or is not known.
    """
    settings = command()

    async def follow() -> RunStatus:
        bootstrap = await find_kafka(settings, patience=5)
        return await final_status(run, bootstrap, show="json" if as_json else "progress")

    sys.exit(outcome(asyncio.run(follow())))


def outcome(status: RunStatus) -> Exit:
    """The exit code that a run's end gives."""
    return Exit.OK if status.state is RunState.COMPLETED else Exit.FAILED


def over(status: RunStatus) -> bool:
    """Whether nothing more will be said of the run: it has ended and its log is written, or it never began."""
    return status.state is RunState.REFUSED or (status.state.terminal and status.log is not None)


async def final_status(run: str, bootstrap: str, *, show: Show,
                       patience: float | None = UNKNOWN_PATIENCE) -> RunStatus:
    """Follow `run` to its end, showing it; returns the last status.

    Raises `CommandError` if nothing is known of it after `patience` seconds; None: waits for ever.
    """
    last: RunStatus | None = None
    with RunDisplay() if show == "progress" else nullcontext() as display:
        async for status in _statuses(run, bootstrap, patience):
            if display:
                display.show(status)
            elif show == "json" and status != last:
                print(status.model_dump_json(exclude_none=True), flush=True)
            last = status
    assert last is not None, "raised otherwise"
    if show == "progress":
        print("\n".join(closing_lines(last)))
    return last


async def followed(run: str, bootstrap: str, *, as_json: bool) -> Exit:
    """Follow a run that was just triggered to its end, as `--wait` does; returns its exit code."""
    if not as_json:
        print(f"Run {run}", flush=True)
    status = await final_status(run, bootstrap, show="nothing" if as_json else "progress", patience=None)
    if as_json:
        print(status.model_dump_json(exclude_none=True))
    return outcome(status)


async def _statuses(run: str, bootstrap: str, patience: float | None) -> AsyncIterator[RunStatus]:
    """The run's status at each change, and about every second in between, to the last one."""
    statuses = RunStatuses(bootstrap)
    await statuses.start()
    began, warned = monotonic(), False
    try:
        while True:
            status = statuses.get(run)
            if status is not None:
                yield status
                if over(status):
                    return
            elif monotonic() - began > (UNKNOWN_PATIENCE if patience is None else patience) and not warned:
                warned = _nothing_known(run, bootstrap, fatal=patience is not None)
            statuses.changed.clear()
            with suppress(TimeoutError):
                await asyncio.wait_for(statuses.changed.wait(), TICK)
    finally:
        await statuses.stop()


def _nothing_known(run: str, bootstrap: str, *, fatal: bool) -> bool:
    message = f"Nothing is known of run {run} at {bootstrap}."
    advice = "Does an aggregator work there? `outreach worker all` starts one."
    if fatal:
        raise CommandError(f"{message} Is the id right? {advice}")
    print(f"{message} {advice} Waiting.", file=sys.stderr)
    return True
