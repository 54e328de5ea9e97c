"""Replays: who of an earlier run is mailed under a new one, or why nobody is."""

from collections.abc import Iterable, Iterator

from outreach_stream.domain.chunks import ReplayedChunk
from outreach_stream.domain.events import ReplayRequested, RunPlanReported, RunRefused, RunRequested
from outreach_stream.domain.marks import STATUS_OF, Mark, Marks
from outreach_stream.runs.admission import REASON_LIMIT, REQUEST_LIMIT, Refused
from outreach_stream.runs.record import RunRecord
from outreach_stream.runs.tally import Tally
from outreach_stream.topics import DAY, LONGEST_RUN, RUN_CHUNK

TOO_MANY = "its recipients are spread over more chunks than fit into one request: replay fewer statuses at a time"
CHUNKS_KEPT = RUN_CHUNK.keep or LONGEST_RUN
"""Seconds after its plan for which a run's recipients are to be found."""
_AROUND_MAPS = 40
"""Bytes of a `ReplayedChunk` beside its two maps, at least."""


def replayed(asked: ReplayRequested, earlier: RunRecord, tallies: Iterable[tuple[int, Tally]],
             now: float) -> RunRequested | RunRefused:
    """The new run with the recipients that it is for, from what is known of the earlier one; or why there is none."""
    request = asked.request
    try:
        return _filled(asked, earlier, tallies, now)
    except Refused as why:
        return RunRefused(run_id=request.run_id, workflow_id=request.workflow_id, source=request.source,
                          reason=str(why)[:REASON_LIMIT], slot=request.slot, at=now)


def _filled(asked: ReplayRequested, earlier: RunRecord, tallies: Iterable[tuple[int, Tally]],
            now: float) -> RunRequested:
    request, told = asked.request, _ended(asked, earlier)
    statuses = request.replay.statuses if request.replay else []
    found = list(_bounded((chunk, *_choose(tally.marks, statuses)) for chunk, tally in tallies))
    if not found:
        raise Refused(f"nobody of run {asked.run_id} ended as {' or '.join(sorted(set(statuses)))}")
    people = _of_express(told, found) if told.priority == "express" else _of_chunks(earlier.plan, found, now)
    parameters = request.parameters if asked.own_parameters else request.parameters | told.parameters
    filled = request.model_copy(update={**people, "parameters": parameters})
    if len(filled.encode()) > REQUEST_LIMIT:
        raise Refused(TOO_MANY)
    return filled


def _ended(asked: ReplayRequested, earlier: RunRecord) -> RunRequested:
    told, state = earlier.request, earlier.state
    if told is None or state is None:
        raise Refused(f"no run with the id {asked.run_id} is known: look for it in `run.status`, or among the logs")
    if told.workflow_id != asked.request.workflow_id:
        raise Refused(f"run {asked.run_id} is of workflow {told.workflow_id}: replay it under that one")
    if not state.terminal:
        raise Refused(f"run {asked.run_id} has not ended, it is {state}: replay it when it has, or cancel it first")
    return told


type Chosen = tuple[int, int, int]
"""Chunk, and two maps of it: those chosen, and which of them may have been mailed."""


def _choose(marks: Marks, statuses: Iterable[str]) -> tuple[int, int]:
    chosen, in_doubt, counted = 0, 0, 0
    for mark, status in STATUS_OF.items():      # the strongest end is believed, as in `Marks.end`
        ended = marks.bits[mark] & ~counted
        counted |= ended
        chosen |= ended if status in statuses else 0
        in_doubt |= ended if mark is Mark.IN_DOUBT else 0
    return chosen, chosen & (in_doubt | marks.bits[Mark.DOUBTED])


def _bounded(chosen: Iterable[Chosen]) -> Iterator[Chosen]:
    """Chunks with somebody chosen; raises `Refused` before they become many more than a request can hold."""
    size = 0
    for chunk, who, doubted in chosen:
        if who:
            size += (who.bit_length() + doubted.bit_length()) // 4 + _AROUND_MAPS
            if size > REQUEST_LIMIT:
                raise Refused(TOO_MANY)
            yield chunk, who, doubted


def _of_express(told: RunRequested, found: Iterable[Chosen]) -> dict[str, object]:
    """Its recipients came with its trigger, all in chunk 0, at the places that they have in the list."""
    given = told.recipients or []
    places = [(at, doubted >> at & 1) for chunk, who, doubted in found if chunk == 0
              for at in range(len(given)) if who >> at & 1]
    if not places:
        raise Refused(f"the recipients of run {told.run_id} are not kept any more: trigger the workflow for them")
    return {"recipients": [given[at] for at, _ in places],
            "doubted": [place for place, (_, doubted) in enumerate(places) if doubted]}


def _of_chunks(plan: RunPlanReported | None, found: Iterable[Chosen], now: float) -> dict[str, object]:
    if plan is None or now > plan.at + CHUNKS_KEPT:
        raise Refused(f"the recipients of a run are kept for {CHUNKS_KEPT // DAY} days: trigger the workflow for them")
    return {"chunks": [ReplayedChunk(offset=plan.chunks[chunk], chunk=chunk, indexes=f"{who:x}", doubted=f"{doubted:x}")
                       for chunk, who, doubted in found if chunk < len(plan.chunks)]}
