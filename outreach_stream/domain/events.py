"""The events on the topics behind a trigger, in flow order.

Times inside the system are seconds since the epoch; times that other services read are RFC 3339 strings in UTC.
"""

from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, TypeAdapter

from outreach_stream.domain.chunks import DueChunks, ReplayedChunk
from outreach_stream.domain.clock import Stamp
from outreach_stream.domain.event import Event
from outreach_stream.domain.identity import CHUNK_SIZE
from outreach_stream.domain.policy import WhenStopped
from outreach_stream.domain.states import Counts, RecipientStatus, RunState
from outreach_stream.domain.triggers import InlineRecipient, Priority, Replay, RunId


class RunRequested(Event):
    """A run with everything frozen at admission: what is changed in the catalog later does not touch it."""

    kind: Literal["requested"] = "requested"
    run_id: RunId
    trigger_id: str
    source: str
    workflow_id: str
    workflow_name: str
    workflow_version: str
    template_id: str
    template_version: str
    spec: str
    """Digest of its `workflow.spec`."""
    engine: str
    lanes: list[int]
    priority: Priority
    weight: float = 1.0
    """Share of the engine beside other runs."""
    slot: str | None = None
    idempotency_key: str | None = None
    parameters: dict[str, Any] = {}
    recipients: list[InlineRecipient] | None = None
    body: str
    """Digest of what the trigger asks for, to tell a repeated trigger from another one under the same key."""
    triggered_at: float
    admitted_at: float
    deadline: float
    replay: Replay | None = None
    chunks: list[ReplayedChunk] = []
    """Where the recipients of a replay are to be found; found out by the earlier run's partition."""
    doubted: list[int] = []
    """Of `recipients`, by place: may have been mailed by the run that is replayed."""


class RunRefused(Event):
    """A trigger that no run came of."""

    kind: Literal["refused"] = "refused"
    run_id: RunId
    workflow_id: str
    source: str
    reason: str
    slot: str | None = None
    at: float


class RunInitializing(Event):
    """A planner has begun."""

    kind: Literal["initializing"] = "initializing"
    run_id: RunId
    at: float


class RunPlanReported(Event):
    """The plan that won: how many recipients must come to an end, and where its chunks lie (for the log)."""

    kind: Literal["planned"] = "planned"
    run_id: RunId
    total: int
    skipped: int = 0
    chunks: list[int] = []
    """Offsets in `run.chunk`; none for an express run, whose recipients came with it."""
    error: str | None = None  # why it cannot be planned; None: it is
    warning: str | None = None  # e.g. the rate cannot make the deadline
    cancelled: bool = False  # before there was a plan: nobody was mailed
    due: list[tuple[float, int]] = []
    """Moments at which recipients become due, and how many; without it: all at once."""
    at: float


class RunLogged(Event):
    """The JSON log is written."""

    kind: Literal["logged"] = "logged"
    run_id: RunId
    log: str
    at: float


class ReplayRequested(Event):
    """A new run for some recipients of an earlier one, told to the earlier one's partition, which knows who they are.

    Answered there by a `requested`, or a `refused`, of the new run.
    """

    kind: Literal["replay"] = "replay"
    run_id: RunId
    """The earlier run."""
    request: RunRequested
    """The new one, without recipients yet."""
    own_parameters: bool = False  # its trigger brought some; else the earlier run's are taken over


RunEvent = Annotated[RunRequested | RunRefused | RunInitializing | RunPlanReported | RunLogged | ReplayRequested,
                     Field(discriminator="kind")]
RUN_EVENT: TypeAdapter[RunEvent] = TypeAdapter(RunEvent)


class RunChunk(Event):
    """The frozen snapshot of who gets the mail: up to 1,024 recipients, and those left out with their reasons."""

    run_id: RunId
    plan_id: str
    chunk: int
    columns: list[str]
    """Names of the template variables in a row, after the address and the name."""
    rows: list[list[Any]]
    """`[email, name or null, value, …]`; the index of a recipient is its place here."""
    skipped: list[tuple[str, str]] = []
    """`[email, reason]`"""
    doubted: list[int] = []
    """Indexes of those who may have been mailed already, by the run that this one replays."""


