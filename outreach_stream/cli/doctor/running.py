"""What is under way: runs that do not go on, engines that take no mail, and the clock that all of it is dated by."""

import time
from collections.abc import Awaitable, Sequence
from datetime import UTC, datetime

from outreach_stream.cli.doctor.finding import Found, Scene, address_in, ok, problem, warning
from outreach_stream.cli.engine import said
from outreach_stream.cli.kafka import read_to_end
from outreach_stream.domain.events import RunStatus
from outreach_stream.domain.states import RunState
from outreach_stream.gateway.controls import Controls
from outreach_stream.gateway.engines.states import EngineState, ordered_states
from outreach_stream.gateway.runs.listing import Choice
from outreach_stream.gateway.runs.statuses import RunStatuses

LOOKED_AT = 1_000
"""The newest runs; what is older has ended, or is swept up by the aggregator."""

TOLD = 5
"""Runs of one kind that are told one by one."""

MINUTE = 60.0
PATIENCE = {RunState.QUEUED: 2 * MINUTE, RunState.INITIALIZING: 15 * MINUTE, RunState.SENDING: 30 * MINUTE}
"""Seconds without news after which a run does not seem to go on: a query may take some, and so does a slow engine."""
LOG_PATIENCE = 10 * MINUTE
"""Seconds after its end in which a run's log should be written."""

FAST = 5.0
"""Seconds that another clock may be ahead of ours without being told."""

_WORKER = {RunState.QUEUED: "aggregator and a dispatcher", RunState.INITIALIZING: "dispatcher",
           RunState.SENDING: "dispatcher and a sender"}


async def runs(scene: Scene) -> list[Found]:
    """Whether every run goes on."""
    newest, now = await scene.newest(), time.time()
    going = sum(not each.state.terminal and each.state is not RunState.REFUSED for each in newest)
    found = [finding for each in newest if (finding := ailing(each, now))]
    more = [warning(f"and {len(found) - TOLD} more", "GET /api/v1/runs, or the dashboard of `outreach gateway`")]
    return [*found[:TOLD], *(more if len(found) > TOLD else [])] or [ok(f"{going} under way, none of them stuck")]


def ailing(status: RunStatus, now: float) -> Found | None:
    """What is wrong with a run as it stands at `now`; None: nothing."""
    if status.state is RunState.REFUSED:
        return None
    quiet, run = now - _seconds(status.updated_at), f"run {status.run_id} (workflow {status.workflow_id})"
    return _unlogged(status, run, quiet) if status.state.terminal else _stuck(status, run, quiet, now)


def _unlogged(status: RunStatus, run: str, quiet: float) -> Found | None:
    if status.log is not None or quiet <= LOG_PATIENCE:
        return None
    return warning(f"{run} is {status.state}, and its log is not written",
                   "Is an aggregator at work, and may it write OUTREACH_OUTPUT?")


def _stuck(status: RunStatus, run: str, quiet: float, now: float) -> Found | None:
    if status.deadline and now > _seconds(status.deadline) + LOG_PATIENCE:
        return problem(f"{run} is {status.state}, though its deadline was {status.deadline}",
                       "Are an aggregator, a dispatcher and a sender at work?")
    if status.engine_stopped:
        return warning(f"{run} waits: its engine has stopped", f"outreach engine resume {status.engine}, once it is "
                                                               "mended")
    if status.paused or quiet <= PATIENCE[status.state]:
        return None
    return warning(f"{run} is {status.state}, and nothing was heard of it for {quiet / MINUTE:,.0f} minutes",
                   f"Is a {_WORKER[status.state]} at work? A cap of the engine, or a local time, makes a run wait, too")


async def clock(scene: Scene) -> list[Found]:
    """Whether another machine's clock is ahead of ours: deadlines and schedules go by clocks."""
    ahead = max((_seconds(each.updated_at) for each in await scene.newest()), default=0.0) - time.time()
    if ahead > FAST:
        return [warning(f"the last word on a run is {ahead:,.0f} s in the future: this clock is slow, or a worker's is "
                        "fast",
                        "Let every machine follow the same time servers (NTP)")]
    return [ok(f"{datetime.now(UTC):%H:%M:%S} UTC, and nothing is dated in the future")]


async def stops(scene: Scene) -> list[Found]:
    """Which engines were stopped or slowed down."""
    bootstrap = await scene.bootstrap()
    async with read_to_end(Controls(bootstrap), bootstrap) as controls:
        return stopped(ordered_states(controls.orders, time.time()))


def stopped(states: Sequence[EngineState]) -> list[Found]:
    """What is to be said of engines of which something is ordered."""
    return [problem(f"{state.id} is {said(state)}", f"Mend what stopped it, then: outreach engine resume {state.id}")
            if state.state == "stopped" else warning(f"{state.id} is {said(state)}") for state in states
            ] or [ok("all take mail, as far as is known here")]


async def newest_runs(kafka: Awaitable[str | None]) -> list[RunStatus]:
    """The last word on each of the newest runs. Raises `NotThere`, `BrokerUnreachableError`."""
    bootstrap = await address_in(kafka)
    async with read_to_end(RunStatuses(bootstrap), bootstrap) as statuses:
        return [word.status for word in statuses.page(Choice(), LOOKED_AT)[0]]


def _seconds(stamp: str) -> float:
    moment = datetime.fromisoformat(stamp)
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
