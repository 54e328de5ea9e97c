"""`outreach replay`: some recipients of an ended run, as a run of their own."""

import asyncio
import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, cast

import typer

from outreach_stream.cli.exits import CommandError, Exit
from outreach_stream.cli.kafka import find_kafka, read_to_end
from outreach_stream.cli.order import BY, Run, known
from outreach_stream.cli.process import command
from outreach_stream.cli.trigger import published
from outreach_stream.cli.watch import followed
from outreach_stream.domain.events import RunStatus
from outreach_stream.domain.triggers import WorkflowTriggered
from outreach_stream.gateway.publisher import identified
from outreach_stream.gateway.runs.replays import (
    REPLAYABLE,
    Replayable,
    recipients,
    replay_objection,
    replay_trigger,
)
from outreach_stream.gateway.runs.statuses import RunStatuses

DOUBT = ("{count:,} are in doubt: they may have got the mail already, nobody here knows. Whoever has gets it a second "
         "time; each is labelled possible_duplicate.")


@dataclass(frozen=True, slots=True)
class Asked:
    """The command line."""

    run: str
    statuses: list[Replayable]
    doubt_accepted: bool
    key: str | None
    yes: bool
    dry: bool
    wait: bool
    as_json: bool


def replay(
    run: Run,
    status: Annotated[str, typer.Option(
        metavar="STATUS,…", help=f"Who is mailed, by how they ended there: {', '.join(REPLAYABLE)}."
    )] = "failed,expired",
    resend_in_doubt: Annotated[bool, typer.Option(
        "--resend-in-doubt", help="Mail those in doubt without asking: some of them may get the mail twice.")] = False,
    key: Annotated[str | None, typer.Option(
        help="Idempotency key. With one of your own, those in an earlier replay are mailed once more.",
        show_default="the run and the statuses")] = None,
    wait: Annotated[bool, typer.Option("--wait", help="Follow the new run to its end.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say how many it would be, and publish nothing.")] = False,
    yes: Annotated[bool, typer.Option(
        "--yes", "-y", help="Do not ask before mailing; about those in doubt --resend-in-doubt decides.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object, with run_id.")] = False,
) -> None:
    """Mail some recipients of an ended run, by how they ended, as a run of its own.

    The new run names the old one, has its parameters, goes in bulk, uses workflow and template as they are in the
    catalog today, and has a deadline of its own. The same choice of the same run is one replay, however often it is
    asked for: what failed in the replay again is replayed from there. Questions are asked on a terminal only; elsewhere
    those in doubt need --resend-in-doubt.

    Exits when Kafka has it for sure; with --wait when the new run has ended: 0 if it completed. 1: the run is unknown,
    has not ended, or nobody ended so.
    """
    settings = command()
    asked = Asked(run, _chosen(status), resend_in_doubt, key, yes, dry_run, wait, as_json)
    bootstrap = asyncio.run(find_kafka(settings, patience=5))
    sys.exit(_replay(asked, bootstrap))


def _chosen(given: str) -> list[Replayable]:
    names = sorted({name.strip() for name in given.split(",")})
    if wrong := [name for name in names if name not in REPLAYABLE]:
        raise CommandError(f"--status {','.join(wrong)}: write some of {','.join(REPLAYABLE)}", Exit.USAGE)
    return cast("list[Replayable]", names)


def _replay(asked: Asked, bootstrap: str) -> int:
    parent, earlier = asyncio.run(_looked_up(asked, bootstrap))
    counts = recipients(parent, asked.statuses)
    trigger, run = identified(_trigger(asked, parent))
    if not asked.as_json:
        told = ", ".join(f"{count:,} {status.replace('_', ' ')}" for status, count in counts.items())
        print(f"Of run {parent.run_id} (workflow {parent.workflow_id}): {told}.")
    if earlier:
        print(f"This replay exists already: run {run} is {earlier.state}. --key makes another one.", file=sys.stderr)
    if not asked.dry:
        if earlier is None:
            _agree(asked, counts)
        asyncio.run(published(trigger, bootstrap))
        if asked.wait:
            return asyncio.run(followed(run, bootstrap, as_json=asked.as_json))
    _say(run, parent, counts, asked)
    return Exit.OK


async def _looked_up(asked: Asked, bootstrap: str) -> tuple[RunStatus, RunStatus | None]:
    """The earlier run, and the replay itself if there is one already. Raises `CommandError` if it may not be."""
    async with read_to_end(RunStatuses(bootstrap), bootstrap) as statuses:
        parent = known(statuses, asked.run)
        if reason := replay_objection(parent, asked.statuses, asked.key, statuses.get):
            raise CommandError(reason)
        return parent, statuses.get(identified(_trigger(asked, parent))[1])


def _trigger(asked: Asked, parent: RunStatus) -> WorkflowTriggered:
    return replay_trigger(parent, asked.statuses, source=BY, at=datetime.now(UTC), key=asked.key,
                          accept_duplicates="in_doubt" in asked.statuses)


def _agree(asked: Asked, counts: Mapping[Replayable, int]) -> None:
    """Returns if whoever asks for it knows what it means. Raises `CommandError`, or `typer.Abort`."""
    terminal, doubt = sys.stdin.isatty(), DOUBT.format(count=counts.get("in_doubt", 0))
    if "in_doubt" in counts and not asked.doubt_accepted:
        if not terminal:
            raise CommandError(f"{doubt}\nSay --resend-in-doubt if they are to be mailed all the same, or leave "
                               "in_doubt out of --status.", Exit.USAGE)
        print(doubt, file=sys.stderr)
        typer.confirm("Mail them again?", abort=True, err=True)
    if terminal and not asked.yes:
        typer.confirm(f"Mail {sum(counts.values()):,} people?", abort=True, err=True)


def _say(run: str, parent: RunStatus, counts: Mapping[Replayable, int], asked: Asked) -> None:
    if asked.as_json:
        print(json.dumps({"run_id": run, "parent": parent.run_id, "workflow_id": parent.workflow_id,
                          "recipients": counts, "published": not asked.dry}))
    elif asked.dry:
        print(f"Nothing is published. It would be run {run}.")
    else:
        print(f"Run {run} is accepted. Follow it: outreach watch {run}")