class RunPlanned(Event):
    """The run as work to schedule. The first one in its partition wins; chunks are invisible until it names them."""

    run_id: RunId
    plan_id: str
    engine: str
    lanes: list[int]
    spec: str
    weight: float
    deadline: float
    total: int
    skipped: int
    chunks: list[int]
    """Offsets in the run's partition of `run.chunk`, by their numbers."""
    due: list[DueChunks] = []
    """All of them by when they may be expanded, the earliest first; without it: all at once, in their order."""
    parameters: dict[str, Any] = {}
    """The run's parameters: expand puts them beneath each recipient's own variables."""
    error: str | None = None
    warning: str | None = None
    cancelled: bool = False  # before there was a plan
    on_engine_stopped: WhenStopped = "wait"
    failover: list[str] = []
    """Engines that may take over, in their order."""
    planned_at: float


class SendRequested(Event):
    """One recipient's mail, to be handed to an engine."""

    run_id: RunId
    chunk: Annotated[int, Field(ge=0)]
    index: Annotated[int, Field(ge=0, lt=CHUNK_SIZE)]
    email: str
    name: str | None = None
    variables: dict[str, Any] = {}
    """All that its template is given: the run's parameters, overridden by the recipient's own columns."""
    spec: str
    engine: str
    deadline: float
    skip: str | None = None  # why an inline recipient is not to be mailed; it ends in its lane like the others
    doubted: bool = False  # may have been mailed already, by the run that this one replays
    due: float = 0.0  # not to be mailed before: its run ended, for the dispatcher, while it waited for its time


class SendResult(Event):
    """Public, out: what became of one recipient. The last word unless a stronger one follows (sent > in doubt > …)."""

    model_config = ConfigDict(use_attribute_docstrings=True)
    run_id: RunId
    send_id: str
    """`run_id:chunk:index`, the recipient within the run: records with the same one are about the same mail."""
    chunk: int
    index: int
    email: str
    status: RecipientStatus
    reason: str | None = None
    """Why it did not go out: a short code, and often the provider's words after it, without addresses."""
    engine: str
    message_id: str | None = None
    """The mail's Message-ID, the same on every attempt; missing if the mail was never written, or with `recovered`."""
    provider_message_id: str | None = None
    attempts: int = 0
    """Attempts that count against what its workflow allows."""
    possible_duplicate: bool = False
    """A process died between the hand-over and its record: this mail may have reached the recipient twice."""
    recovered: bool = False
    """Published again after a crash, from the record: details of the first attempt may be missing."""
    started_at: Stamp | None = None
    finished_at: Stamp


class LaneProgress(Event):
    """How far a lane has finished one engine's requests: everything below `finished`."""

    finished: int


class RunStatus(Event):
    """Public, out: where a run stands; at each change of state and at most four times a second between."""

    model_config = ConfigDict(use_attribute_docstrings=True)
    run_id: str
    workflow_id: str
    state: RunState
    reason: str | None = None
    """Why it failed, or never began."""
    warnings: list[str] = []
    source: str
    engine: str | None = None
    slot: Stamp | None = None
    """The occasion of a schedule."""
    counts: Counts = Counts()
    states: dict[RunState, Stamp] = {}
    """When each state was entered."""
    deadline: Stamp | None = None
    deadline_passed: bool = False
    paused: bool = False
    cancelling: bool = False
    """Cancelled by an operator, and not at its end yet."""
    engine_stopped: str | None = None
    """Why its engine takes nothing, while that is so."""
    next_due: Stamp | None = None
    """With `local_time`: when the next recipients become due, in their own time zone."""
    not_due: int = 0
    """Recipients who are not due before then."""
    parent: str | None = None
    """The run that this one replays."""
    log: str | None = None
    """Where its log is; without it, it is not written (yet)."""
    updated_at: Stamp
    """When this was said: of two, the later one holds."""
