"""What is known of a run: facts, from which its state follows."""

from typing import Literal, Self

from pydantic import BaseModel, ConfigDict

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
        """Once there is a plan nobody needs the recipients that came with the trigger: the record stays small."""
        if self.plan and self.request and self.request.recipients is not None:
            self.request = self.request.model_copy(update={"recipients": None})

    def _warn(self, text: str) -> None:
        self.warnings = sorted({*self.warnings, text})

    def end(self, at: float, *, cancelled: bool) -> None:
        """Every planned recipient has come to an end."""
        if self.ended_at is None:
            self.ended_at, self.cancelled = at, cancelled

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
        if other.plan and (self.plan is None or other.plan.at < self.plan.at):
            self.plan = other.plan
        if other.ended_at is not None and (self.ended_at is None or other.ended_at < self.ended_at):
            self.ended_at, self.cancelled = other.ended_at, other.cancelled
        self.log = self.log or other.log
        self.warnings = sorted({*self.warnings, *other.warnings})
        self._drop_recipients()

    @property
    def planned(self) -> bool:
        """There are recipients to wait for (or none at all, which ends at once)."""
        return self.request is not None and self.plan is not None and self.plan.error is None

    @property
    def states(self) -> dict[RunState, float]:
        """When each state was entered, in order; the last one is the run's. Empty: nothing is known of it."""
        if self.request is None:
            return {RunState.REFUSED: self.refused.at} if self.refused else {}
        states = {RunState.QUEUED: self.request.admitted_at}
        # A run may be planned twice: a second planner's beginning, after the plan, is not a state of the run.
        if self.initializing_at is not None and (self.plan is None or self.initializing_at <= self.plan.at):
            states[RunState.INITIALIZING] = self.initializing_at
        if self.plan:
            states[RunState.FAILED if self.plan.error else RunState.SENDING] = self.plan.at
        if self.ended_at is not None and self.planned:
            states[RunState.CANCELLED if self.cancelled else RunState.COMPLETED] = self.ended_at
        return states

    @property
    def state(self) -> RunState | None:
        """Where it stands; None: nothing is known of it."""
        return next(reversed(self.states), None)

    @property
    def reason(self) -> str | None:
        """Why it failed or was refused."""
        if self.request is None:
            return self.refused.reason if self.refused else None
        return self.plan.error if self.plan else None

    @property
    def settled(self) -> bool:
        """Nothing more is expected: it need not be kept in memory."""
        return self.log is not None or self.state in (None, RunState.REFUSED)


def _earliest(mine: float | None, theirs: float | None) -> float | None:
    return min((at for at in (mine, theirs) if at is not None), default=None)
