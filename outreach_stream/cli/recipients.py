"""`outreach recipients`: whom a workflow would mail now, and whom not, and why."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Annotated, Any

import typer
from rich.box import SIMPLE_HEAD
from rich.markup import escape
from rich.table import Table

from outreach_stream.catalog.models import RecipientQuery
from outreach_stream.catalog.snapshot import UnknownWorkflow
from outreach_stream.catalog.source import catalog_at
from outreach_stream.catalog.spec import WrongParameters, freeze
from outreach_stream.cli.exits import CommandError, Exit
from outreach_stream.cli.process import command
from outreach_stream.cli.progress import counted
from outreach_stream.cli.tables import show_table
from outreach_stream.cli.trigger import parameter
from outreach_stream.recipients.addresses import AddressSet
from outreach_stream.recipients.failures import RecipientsFailed
from outreach_stream.recipients.intake import Recipient, Skipped
from outreach_stream.recipients.look import Look, told
from outreach_stream.recipients.suppression import suppressed_for


def recipients(
    workflow: Annotated[str, typer.Argument(help="Id of the workflow in the catalog.")],
    limit: Annotated[int, typer.Option(min=0, max=100_000, help="Rows to show; 0: only the counts.")] = 20,
    param: Annotated[list[str] | None, typer.Option(
        metavar="NAME=VALUE", help="Parameter of the query; JSON, or else text. May be repeated.")] = None,
    count_all: Annotated[bool, typer.Option("--all", help="Read the query to its end, and count everybody.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Show whom a workflow would mail now, and who is left out, and why.

    Mails nobody and needs no Kafka. It reads as a run does (read-only, streamed, within recipients.timeout), and stops
    after --limit rows unless --all is given.
    """
    query, suppressed, parameters = _asked(workflow, dict(map(parameter, param or ())))
    try:
        with counted("rows read") as progress:
            look = Look(limit, None if count_all else limit, progress=progress)
            asyncio.run(look.at(query, parameters, suppressed))
    except RecipientsFailed as error:
        raise CommandError(f"The recipients cannot be read: {error}.") from error
    if as_json:
        print(json.dumps({"workflow": workflow, "complete": look.complete, "counts": look.counts,
                          "recipients": [told(each) for each in look.shown]}, indent=2))
        return
    if look.shown:
        _show(look.shown)
    read = "" if look.complete else f" among the first {look.counts.total():,} rows (--all counts everybody)"
    print(f"{', '.join(f'{number:,} {what}' for what, number in look.counts.items()) or 'nobody'}{read}")


def _asked(
    workflow: str, given: Mapping[str, Any],
) -> tuple[RecipientQuery, Callable[[], Awaitable[AddressSet]], Mapping[str, Any]]:
    """The workflow's query, what reads its suppressed addresses, and its parameters; raises `CommandError`."""
    catalog = catalog_at(command()).load()
    try:
        spec = freeze(catalog, workflow, 1)
        parameters = spec.bind(given)
    except UnknownWorkflow as error:
        raise CommandError(f"Unknown workflow: {error}.") from error
    except WrongParameters as error:
        raise CommandError(f"{error}.", Exit.USAGE) from error
    if spec.workflow.recipients is None:
        raise CommandError(f"Workflow {workflow} has no query: its recipients come with the trigger.")
    return spec.workflow.recipients, partial(suppressed_for, spec.workflow, parameters), parameters


def _show(shown: list[Recipient | Skipped]) -> None:
    names = sorted({name for each in shown if isinstance(each, Recipient) for name in each.variables})
    table = Table("email", "name", *names, "left out", box=SIMPLE_HEAD)
    for each in shown:
        if isinstance(each, Skipped):
            table.add_row(escape(each.email), "", *([""] * len(names)), each.reason, style="dim")
        else:
            values = [escape(str(each.variables.get(name, ""))) for name in names]
            table.add_row(escape(each.email), escape(each.name), *values, "")
    show_table(table)
