"""Writes the JSON log of a run from what it left on the topics."""

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace

from outreach_stream.domain.events import RunPlanReported
from outreach_stream.domain.triggers import InlineRecipient
from outreach_stream.runs.log_entries import Entries, segments
from outreach_stream.runs.log_models import LogHead
from outreach_stream.runs.log_store import LogStore
from outreach_stream.runs.ports import Published
from outreach_stream.runs.tally import Tally


class ResultsMissingError(RuntimeError):
    """Of some recipients neither results nor chunks are kept any more."""

    def __init__(self, run_id: str, listed: int) -> None:
        super().__init__(f"run {run_id}: only {listed} recipients are to be found")
        self.listed = listed


@dataclass(frozen=True, slots=True)
class LogJob:
    """All that is needed to write one log: values, so that it can be done in another thread."""

    name: str
    """In the store."""
    head: LogHead
    plan: RunPlanReported | None  # None: it was never planned
    tallies: Mapping[int, Tally]
    recipients: Sequence[InlineRecipient] = ()
    """Of an express run, which has no chunks."""
    given_up: bool = False
    """Not every recipient has an end; those without are to be listed too."""


async def write_log(job: LogJob, published: Published, store: LogStore) -> int:
    """Write the log into the store, whole or not at all; returns how many recipients it lists.

    What the topics have lost is not waited for: then the log has a warning, and lists the recipients that there are.
    Writes to the disk without giving way: run it off the main event loop. Memory does not grow with the number of
    recipients but by a few bits for each. Raises OSError (a full disk, a bucket that refuses) and what `published`
    raises; writing again is harmless.
    """
    try:
        return await _write(job, published, store, complete=True)
    except ResultsMissingError as error:
        summary = job.head.summary
        unlisted = max(1, summary.total + summary.skipped - error.listed)
        warning = f"{unlisted:,} recipients are not listed: what the topics kept of them is gone"
        run = job.head.run.model_copy(update={"warnings": [*job.head.run.warnings, warning]})
        job = replace(job, head=job.head.model_copy(update={"run": run}))
        return await _write(job, published, store, complete=False)


async def _write(job: LogJob, published: Published, store: LogStore, *, complete: bool) -> int:
    listed = 0
    async with store.draft(job.name) as file:
        file.write(job.head.model_dump_json(indent=2).encode().removesuffix(b"\n}") + b',\n  "recipients": [')
        found = Found(Entries(job.head.run.id, job.tallies, endless=job.given_up))
        async with aclosing(_lines(job, published, found)) as pages:
            async for lines in pages:
                if lines:
                    file.write((b",\n    " if listed else b"\n    ") + b",\n    ".join(lines))
                    listed += len(lines)
        if complete and (found.gone or not found.entries.complete):
            raise ResultsMissingError(job.head.run.id, listed)
        file.write(b"\n  ]\n}\n")
    return listed


@dataclass(slots=True)
class Found:
    """What was found on the topics so far."""

    entries: Entries
    gone: bool = False
    """A chunk is not kept any more."""


async def _lines(job: LogJob, published: Published, found: Found) -> AsyncGenerator[Sequence[bytes]]:
    entries = found.entries
    for start, end in segments(job.tallies.values()):
        try:
            async with aclosing(published.results(start, end)) as results:
                async for values in results:
                    yield list(entries.of_results(values))
        except LookupError:
            pass                                # retention came first: the chunks still tell who it was
    if not job.plan or not (job.plan.skipped or job.given_up or not entries.complete):
        return
    yield list(entries.of_people(0, [recipient.email for recipient in job.recipients]))
    for offset in job.plan.chunks:
        try:
            yield list(entries.of_chunk(await published.chunk(offset)))
        except LookupError:
            found.gone = True
