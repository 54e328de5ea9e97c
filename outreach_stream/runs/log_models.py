"""The JSON log of a run, as everybody may rely on it. Times are RFC 3339 in UTC, durations seconds."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from outreach_stream.domain.states import RecipientStatus, RunState
from outreach_stream.domain.triggers import Priority


class Part(BaseModel):
    """What all parts of the log have in common."""

    model_config = ConfigDict(extra="forbid", json_schema_serialization_defaults_required=True)


class LogTrigger(Part):
    """Who asked for the run, and when."""

    id: str
    source: str
    at: str


class LogRun(Part):
    """The run and what it went through."""

    id: str
    state: RunState
    reason: str | None = Field(description="Why it failed, or was cancelled before it began; null: neither")
    warnings: list[str]
    trigger: LogTrigger
    parent: str | None = Field(description="The run of which it replays some recipients; null: none")
    slot: str | None = Field(description="The occasion of its schedule; null: none")
    lateness: float | None = Field(description="Seconds from its slot to its trigger; null: it has no slot")
    idempotency_key: str | None
    priority: Priority
    states: dict[RunState, str] = Field(description="When each state was entered")
    deadline: str
    deadline_passed: bool = Field(
        description="It cut the run short: some recipients are `expired`, or have no end that is known")


class LogTemplate(Part):
    """The template as it was frozen for the run."""

    id: str
    version: str


class LogWorkflow(Part):
    """The workflow as it was frozen for the run."""

    id: str
    name: str
    version: str
    template: LogTemplate
    spec_digest: str = Field(description="SHA-256 of all that the mails were made of")


class LogEngine(Part):
    """The engine the run was admitted to."""

    id: str
    config: dict[str, Any] | None = Field(
        description="Its configuration, secrets by reference only; null: the catalog does not have it any more")


class LogDurations(Part):
    """Seconds; null: the run never came to that point."""

    to_plan: float | None = Field(description="From the admission to the plan")
    to_send: float | None = Field(description="From the plan to the last recipient's end")
    total: float | None = Field(description="From the trigger to the end")


class LogSummary(Part):
    """Recipients by how they ended."""

    total: int = Field(description="Planned recipients; each is in `recipients` once")
    sent: int
    failed: int
    expired: int
    in_doubt: int
    cancelled: int
    skipped: int = Field(description="Left out for a reason, and in `recipients` beside those planned")
    possible_duplicates: int = Field(description="Of those sent, how many may have been mailed twice")
    durations: LogDurations
    rate: float | None = Field(description="Mails sent per second from the plan to the end")


class LogRecipient(Part):
    """What became of one recipient."""

    email: str
    status: RecipientStatus | None = Field(description="null: no end is known, and the run was given up")
    reason: str | None
    engine: str | None = Field(description="The engine that tried last; null: none did")
    message_id: str | None
    provider_message_id: str | None
    attempts: int | None = Field(description="null: not known any more")
    possible_duplicate: bool
    recovered: bool = Field(description="Told again after a crash: details may be missing")
    started_at: str | None
    finished_at: str | None


class LogHead(Part):
    """The log without its recipients."""

    schema_version: Literal[1] = 1
    run: LogRun
    workflow: LogWorkflow
    engine: LogEngine
    summary: LogSummary


class RunLog(LogHead):
    """What a run of outreach-stream did: `output/<date of admission>/<run id>.json`."""

    recipients: list[LogRecipient]
