"""What is known of runs: the last word of `run.status` on each, kept up to date in memory."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Self

from outreach_stream.domain.clock import iso
from outreach_stream.domain.events import RunStatus
from outreach_stream.domain.identity import canonical_time, canonical_workflow_id
from outreach_stream.domain.states import RunState
from outreach_stream.domain.triggers import WorkflowTriggered
from outreach_stream.gateway.following import Follower
from outreach_stream.gateway.runs.listing import Choice, Listing
from outreach_stream.gateway.runs.paging import RunPlace
from outreach_stream.streaming.views import View
from outreach_stream.topics import RUN_STATUS

ACCEPTED_KEPT = 10_000
"""Triggers accepted here that are remembered until a worker speaks of their runs."""


@dataclass(frozen=True, slots=True)
class Word:
    """A status as it came, decoded when somebody asks, and what runs are chosen and counted by."""

    began: float
    said: float
    """Both in seconds since the epoch."""
    workflow: str
    state: RunState
    engine: str | None
    sent: int
    raw: bytes

    @classmethod
    def of(cls, status: RunStatus, raw: bytes) -> Self:
        """The word that `raw`, once read, says. Raises ValueError."""
        said = _seconds(status.updated_at)
        began = min(map(_seconds, status.states.values()), default=said)
        return cls(began, said, status.workflow_id, status.state, status.engine, status.counts.sent, raw)

    @classmethod
    def read(cls, raw: bytes) -> Self:
        """The word that `raw` says. Raises ValueError."""
        return cls.of(RunStatus.model_validate_json(raw), raw)

    @property
    def status(self) -> RunStatus:
        """All that was said."""
        return RunStatus.model_validate_json(self.raw)


type Listener = Callable[[str, Word], None]


class RunStatuses:
    """Follows `run.status` from `start` to `stop`, through the broker's absences."""

    def __init__(self, bootstrap: str) -> None:
        self.changed = asyncio.Event()
        """Set at each change; whoever waits clears it."""
        self.listeners: list[Listener] = []
        """Called after each change with the run's id and what is said of it; must not wait or raise."""
        self._view: View[Word] = View(bootstrap, RUN_STATUS.name, self._on_record, decode=Word.read)
        self._follower = Follower(self._view, RUN_STATUS.name)
        self._accepted: dict[str, Word] = {}
        self._listing = Listing()

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
            status = RunStatus(
                run_id=run, workflow_id=canonical_workflow_id(trigger.workflow_id), state=RunState.QUEUED,
                reason="accepted; no worker has admitted it yet", source=trigger.source,
                slot=canonical_time(trigger.slot) if trigger.slot else None, updated_at=iso(at))
            self._accepted[run] = Word.of(status, status.encode())
            self._tell(run, self._accepted[run])
            while len(self._accepted) > ACCEPTED_KEPT:
                self._forget(next(iter(self._accepted)))

    def word(self, run: str) -> Word | None:
        """The last word on a run, as it came; None: it is not known."""
        return self._view.get(run.encode()) or self._accepted.get(run)

    def get(self, run: str) -> RunStatus | None:
        """Where a run stands; None: it is not known."""
        word = self.word(run)
        return word.status if word else None

    def page(self, choice: Choice, limit: int, before: RunPlace | None = None) -> tuple[list[Word], RunPlace | None]:
        """The newest wanted runs that began before that place, and where the next page begins; None: there is none."""
        return self._listing.page(choice, limit, self.word, before)

    def _forget(self, run: str) -> None:
        del self._accepted[run]
        self._listing.drop(run)

    def _on_record(self, key: bytes, word: Word | None) -> None:
        run = key.decode()
        self._accepted.pop(run, None)
        if word is None:
            self._listing.drop(run)
            self.changed.set()
        else:
            self._tell(run, word)

    def _tell(self, run: str, word: Word) -> None:
        self._listing.put(run, word.began)
        for listener in self.listeners:
            listener(run, word)
        self.changed.set()


def _seconds(stamp: str) -> float:
    moment = datetime.fromisoformat(stamp)
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
