"""The events on the topics, in flow order. JSON, frozen, versioned; a newer writer's unknown fields are ignored.

Times inside the system are seconds since the epoch; times that other services read are RFC 3339 strings in UTC.
"""

from typing import Annotated, Any, Literal

from pydantic import AliasChoices, BaseModel, ConfigDict, Field, TypeAdapter

from outreach_stream.domain.clock import Moment
from outreach_stream.domain.identity import CHUNK_SIZE
from outreach_stream.domain.states import Counts, RecipientStatus, RunState

Priority = Literal["express", "bulk"]
Name = Annotated[str, Field(max_length=255)]
"""What a foreign producer calls something. It is repeated in records of ours, each of which must fit into a batch."""
EXPRESS_LIMIT = 50
"""Inline recipients that a run may have to go express, without a query and ahead of bulk."""


class Event(BaseModel):
    """What all events have in common."""

    model_config = ConfigDict(frozen=True, extra="ignore", ser_json_inf_nan="constants")
    schema_version: Literal[1] = 1

    def encode(self) -> bytes:
        """The bytes on the wire; fields that are None are left out."""
        return self.model_dump_json(exclude_none=True).encode()


class InlineRecipient(BaseModel):
    """A recipient given with the trigger; further fields are template variables."""

    model_config = ConfigDict(frozen=True, extra="allow")
    email: str
    name: str | None = None  # None: addressed by the bare address

    @property
    def variables(self) -> dict[str, Any]:
        """The template variables it brings."""
        return self.model_extra or {}


class WorkflowTriggered(Event):
    """Public, in: run this workflow now. The same slot or key is the same run, however often it is published."""

    workflow_id: Annotated[int | Name, Field(examples=[1, "welcome"])]
    trigger_id: Name | None = None  # None: the CloudEvents id of the record, else its place in the topic
    source: Name = "unknown"
    slot: Moment | None = None  # the occasion of a schedule
    idempotency_key: Name | None = Field(None, validation_alias=AliasChoices("idempotency_key", "key"))
    parameters: dict[str, Any] = {}
    recipients: list[InlineRecipient] | None = None  # None: the workflow's query says who
    priority: Priority | None = None  # None: express for up to EXPRESS_LIMIT inline recipients, else bulk
    deadline: Moment | None = None  # None: the workflow's own
    triggered_at: Moment | None = None  # None: when the record was written


class RunRequested(Event):
    """A run with everything frozen at admission: what is changed in the catalog later does not touch it."""

    kind: Literal["requested"] = "requested"
    run_id: str
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


class RunRefused(Event):
    """A trigger that no run came of."""

    kind: Literal["refused"] = "refused"
    run_id: str
    workflow_id: str
    source: str
    reason: str
    slot: str | None = None
    at: float


class RunInitializing(Event):
    """A planner has begun."""

    kind: Literal["initializing"] = "initializing"
    run_id: str
    at: float


class RunPlanReported(Event):
    """The plan that won: how many recipients must come to an end, and where its chunks lie (for the log)."""

    kind: Literal["planned"] = "planned"
    run_id: str
    total: int
    skipped: int = 0
    chunks: list[int] = []
    """Offsets in `run.chunk`; none for an express run, whose recipients came with it."""
    error: str | None = None  # why it cannot be planned; None: it is
    warning: str | None = None  # e.g. the rate cannot make the deadline
    at: float


class RunLogged(Event):
    """The JSON log is written."""

    kind: Literal["logged"] = "logged"
    run_id: str
    log: str
    at: float


RunEvent = Annotated[RunRequested | RunRefused | RunInitializing | RunPlanReported | RunLogged,
                     Field(discriminator="kind")]
RUN_EVENT: TypeAdapter[RunEvent] = TypeAdapter(RunEvent)


class RunChunk(Event):
    """The frozen snapshot of who gets the mail: up to 1,024 recipients, and those left out with their reasons."""

    run_id: str
    plan_id: str
    chunk: int
    columns: list[str]
    """Names of the template variables in a row, after the address and the name."""
    rows: list[list[Any]]
    """`[email, name or null, value, …]`; the index of a recipient is its place here."""
    skipped: list[tuple[str, str]] = []
    """`[email, reason]`"""


class RunPlanned(Event):
    """The run as work to schedule. The first one in its partition wins; chunks are invisible until it names them."""

    run_id: str
    plan_id: str
    engine: str
    lanes: list[int]
    spec: str
    weight: float
    deadline: float
    total: int
    skipped: int
    chunks: list[int]
    """Offsets in the run's partition of `run.chunk`."""
    parameters: dict[str, Any] = {}
    """The run's parameters: expand puts them beneath each recipient's own variables."""
    error: str | None = None
    warning: str | None = None
    planned_at: float


class SendRequested(Event):
    """One recipient's mail, to be handed to an engine."""

    run_id: str
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


class SendResult(Event):
    """Public, out: what became of one recipient. The last word unless a stronger one follows (sent > in doubt > …)."""

    run_id: str
    send_id: str
    chunk: int
    index: int
    email: str
    status: RecipientStatus
    reason: str | None = None
    engine: str
    message_id: str | None = None
    provider_message_id: str | None = None
    attempts: int = 0
    possible_duplicate: bool = False
    """A process died between the hand-over and its record: this mail may have reached the recipient twice."""
    recovered: bool = False
    """Published again after a crash, from the record: details of the first attempt may be missing."""
    started_at: str | None = None
    finished_at: str


class LaneProgress(Event):
    """How far a lane has finished one engine's requests: everything below `finished`."""

    finished: int


class RunStatus(Event):
    """Public, out: where a run stands; at each change of state and at most four times a second between."""

    run_id: str
    workflow_id: str
    state: RunState
    reason: str | None = None
    warnings: list[str] = []
    source: str
    engine: str | None = None
    slot: str | None = None
    counts: Counts = Counts()
    states: dict[RunState, str] = {}
    """When each state was entered."""
    deadline: str | None = None
    deadline_passed: bool = False
    log: str | None = None  # None: not written (yet)
    updated_at: str
