"""Replays: an earlier run's recipients, by how they ended there, as a run of their own."""

from collections.abc import Callable, Collection
from datetime import datetime
from itertools import combinations
from typing import Literal, get_args

from outreach_stream.domain.events import RunStatus
from outreach_stream.domain.states import RunState
from outreach_stream.domain.triggers import Replay, WorkflowTriggered
from outreach_stream.gateway.publisher import identified

Replayable = Literal["failed", "expired", "in_doubt", "cancelled"]
REPLAYABLE: tuple[Replayable, ...] = get_args(Replayable)
"""The ends that may be replayed."""


def replay_trigger(parent: RunStatus, statuses: Collection[Replayable], *, source: str, accept_duplicates: bool,
                   at: datetime | None = None, key: str | None = None) -> WorkflowTriggered:
    """The trigger that asks for it; without a key (None) the same choice of the same run is one replay."""
    return WorkflowTriggered(
        workflow_id=parent.workflow_id, source=source, triggered_at=at, idempotency_key=key,
        replay=Replay(run_id=parent.run_id, statuses=sorted(set(statuses)), accept_duplicates=accept_duplicates))


def recipients(parent: RunStatus, statuses: Collection[Replayable]) -> dict[Replayable, int]:
    """How many recipients each chosen status has."""
    return {status: getattr(parent.counts, status) for status in sorted(set(statuses))}


def replay_objection(parent: RunStatus, statuses: Collection[Replayable], key: str | None,
                     known: Callable[[str], RunStatus | None]) -> str | None:
    """Why there is nothing to replay, or not so; None: it may be. `known` says where a run stands.

    A key of the caller's own says that those who are in an earlier replay as well are meant.
    """
    run = parent.run_id
    if parent.state is RunState.REFUSED:
        return f"Run {run} never began: it was refused ({parent.reason}). Trigger it again."
    if not parent.state.terminal:
        return f"Run {run} has not ended: it is {parent.state}. Wait for its end, or cancel it."
    if parent.state is RunState.FAILED and not parent.counts.total:
        return f"Run {run} FAILED, and nobody was mailed ({parent.reason}). Trigger it again under a new slot or key."
    if not any(recipients(parent, statuses).values()):
        return f"There is nobody to replay: no recipient of run {run} ended as {' or '.join(sorted(set(statuses)))}."
    if key is None and (earlier := overlapping(parent, statuses, known)):
        return (f"Run {earlier} is a replay of some of them already, who would get the mail twice. Replay the others, "
                f"or that run, or insist with a key of your own.")
    return None


def overlapping(parent: RunStatus, statuses: Collection[Replayable],
                known: Callable[[str], RunStatus | None]) -> str | None:
    """An earlier replay of `parent`, under its own key, of another choice that shares a status with this one."""
    choices = [set(choice) for size in range(1, len(REPLAYABLE) + 1) for choice in combinations(REPLAYABLE, size)]
    for choice in choices:
        if choice != set(statuses) and choice & set(statuses):
            _, run = identified(replay_trigger(parent, choice, source="", accept_duplicates=True))
            if (found := known(run)) and found.state is not RunState.REFUSED:
                return run
    return None
