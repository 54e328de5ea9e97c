"""Writes the JSON log of a run from what it left on the topics."""

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path

from outreach_stream.domain.events import RunPlanReported
from outreach_stream.runs.log_entries import Entries, segments
from outreach_stream.runs.log_file import WholeFile
from outreach_stream.runs.log_models import LogHead
from outreach_stream.runs.ports import Published
from outreach_stream.runs.tally import Tally


class ResultsMissingError(RuntimeError):
    """Recipients have ended, but neither their results nor their chunks could be found."""


@dataclass(frozen=True, slots=True)
class LogJob:
    """All that is needed to write one log: values, so that it can be done in another thread."""

    path: Path
    head: LogHead
    plan: RunPlanReported
    tallies: Mapping[int, Tally]


async def write_log(job: LogJob, published: Published) -> int:
    """Write the log, whole or not at all; returns how many recipients it lists.

    Writes to the disk without giving way: run it off the main event loop. Memory does not grow with the number of
    recipients but by a few bits for each. Raises OSError (a full disk), `ResultsMissingError`, and what `published`
    raises; writing again is harmless.
    """
    listed = 0
    with WholeFile(job.path) as file:
        file.write(job.head.model_dump_json(indent=2).encode().removesuffix(b"\n}") + b',\n  "recipients": [')
        async with aclosing(_entries(job, published)) as entries:
            async for lines in entries:
                if lines:
                    file.write((b",\n    " if listed else b"\n    ") + b",\n    ".join(lines))
                    listed += len(lines)
        file.write(b"\n  ]\n}\n")
    return listed


async def _entries(job: LogJob, published: Published) -> AsyncGenerator[Sequence[bytes]]:
    entries = Entries(job.plan.run_id, job.tallies)
    for start, end in segments(job.tallies.values()):
        try:
            async with aclosing(published.results(start, end)) as results:
                async for values in results:
                    yield list(entries.of_results(values))
        except LookupError:
            pass                                # retention came first: the chunks still tell who it was
    if job.plan.skipped or not entries.complete:
        for offset in job.plan.chunks:
            yield list(entries.of_chunk(await published.chunk(offset)))
    if not entries.complete:
        raise ResultsMissingError(f"run {job.plan.run_id}: recipients have ended whose results are nowhere")
