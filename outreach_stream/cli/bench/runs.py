"""Runs of a bench: triggered over Kafka, and followed to their ends, with the moments at which things were known."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from itertools import count
from time import monotonic

from rich.console import Console

from outreach_stream.cli.display import RunDisplay
from outreach_stream.cli.exits import CommandError
from outreach_stream.cli.kafka import read_to_end, writing
from outreach_stream.cli.watch import over
from outreach_stream.domain.events import RunStatus
from outreach_stream.domain.triggers import InlineRecipient, WorkflowTriggered
from outreach_stream.gateway.publisher import TriggerPublisher
from outreach_stream.gateway.runs.listing import Choice
from outreach_stream.gateway.runs.statuses import RunStatuses, Word

STALL = 120.0
"""Seconds without any change after which a run is given up."""

MANY = 1_000_000
"""Runs that a topic of statuses may name."""

SHOW = 1.0
"""Seconds between two looks at where the run stands, while it goes on: each costs what is measured its time."""


@dataclass(slots=True)
class Followed:
    """One run, and when it was where: seconds since the epoch."""

    run_id: str
    began: float
    """Just before its trigger was published."""
    ended: float = 0.0
    """When its final state was read from `run.status`; 0: not yet."""
    logged: float = 0.0
    """When it was read that its log is written."""
    over: asyncio.Event = field(default_factory=asyncio.Event)
    """Set then."""


class Runs:
    """Triggers runs and follows them; `check` is called again and again and may raise what ends the bench."""

    def __init__(self, statuses: RunStatuses, publisher: TriggerPublisher, console: Console) -> None:
        self.check: Callable[[], None] = lambda: None
        self.look: Callable[[], float] = lambda: SHOW
        """Called as often as it says, in seconds, while a run is followed."""
        self._statuses, self._publisher = statuses, publisher
        self._lines = Console(file=console.file, force_terminal=False, highlight=False, soft_wrap=True)
        self._known: dict[str, Followed] = {}
        self._numbers, self._prefix = count(), f"{time.time():.3f}"
        statuses.listeners.append(self._heard)

    def unfinished(self) -> int:
        """How many runs there are here, of whomever, that workers would go on with."""
        words, _ = self._statuses.page(Choice(), MANY)
        return sum(not over(word.status) for word in words)

    async def trigger(self, workflow: str, recipients: list[InlineRecipient] | None = None) -> Followed:
        """Start a run."""
        event = WorkflowTriggered(workflow_id=workflow, source="bench", recipients=recipients,
                                  idempotency_key=f"{self._prefix}-{next(self._numbers)}")
        began = time.time()
        run = await self._publisher.publish(event)
        followed = self._known.setdefault(run, Followed(run, began))
        if word := self._statuses.word(run):
            self._heard(run, word)      # it was quicker than we were told that its trigger is written
        return followed

    async def follow(self, followed: Followed, *, show: bool = True) -> RunStatus:
        """Follow a run until it has ended and its log is written. Raises `CommandError` if it does not get on.

        What is shown are lines, on a terminal too: a bar that moves would take its time from what is measured.
        """
        last, changed, shown = None, monotonic(), 0.0
        with RunDisplay(self._lines if show else Console(quiet=True)) as display:
            while True:
                self.check()
                pause = self.look()
                now = monotonic()
                if now - shown > SHOW or followed.logged:
                    shown, status = now, self._statuses.get(followed.run_id)
                    if status is not None:
                        display.show(status)
                        if over(status):
                            return status
                    if status != last:
                        last, changed = status, now
                    if now - changed > STALL:
                        raise CommandError(f"The bench is given up: its run has not got on for {STALL:.0f} s.")
                with suppress(TimeoutError):
                    async with asyncio.timeout(pause):
                        await followed.over.wait()

    def _heard(self, run: str, word: Word) -> None:
        followed = self._known.get(run)
        if followed is None or not word.state.terminal:
            return
        followed.ended = followed.ended or time.time()
        if over(word.status):
            followed.logged = followed.logged or time.time()
            followed.over.set()


@asynccontextmanager
async def runs_at(bootstrap: str, console: Console) -> AsyncIterator[Runs]:
    """Runs of this Kafka, while the block lasts."""
    async with read_to_end(RunStatuses(bootstrap), bootstrap) as statuses, \
            writing(bootstrap, "the trigger") as writer:
        yield Runs(statuses, TriggerPublisher(writer), console)
