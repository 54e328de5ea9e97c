"""What the HTTP API takes and gives."""

from typing import Annotated, Any, Literal, Self

from pydantic import (
    AliasChoices,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    FailFast,
    Field,
    StrictBool,
    StrictInt,
    model_validator,
)

from outreach_stream.domain.clock import Moment
from outreach_stream.domain.events import RunStatus
from outreach_stream.domain.triggers import InlineRecipient, Name, Priority, WorkflowTriggered
from outreach_stream.gateway.engines.measured import MeasuredEngine
from outreach_stream.gateway.runs.orders import Order
from outreach_stream.gateway.runs.replays import Replayable


def _written(value: object) -> object:
    if isinstance(value, int | float):      # seconds, or milliseconds? pydantic would guess
        raise ValueError("must be a time like 2026-03-01T09:00Z")  # noqa: TRY004 - pydantic reports no TypeError
    return value


WrittenMoment = Annotated[Moment, BeforeValidator(_written)]
"""An instant as text, as the OpenAPI document has it."""


class TriggerRequest(BaseModel):
    """A trigger by HTTP: the fields of `WorkflowTriggered`, strictly."""

    model_config = ConfigDict(extra="forbid")

    workflow_id: StrictInt | Annotated[Name, Field(min_length=1)] = Field(examples=[1])
    slot: WrittenMoment | None = Field(None, description="The occasion of a schedule: the same slot is the same run")
    idempotency_key: Name | None = Field(
        None, min_length=1, validation_alias=AliasChoices("idempotency_key", "key"),
        description="The same key is the same run; `key` for short, or the header `Idempotency-Key`")
    parameters: dict[str, Any] = Field({}, description="Template variables and bind parameters of the query")
    recipients: Annotated[list[InlineRecipient], FailFast()] | None = Field(
        None, min_length=1, description="Who gets it; without: whom the workflow's query finds")
    priority: Priority | None = None
    deadline: WrittenMoment | None = Field(None, description="Past it nothing is sent any more; "
                                                              "without: the workflow's own")

    dry_run: StrictBool = Field(
        False, description="Publish nothing, mail nobody: answer 200 with whom it would mail now, and the first mail")

    def event(self, source: str, at: Moment) -> WorkflowTriggered:
        """The event that says the same."""
        return WorkflowTriggered(source=source, triggered_at=at, **{
            name: value for name, value in self if name != "dry_run"})


class Accepted(BaseModel):
    """The broker has the trigger; the workers will admit it."""

    run_id: str
    workflow_id: str
    status_url: str


class Ordered(BaseModel):
    """The broker has the order; the workers heed it within seconds, which the run's status then says."""

    run_id: str
    ordered: Order
    status_url: str


class ReplayRequest(BaseModel):
    """Which recipients of an ended run are to be mailed, by how they ended there."""

    model_config = ConfigDict(extra="forbid")

    statuses: Annotated[list[Replayable], FailFast()] = Field(min_length=1, examples=[["failed", "expired"]])
    accept_duplicates: StrictBool = Field(False, description="Needed for those in doubt, who may have got the mail "
                                                             "already: they are labelled possible_duplicate")
    idempotency_key: Name | None = Field(
        None, min_length=1, description="The same key is the same replay; without: the same statuses of the same run "
                                        "are. With a key of your own an earlier replay of the same recipients is no "
                                        "objection")

    @model_validator(mode="after")
    def _doubt_is_accepted(self) -> Self:
        if "in_doubt" in self.statuses and not self.accept_duplicates:
            raise ValueError("those in doubt may have got the mail already: say accept_duplicates")
        return self


class Replayed(Accepted):
    """The broker has the replay; the workers will admit it as a run of its own."""

    parent: str
    recipients: dict[Replayable, int]
    """Of the earlier run, by how they ended there."""


class Engines(BaseModel):
    """All engines of the catalog."""

    engines: list[MeasuredEngine]


class Runs(BaseModel):
    """The newest runs first."""

    runs: list[RunStatus]
    next: str | None
    """Where the next page begins, as `cursor`; null: that was the last one."""


class Broker(BaseModel):
    """The Kafka behind the gateway."""

    bootstrap: str
    reachable: bool


class Health(BaseModel):
    """`ok` when the broker is reachable; `roles` counts the workers of each role that the broker knows."""

    status: Literal["ok", "unavailable"]
    broker: Broker
    roles: dict[str, int]
    lag: dict[str, dict[str, int]]
    """Records that are not finished, by role and topic; empty while the broker does not say it."""


class Probe(BaseModel):
    """What is told to whatever runs the process."""

    status: Literal["ok", "unavailable"]
    reason: str | None = None
