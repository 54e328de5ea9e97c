"""The catalog's workflows as the API tells them, and what is asked and answered about one before it mails anybody."""

from typing import Annotated, Any, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from outreach_stream.catalog.models import Parameter
from outreach_stream.catalog.snapshot import Catalog
from outreach_stream.domain.message import Mail
from outreach_stream.values import Address


class WorkflowEntry(BaseModel):
    """One workflow."""

    id: str
    name: str
    version: str
    engines: list[str]
    """The first is the primary."""
    template: str
    parameters: dict[str, Parameter]
    has_query: bool
    """Whether it finds its recipients itself; else they come with the trigger."""
    schedules: list[str]
    """Ids of those that trigger it."""


class Workflows(BaseModel):
    """All workflows of the catalog."""

    workflows: list[WorkflowEntry]


def workflow_entries(catalog: Catalog) -> Workflows:
    """All of them, by id."""
    return Workflows(workflows=[WorkflowEntry(
        id=it.id, name=it.name, version=it.version, engines=list(it.engines), template=it.template,
        parameters=it.parameters, has_query=it.recipients is not None,
        schedules=sorted(name for name, schedule in catalog.schedules.items() if schedule.workflow == it.id),
    ) for it in (catalog.workflows[name] for name in sorted(catalog.workflows))])


def _not_taken(variables: dict[str, Any]) -> dict[str, Any]:
    if taken := sorted({"email", "name"} & variables.keys()):
        raise ValueError(f"{' and '.join(taken)} stand beside the variables, not among them")
    return variables


class GivenRecipient(BaseModel):
    """Whose mail is looked at."""

    model_config = ConfigDict(extra="forbid")

    email: Address = Field(examples=["ann@example.com"])
    name: str | None = None
    variables: Annotated[dict[str, Any], AfterValidator(_not_taken)] = Field(
        {}, description="Template variables, as the columns of the query bring them")


class PreviewRequest(BaseModel):
    """Which mail is to be looked at."""

    model_config = ConfigDict(extra="forbid")

    parameters: dict[str, Any] = Field({}, description="Template variables and bind parameters of the query")
    recipient: GivenRecipient | None = Field(None, description="Whose mail; without: the first whom the query finds")


class TrialRequest(PreviewRequest):
    """Which mail is to be sent as a test, and to whom."""

    to: Address = Field(description="Where it is mailed, whoever's mail it is", examples=["me@example.com"])


class SeenRecipient(BaseModel):
    """Somebody whom a run would mail, or leave out."""

    email: str
    name: str | None = None
    variables: dict[str, Any] = {}
    skipped: str | None = None
    """Why they are left out: invalid, suppressed, unsubscribed or duplicate."""


class ShownFile(BaseModel):
    """An attachment, or an image that the html shows."""

    name: str
    type: str
    bytes: int
    content_id: str | None
    """What the html calls it (`cid:…`); null: it is attached."""


class ShownMail(BaseModel):
    """A mail as its reader would see it."""

    subject: str
    text: str | None
    html: str | None
    """As the template makes it: it may contain whatever a template and a row contain, so show it in a sandbox."""
    headers: dict[str, str]
    """From, To, Reply-To, and those of the workflow; not encoded."""
    files: list[ShownFile]
    recipient: SeenRecipient
    """Whose mail it is, with the variables of their row."""

    @classmethod
    def of(cls, mail: Mail, headers: dict[str, str], recipient: SeenRecipient) -> Self:
        """The mail, made for `recipient`."""
        files = [ShownFile(name=it.name, type=it.media_type, bytes=len(it.content), content_id=it.content_id)
                 for it in mail.files]
        return cls(subject=mail.subject, text=mail.text, html=mail.html, headers=headers, files=files,
                   recipient=recipient)


class SeenCounts(BaseModel):
    """How many were read, by what would become of them."""

    to_mail: int = 0
    invalid: int = 0
    suppressed: int = 0
    unsubscribed: int = 0
    duplicate: int = 0


class DryRun(BaseModel):
    """What a trigger would do now; nothing of it is published, and nobody is mailed."""

    workflow_id: str
    run_id: str | None
    """The run that its slot or key is; null: without them each trigger is a run of its own."""
    recipients: list[SeenRecipient]
    """The first ones, mailed or left out, in the order of the rows."""
    counts: SeenCounts
    complete: bool
    """Whether all rows were read; else the counts are those of the first rows."""
    mail: ShownMail | None
    """That of the first recipient who can be mailed; null: there is none."""
    problems: list[str]
    """Why mails of the recipients shown here could not be made; each once."""
