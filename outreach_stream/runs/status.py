"""What is said of a run in public: its `run.status`."""

from collections import Counter

from outreach_stream.domain.clock import iso
from outreach_stream.domain.control import Control
from outreach_stream.domain.events import RunStatus
from outreach_stream.domain.states import Counts, RecipientStatus
from outreach_stream.runs.record import RunRecord
from outreach_stream.runs.tally import Tally


class Ends:
    """How many recipients of a run have ended, by status: the sum over its chunks, kept up to date chunk by chunk."""

    __slots__ = ("counts", "possible_duplicates")

    def __init__(self) -> None:
        self.counts: Counter[RecipientStatus] = Counter()
        self.possible_duplicates = 0

    def add(self, tally: Tally) -> None:
        """Count a chunk in."""
        self.counts.update(tally.marks.counts())
        self.possible_duplicates += tally.marks.possible_duplicates()

    def subtract(self, tally: Tally) -> None:
        """Count a chunk out, as it was when it was counted in."""
        self.counts.subtract(tally.marks.counts())
        self.possible_duplicates -= tally.marks.possible_duplicates()

    @property
    def total(self) -> int:
        """Recipients with an end, those of an express run that were skipped in their lane among them."""
        return self.counts.total()


def counts_of(record: RunRecord, ends: Ends) -> Counts:
    """The public counts. Skipped recipients are no part of the total, whether the planner or a lane left them out."""
    skipped_in_lane = ends.counts[RecipientStatus.SKIPPED]
    by_status = {status.value: ends.counts[status] for status in RecipientStatus if status.value != "skipped"}
    plan = record.plan
    # Of a run without a plan, one that nobody came to report may have got as far as its mails.
    planned = ends.total if plan and (plan.cancelled or plan.error) else plan.total if plan else 0
    return Counts(
        total=max(0, planned - skipped_in_lane),
        skipped=(plan.skipped if plan else 0) + skipped_in_lane,
        possible_duplicates=ends.possible_duplicates,
        **by_status,
    )


def run_status(run_id: str, record: RunRecord, ends: Ends, control: Control, now: float) -> RunStatus | None:
    """Where the run stands at `now`, and what is ordered about it; None while nothing but results is known of it."""
    state, said = record.state, record.request or record.refused
    if state is None or said is None:
        return None
    request = record.request
    going_on = request is not None and not state.terminal
    fuse = control.fuse(request.engine) if request and going_on else None
    counts = counts_of(record, ends)
    later = [] if not going_on or record.plan is None else [group for group in record.plan.due if group[0] > now]
    return RunStatus(
        run_id=run_id,
        workflow_id=said.workflow_id,
        state=state,
        reason=record.reason,
        warnings=record.warnings,
        source=said.source,
        engine=request.engine if request else None,
        slot=said.slot,
        counts=counts,
        states={entered: iso(at) for entered, at in record.states.items()},
        deadline=iso(request.deadline) if request else None,
        deadline_passed=bool(counts.expired or record.given_up or (
            request and going_on and now > request.deadline)),
        paused=going_on and control.paused(run_id),
        cancelling=going_on and control.cancelled(run_id),
        engine_stopped=fuse.reason if fuse else None,
        next_due=iso(later[0][0]) if later else None,
        not_due=sum(recipients for _, recipients in later),
        parent=request.replay.run_id if request and request.replay else None,
        log=record.log,
        updated_at=iso(now),
    )
