"""What is said of a run in public."""

from collections.abc import Callable

import pytest

from outreach_stream.domain.clock import iso
from outreach_stream.domain.control import Control
from outreach_stream.domain.events import RunPlanReported, RunRequested
from outreach_stream.domain.marks import Mark
from outreach_stream.runs.record import RunRecord
from outreach_stream.runs.results import Result
from outreach_stream.runs.status import Ends, run_status
from outreach_stream.runs.tally import Tally


@pytest.mark.parametrize("plan", [{"error": "the suppression list cannot be read"}, {"cancelled": True}])
def test_who_was_mailed_is_counted_whatever_the_plan_says(
    requested: Callable[..., RunRequested], plan: dict[str, object],
) -> None:
    """A planner died after the requests of an express run and before its report; the next one found no plan."""
    request, record, tally, ends = requested(priority="express"), RunRecord(), Tally(), Ends()
    record.apply(request)
    record.apply(RunPlanReported.model_validate({"run_id": request.run_id, "total": 0, "at": request.admitted_at + 1}
                                                | plan))
    tally.note(Result(request.run_id, 0, 3, Mark.SENT, possible_duplicate=False, offset=0))
    ends.add(tally)
    status = run_status(request.run_id, record, ends, Control(), request.admitted_at + 2)
    assert status is not None
    assert (status.counts.total, status.counts.sent, status.counts.ended) == (1, 1, 1)


def test_who_is_not_due_yet_is_said_until_they_are(requested: Callable[..., RunRequested]) -> None:
    """With `local_time`: the next moment, and how many are not due before it; nothing once all are, or it is over."""
    request, record = requested(), RunRecord()
    at = request.admitted_at
    record.apply(request)
    record.apply(RunPlanReported(run_id=request.run_id, total=60, at=at, due=[(0.0, 10), (at + 60, 20), (at + 90, 30)]))
    statuses = [run_status(request.run_id, record, Ends(), Control(), at + later) for later in (1, 60, 90)]
    record.end(at + 95, cancelled=True)
    statuses.append(run_status(request.run_id, record, Ends(), Control(), at + 1))

    assert [(status.next_due, status.not_due) for status in statuses if status] == [
        (iso(at + 60), 50), (iso(at + 90), 30), (None, 0), (None, 0)]
