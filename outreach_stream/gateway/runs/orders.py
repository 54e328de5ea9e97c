"""Orders in mid-run, about runs and engines: what makes sense when, and the records of `control` that say it."""

from typing import Literal

from outreach_stream.delivery.throttle import factor_at
from outreach_stream.domain.control import Control, EngineFuse, RunOrder, Subject, control_key
from outreach_stream.domain.events import RunStatus
from outreach_stream.domain.states import RunState
from outreach_stream.streaming.produce import Record

Order = Literal["cancel", "pause", "resume"]


def objection(order: Order, status: RunStatus, control: Control) -> str | None:
    """Why the order makes no sense for a run that stands so; None: it does.

    An order that was given before may be given again: whoever got no answer repeats it.
    """
    run = status.run_id
    if status.state is RunState.REFUSED:
        return f"Run {run} never began: it was refused ({status.reason})."
    if status.state.terminal:
        return f"Run {run} has ended: it is {status.state}."
    if order != "cancel" and control.cancelled(run):
        return f"Run {run} is cancelled, and that is for good."
    if order == "resume" and not control.paused(run):
        return f"Run {run} is not paused."
    return None


def run_record(order: Order, run: str, *, by: str, at: float) -> Record:
    """The record that gives the order."""
    key = control_key(Subject("run", run), "cancel" if order == "cancel" else "pause")
    return Record(key, None if order == "resume" else RunOrder(at=at, by=by).encode())


def stop_record(engine: str, reason: str, *, by: str, at: float) -> Record:
    """The record that stops an engine."""
    return Record(control_key(Subject("engine", engine), "fuse"), EngineFuse(reason=reason, at=at, by=by).encode())


def resume_records(engine: str, control: Control, now: float) -> list[Record]:
    """The records that take back what stops or slows the engine; none: nothing does."""
    subject, records = Subject("engine", engine), []
    if control.fuse(engine):
        records.append(Record(control_key(subject, "fuse"), None))
    if factor_at(control.throttle(engine), now) < 1:
        records.append(Record(control_key(subject, "throttle"), None))
    return records
