"""One short look at a customers' database: read-only, for seconds, over no more rows than a person wants to know of.

The drivers are imported when somebody looks: they take as long to import as all the rest of a gateway.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from importlib import import_module
from typing import TYPE_CHECKING, Any, NamedTuple

from fastapi import HTTPException
from fastapi.concurrency import run_in_threadpool

from outreach_stream.catalog.models import RecipientQuery, Workflow
from outreach_stream.domain.events import RunRequested
from outreach_stream.gateway.catalog.workflows import SeenCounts, SeenRecipient
from outreach_stream.recipients.failures import DatabaseUnavailable, QueryTimeout, RecipientsFailed
from outreach_stream.recipients.unsubscribing import Subscription

if TYPE_CHECKING:
    from outreach_stream.recipients.look import Look

LOOK_SECONDS = 10.0
"""Seconds that the database may take for one query of a look, whatever the workflow allows a run."""

READ = 100_000
"""Rows that are read at most."""

SHOWN = 20
"""Recipients that are told one by one."""


type Left = Callable[[Subscription], bool]
"""Whether an address has left a list."""


class _OnList:
    """The addresses that have left one list."""

    def __init__(self, name: str, left: Left) -> None:
        self._name, self._left = name, left

    def __contains__(self, email: object) -> bool:
        return self._left(Subscription(self._name, str(email), ""))


class Seen(NamedTuple):
    """What a look saw."""

    recipients: list[SeenRecipient]
    counts: SeenCounts
    complete: bool


async def first_seen(workflow: Workflow, parameters: Mapping[str, Any]) -> SeenRecipient:
    """The first recipient with a valid address whom the workflow's query finds; raises HTTPException."""
    if workflow.recipients is None:
        raise HTTPException(422, f"Workflow {workflow.id} has no query: say whose mail it is, as `recipient`.")
    await _drivers()
    from outreach_stream.recipients.look import first_recipient, told  # noqa: PLC0415 - see above

    with _refused(workflow):
        found = await first_recipient(_hurried(workflow.recipients), parameters, READ)
    if found is None:
        raise HTTPException(409, "The query finds nobody with a valid address: say whose mail it is, as `recipient`.")
    return SeenRecipient(**told(found))


async def look_at(workflow: Workflow, request: RunRequested, left: Left) -> Seen:
    """Whom the run would mail, and whom not, as far as a short look goes; raises HTTPException."""
    await _drivers()
    from outreach_stream.recipients.look import Look, told  # noqa: PLC0415 - see above

    gone = _OnList(workflow.unsubscribe, left) if workflow.unsubscribe is not None else ()
    look = Look(SHOWN, READ, unsubscribed=gone)
    with _refused(workflow):
        await _see(look, workflow, request)
    return Seen([SeenRecipient(**told(each)) for each in look.shown],
                SeenCounts(**{what.replace(" ", "_"): number for what, number in look.counts.items()}), look.complete)


async def _see(look: "Look", workflow: Workflow, request: RunRequested) -> None:
    from outreach_stream.recipients.suppression import suppressed_for  # noqa: PLC0415 - see above

    query = workflow.recipients and _hurried(workflow.recipients)
    hurried = workflow.model_copy(update={"recipients": query})
    if request.recipients is not None:
        look.over(request.recipients, await suppressed_for(hurried, request.parameters))
        return
    assert query is not None, "admitted"
    try:
        await look.at(query, request.parameters, lambda: suppressed_for(hurried, request.parameters))
    except QueryTimeout:
        if not look.counts:     # else these are the first rows, and it says that it is not complete
            raise


async def _drivers() -> None:
    """Imported in a thread: everybody else is served meanwhile."""
    await run_in_threadpool(import_module, "outreach_stream.recipients.suppression")


def _hurried(query: RecipientQuery) -> RecipientQuery:
    return query.model_copy(update={"timeout": min(query.timeout, LOOK_SECONDS)})


@contextmanager
def _refused(workflow: Workflow) -> Iterator[None]:
    """What the database does not do, as an answer of the API."""
    try:
        yield
    except DatabaseUnavailable as error:
        raise HTTPException(503, f"The recipients cannot be read: {error}.", headers={"Retry-After": "5"}) from error
    except QueryTimeout as error:
        limit = min(workflow.recipients.timeout, LOOK_SECONDS) if workflow.recipients else LOOK_SECONDS
        raise HTTPException(504, f"The database took longer than {limit:g} s, which is what a look from here may take. "
                                 f"`outreach recipients {workflow.id}` reads as long as a run does.") from error
    except RecipientsFailed as error:
        raise HTTPException(422, f"The recipients cannot be read: {error}.") from error
