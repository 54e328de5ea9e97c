"""What starts a run: the event that any service may publish."""

from typing import Annotated, Any, Literal

from pydantic import AliasChoices, BaseModel, ConfigDict, Field

from outreach_stream.domain.clock import Moment
from outreach_stream.domain.event import Event

Priority = Literal["express", "bulk"]
Name = Annotated[str, Field(max_length=255)]
"""What a foreign producer calls something. It is repeated in records of ours, each of which must fit into a batch."""
RunId = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]
"""A run's id: part of keys, of file names and of Message-IDs."""
EXPRESS_LIMIT = 50
"""Inline recipients that a run may have to go express, without a query and ahead of bulk."""


class InlineRecipient(BaseModel):
    """A recipient given with the trigger; further fields are template variables."""

    model_config = ConfigDict(frozen=True, extra="allow", use_attribute_docstrings=True)
    email: str
    name: str | None = None
    """For the To header; without it the mail is addressed to the bare address."""

    @property
    def variables(self) -> dict[str, Any]:
        """The template variables it brings."""
        return self.model_extra or {}


class Replay(BaseModel):
    """Which recipients of an earlier run are to be mailed, by how they ended there."""

    model_config = ConfigDict(frozen=True, extra="ignore", use_attribute_docstrings=True)
    run_id: RunId
    """The earlier run."""
    statuses: Annotated[list[Literal["failed", "expired", "in_doubt", "cancelled"]], Field(min_length=1)]
    accept_duplicates: bool = False
    """Needed for those in doubt: they may have got the mail already, and are labelled if they get it again."""


class WorkflowTriggered(Event):
    """Public, in: run this workflow now. The same slot or key is the same run, however often it is published."""

    model_config = ConfigDict(use_attribute_docstrings=True)
    workflow_id: Annotated[int | Name, Field(examples=[1, "welcome"])]
    """Which workflow of the catalog; `1` and `"1"` are the same."""
    trigger_id: Name | None = None
    """Id of this trigger. Without one it is the record's `ce_id`, else its place in the topic."""
    source: Name = "unknown"
    """Who asks for the run; said in its status and its log."""
    slot: Moment | None = None
    """The occasion of a schedule. The same slot, however it is spelt, is the same run; it goes before a key."""
    idempotency_key: Name | None = Field(None, validation_alias=AliasChoices("idempotency_key", "key"))
    """The same key is the same run; `key` is read, too. Without slot and key each trigger is a run of its own."""
    parameters: dict[str, Any] = {}
    """Template variables and bind parameters of the query; those that the workflow declares."""
    recipients: list[InlineRecipient] | None = None
    """Who gets it; without them the workflow's query says who."""
    priority: Priority | None = None
    """Without it: express for up to 50 recipients that come with the trigger, else bulk."""
    deadline: Moment | None = None
    """Past it nothing is sent any more, and who is left ends as `expired`. Without it: the workflow's own."""
    triggered_at: Moment | None = None
    """When it was asked for; without it, when the record was written."""
    replay: Replay | None = None
    """Mail recipients of an earlier run of the same workflow, by how they ended there."""

    @property
    def run_key(self) -> str | None:
        """Its idempotency key; for a replay that names none, the same statuses of the same run are the same replay."""
        if self.idempotency_key is None and self.slot is None and self.replay:
            return f"replay:{self.replay.run_id}:{','.join(sorted(set(self.replay.statuses)))}"
        return self.idempotency_key
