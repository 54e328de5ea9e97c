"""What the parts of each role say of themselves, in numbers. The parts count; they know nothing of metrics."""

from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING

from outreach_stream.delivery.work import KINDS
from outreach_stream.domain.states import SENDING_ENDS, RecipientStatus, RunState
from outreach_stream.telemetry import metrics
from outreach_stream.telemetry.readings import Reading

if TYPE_CHECKING:
    from outreach_stream.agents.expansion import Expansion
    from outreach_stream.agents.finalize import Finalize
    from outreach_stream.agents.plan import Planning
    from outreach_stream.agents.track import Track
    from outreach_stream.delivery.desk import Desk
    from outreach_stream.delivery.floor import Floor

ENDS = (*SENDING_ENDS, RecipientStatus.SKIPPED, "recovered")
"""How it may end for a recipient, as a sender counts it."""
UNFINISHED = (RunState.QUEUED, RunState.INITIALIZING, RunState.SENDING)
ENDED = (RunState.COMPLETED, RunState.FAILED, RunState.CANCELLED)


def of_floor(floor: "Floor") -> Iterator[Reading]:
    """What a sender says, by engine. Whatever was counted of an engine begins with 0, so that a rate has a start."""
    for engine, desk in list(floor.desks.items()):
        for end in ENDS:
            yield Reading(metrics.ENDED, floor.ends.ended[engine, str(end)], (engine, str(end)))
        yield Reading(metrics.MOVED, floor.ends.moved[engine], (engine,))
        waiting, put_off = floor.in_lanes(engine)
        yield Reading(metrics.LANE, waiting, (engine, "open"))
        yield Reading(metrics.LANE, put_off, (engine, "put_off"))
        yield from _of_work(engine, desk)
        yield from _of_pace(engine, desk)


def _of_work(engine: str, desk: "Desk") -> Iterator[Reading]:
    work = desk.work
    for kind, name in KINDS.items():
        yield Reading(metrics.ATTEMPTS, work.attempts[kind], (engine, name))
    yield Reading(metrics.RETRIES, work.retries["in_place"], (engine, "in_place"))
    yield Reading(metrics.RETRIES, work.retries["later"], (engine, "later"))
    yield Reading(metrics.HAND_OVER, work.hand_over, (engine,))
    yield Reading(metrics.RENDERING, work.rendering, (engine,))


def _of_pace(engine: str, desk: "Desk") -> Iterator[Reading]:
    yield Reading(metrics.PLACES, desk.size, (engine,))
    yield Reading(metrics.PLACES_USED, desk.size - desk.places.free, (engine,))
    yield Reading(metrics.STOPPED, desk.stopped is not None, (engine,))
    gauge = desk.bucket.gauge()
    yield Reading(metrics.PAUSE, gauge.pause, (engine,))
    yield Reading(metrics.FACTOR, gauge.factor, (engine,))
    if not desk.bucket.unlimited:
        yield Reading(metrics.TOKENS, gauge.tokens, (engine,))
        yield Reading(metrics.RATE, gauge.rate, (engine,))


def of_runs(track: "Track") -> Iterator[Reading]:
    """The runs that an aggregator has in sight."""
    states = track.states()
    for state in (*UNFINISHED, *ENDED):
        yield Reading(metrics.RUNS, states[state], (state.value,))


def of_logs(finalize: "Finalize") -> Iterator[Reading]:
    """The logs that it writes."""
    for state in ENDED:
        yield Reading(metrics.RUNS_ENDED, finalize.logged[state], (state.value,))
    yield Reading(metrics.LOGS_DUE, finalize.due)


def of_planning(planning: "Planning") -> Iterator[Reading]:
    """The runs that a dispatcher plans."""
    yield Reading(metrics.PLANNING, planning.under_way)
    for result in ("planned", "failed", "cancelled"):
        yield Reading(metrics.PLANNED, planning.results[result], (result,))


def of_expansion(expansion: "Expansion") -> Iterator[Reading]:
    """The runs that it expands."""
    runs: Counter[str] = Counter()
    for engine, count in expansion.under_way():
        runs[engine] += count
    for engine in runs.keys() | expansion.requested.keys():
        yield Reading(metrics.EXPANDING, runs[engine], (engine,))
        yield Reading(metrics.REQUESTED, expansion.requested[engine], (engine,))
