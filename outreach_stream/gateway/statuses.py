"""What is known of runs: the last word of `run.status` on each, kept up to date in memory."""

import asyncio
import heapq
from dataclasses import dataclass
from typing import Self

from outreach_stream.domain.clock import iso
from outreach_stream.domain.events import RunStatus
from outreach_stream.domain.identity import canonical_time, canonical_workflow_id
from outreach_stream.domain.states import RunState
from outreach_stream.domain.triggers import WorkflowTriggered
from outreach_stream.gateway.following import Follower
from outreach_stream.streaming.views import View
from outreach_stream.topics import RUN_STATUS

ACCEPTED_KEPT = 10_000
"""Triggers accepted here that are remembered until a worker speaks of their runs."""


@dataclass(frozen=True, slots=True)
class _Word:
    """A status as it came, decoded when somebody asks, and when its run began."""

    began: str
    raw: bytes

    @classmethod
    def read(cls, raw: bytes) -> Self:
        status = RunStatus.model_validate_json(raw)     # raises ValueError: the view passes over it
        return cls(min(status.states.values(), default=status.updated_at), raw)

    @property
    def status(self) -> RunStatus:
        return RunStatus.model_validate_json(self.raw)


class RunStatuses:
    """Follows `run.status` from `start` to `stop`, through the broker's absences."""

    def __init__(self, bootstrap: str) -> None:
        self.changed = asyncio.Event()
        """Set at each change; whoever waits clears it."""
        self._view: View[_Word] = View(bootstrap, RUN_STATUS.name, self._on_record, decode=_Word.read)
        self._follower = Follower(self._view, RUN_STATUS.name)
        self._accepted: dict[str, RunStatus] = {}

    async def start(self) -> None:
        """Begins to follow; does not wait for the broker."""
        await self._follower.start()

    async def stop(self) -> None:
        """Ends the following."""
        await self._follower.stop()

    @property
    def complete(self) -> bool:
        """Whether all has been read that was there at the start: only then is an unknown run unknown."""
        return self._follower.complete

    async def caught_up(self) -> None:
        """Returns when all is read that was said before the call. Waits for a broker that is away."""
        await self._follower.caught_up()

    def accepted(self, run: str, trigger: WorkflowTriggered, at: float) -> None:
        """Remember a run that was just triggered, until a worker has admitted it."""
        if self._view.get(run.encode()) is None:
            self._accepted[run] = RunStatus(
                run_id=run, workflow_id=canonical_workflow_id(trigger.workflow_id), state=RunState.QUEUED,
                reason="accepted; no worker has admitted it yet", source=trigger.source,
                slot=canonical_time(trigger.slot) if trigger.slot else None, updated_at=iso(at))
            while len(self._accepted) > ACCEPTED_KEPT:
                del self._accepted[next(iter(self._accepted))]

    def get(self, run: str) -> RunStatus | None:
        """Where a run stands; None: it is not known."""
        word = self._view.get(run.encode())
        return word.status if word else self._accepted.get(run)

    def newest(self, limit: int) -> list[RunStatus]:
        """The runs that began last, newest first."""
        words = heapq.nlargest(limit, (word for _, word in self._view.items()), key=lambda word: word.began)
        waiting = list(self._accepted.values())
        both = [(word.began, word.status) for word in words] + [(status.updated_at, status) for status in waiting]
        return [status for _, status in sorted(both, key=lambda pair: pair[0], reverse=True)[:limit]]

    def _on_record(self, key: bytes, _: _Word | None) -> None:
        self._accepted.pop(key.decode(), None)
        self.changed.set()
