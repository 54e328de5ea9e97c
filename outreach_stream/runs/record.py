"""What is known of a run: facts, from which its state follows."""

from typing import Literal, NamedTuple, Self

from pydantic import BaseModel, ConfigDict

from outreach_stream.domain.clock import iso
from outreach_stream.domain.events import (
    RunEvent,
    RunInitializing,
    RunLogged,
    RunPlanReported,
    RunRefused,
    RunRequested,
)
from outreach_stream.domain.states import RunState

ANOTHER_BODY = "a trigger with other contents came under the same slot or key: it is answered with this run"


class GivenUp(BaseModel):
    """Long after its deadline the run had not ended, and nobody worked on it any more."""

    model_config = ConfigDict(frozen=True, extra="ignore")
    at: float
    unknown: int
    """Planned recipients of whom no end was known."""


class End(NamedTuple):
    """When and how a run ended, and why if that needs saying."""

    at: float
    state: RunState
    reason: str | None


class RunRecord(BaseModel):
    """The facts of one run. Facts are only added, the first of a kind wins, and copies merge in any order."""

    model_config = ConfigDict(extra="ignore")

    schema_version: Literal[1] = 1
    request: RunRequested | None = None  # None: not admitted (yet)
    refused: RunRefused | None = None
    initializing_at: float | None = None
    plan: RunPlanReported | None = None
    ended_at: float | None = None  # when the last planned recipient came to an end; None: not all have
    cancelled: bool = False
    """Some of them ended because the run was cancelled."""
    given_up: GivenUp | None = None
    log: str | None = None
    warnings: list[str] = []

    def apply(self, event: RunEvent) -> None:
        """Note what an event says. Applying it again changes nothing."""
        match event:
            case RunRequested():
                self._request(event)
            case RunRefused():
                self.refused = self.refused or event
            case RunInitializing():
                self.initializing_at = _earliest(self.initializing_at, event.at)
            case RunPlanReported():
                self._plan(event)
            case RunLogged():
                self.log = self.log or event.log

    def _request(self, event: RunRequested) -> None:
        if self.request is None:
            self.request = event
            self._drop_recipients()
        elif self.request.body != event.body:
            self._warn(ANOTHER_BODY)

    def _plan(self, event: RunPlanReported) -> None:
        if self.plan is None:
            self.plan = event
            if event.warning:
                self._warn(event.warning)
        self._drop_recipients()

    def _drop_recipients(self) -> None:
        """Once there is a plan its chunks say who gets the mail: the record stays small.

        The few of an express run have no chunks, and are kept for its replays.
        """
        if self.plan and self.request and self.request.priority != "express":
            self.request = self.request.model_copy(update={"recipients": None, "chunks": [], "doubted": []})

    def _warn(self, text: str) -> None:
        self.warnings = sorted({*self.warnings, text})

    def end(self, at: float, *, cancelled: bool) -> None:
        """Every planned recipient has come to an end."""
        if self.ended_at is None:
            self.ended_at, self.cancelled = at, cancelled

    def give_up(self, at: float, *, unknown: int) -> None:
        """Nobody works on it any more; of so many planned recipients no end is known."""
        self.given_up = self.given_up or GivenUp(at=at, unknown=unknown)

    def merge(self, other: Self) -> None:
        """Take over what another copy knows."""
        if other.request:
            first, second = self.request or other.request, other.request
            if second.admitted_at < first.admitted_at:
                first, second = second, first
            self.request = first
            self._request(second)
        if other.refused and (self.refused is None or other.refused.at < self.refused.at):
            self.refused = other.refused
        self.initializing_at = _earliest(self.initializing_at, other.initializing_at)
        if other.plan and (self.plan is None or _comes_first(other.plan, self.plan)):
            self.plan = other.plan
        if other.ended_at is not None and (
                self.ended_at is None or (other.ended_at, other.cancelled) < (self.ended_at, self.cancelled)):
            self.ended_at, self.cancelled = other.ended_at, other.cancelled
        if other.given_up and (self.given_up is None or (
                (other.given_up.at, other.given_up.unknown) < (self.given_up.at, self.given_up.unknown))):
            self.given_up = other.given_up
        self.log = self.log or other.log
        self.warnings = sorted({*self.warnings, *other.warnings})
        self._drop_recipients()

    @property
    def planned(self) -> bool:
        """There are recipients to wait for (or none at all, which ends at once)."""
        return self.request is not None and self.plan is not None and not (self.plan.error or self.plan.cancelled)

    @property
    def ending(self) -> End | None:
        """The end of an admitted run: the first of what ends it; None: it has not ended."""
        ends = []
        if self.plan and self.plan.error:
            ends.append(End(self.plan.at, RunState.FAILED, self.plan.error))
        elif self.plan and self.plan.cancelled:
            ends.append(End(self.plan.at, RunState.CANCELLED, "cancelled before it was planned"))
        elif self.plan and self.ended_at is not None:
            ends.append(End(self.ended_at, RunState.CANCELLED if self.cancelled else RunState.COMPLETED, None))
        if self.given_up:
            ends.append(End(self.given_up.at, RunState.FAILED, self._given_up_because(self.given_up)))
        return min(ends, key=lambda end: end.at, default=None) if self.request else None

    def _given_up_because(self, given_up: GivenUp) -> str:
        deadline = iso(self.request.deadline) if self.request else ""
        if self.plan is None or self.plan.at > given_up.at:
            return f"never planned before its deadline, {deadline}, nor long after it: nobody worked on it"
        return (f"given up long after its deadline, {deadline}: nobody worked on it any more, and of "
                f"{given_up.unknown:,} of its {self.plan.total:,} recipients no end is known")

    @property
    def states(self) -> dict[RunState, float]:
        """When each state was entered, in order; the last one is the run's. Empty: nothing is known of it."""
        if self.request is None:
            return {RunState.REFUSED: self.refused.at} if self.refused else {}
        states, end = {RunState.QUEUED: self.request.admitted_at}, self.ending
        # A run may be planned twice: a second planner's beginning, after the plan, is not a state of the run.
        if self.initializing_at is not None and (self.plan is None or self.initializing_at <= self.plan.at):
            states[RunState.INITIALIZING] = self.initializing_at
        if self.plan and self.planned and (end is None or end.state is not RunState.FAILED or self.plan.at <= end.at):
            states[RunState.SENDING] = self.plan.at
        if end:
            states[end.state] = end.at
        return states

    @property
    def state(self) -> RunState | None:
        """Where it stands; None: nothing is known of it."""
        return next(reversed(self.states), None)

    @property
    def reason(self) -> str | None:
        """Why it failed, was refused, or was cancelled before it began."""
        if self.request is None:
            return self.refused.reason if self.refused else None
        return self.ending.reason if self.ending else None

    @property
    def settled(self) -> bool:
        """Nothing more is expected: it need not be kept in memory."""
        return self.log is not None or self.state in (None, RunState.REFUSED)


def _earliest(mine: float | None, theirs: float | None) -> float | None:
    return min((at for at in (mine, theirs) if at is not None), default=None)


def _comes_first(one: RunPlanReported, other: RunPlanReported) -> bool:
    return one.at < other.at or (one.at == other.at and one.encode() < other.encode())
