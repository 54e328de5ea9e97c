"""`outreach trigger`: publishes a trigger to Kafka itself; no gateway is needed."""

import asyncio
import json
import sys
from datetime import UTC, datetime
from typing import Annotated, Any

import typer
from pydantic import ValidationError

from outreach_stream.cli.exits import CommandError, Exit
from outreach_stream.cli.kafka import find_kafka, writing
from outreach_stream.cli.process import command
from outreach_stream.domain.states import RunState
from outreach_stream.domain.triggers import WorkflowTriggered
from outreach_stream.gateway.publisher import TriggerPublisher
from outreach_stream.gateway.writer import RecordTooLargeError
from outreach_stream.settings import Settings

SOURCE = "cli"


def trigger(
    workflow: Annotated[str, typer.Argument(help="Id of the workflow in the catalog.")],
    slot: Annotated[str | None, typer.Option(
        help="The occasion, a time like 2026-03-01T09:00Z: the same slot is the same run.")] = None,
    key: Annotated[str | None, typer.Option(help="Idempotency key: the same key is the same run.")] = None,
    param: Annotated[list[str] | None, typer.Option(
        metavar="NAME=VALUE", help="Parameter of template and query; JSON, or else text. May be repeated.")] = None,
    recipient: Annotated[list[str] | None, typer.Option(
        metavar="EMAIL[=NAME]", help="Who gets it, instead of whom the query finds. May be repeated.")] = None,
    priority: Annotated[str | None, typer.Option(help="express or bulk.", show_default="the workflow's")] = None,
    deadline: Annotated[str | None, typer.Option(
        help="Time past which nothing is sent.", show_default="the workflow's")] = None,
    wait: Annotated[bool, typer.Option("--wait", help="Follow the run to its end, as `outreach watch` does.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object, with run_id.")] = False,
) -> None:
    """Start a run of a workflow, once for each slot or key.

    Exits when Kafka has the trigger for sure; with --wait when the run has ended: 0 if it completed, 1 if not.
    """
    settings = command()
    event = _event(
        workflow_id=workflow, slot=slot, idempotency_key=key, priority=priority, deadline=deadline,
        parameters=dict(map(parameter, param or ())),
        recipients=[_recipient(each) for each in recipient or ()] or None)
    sys.exit(asyncio.run(_trigger(event, settings, wait=wait, as_json=as_json)))


def _event(**fields: Any) -> WorkflowTriggered:
    given = {name: value for name, value in fields.items() if value is not None}
    try:
        return WorkflowTriggered(source=SOURCE, triggered_at=datetime.now(UTC), **given)
    except (ValidationError, ValueError) as error:
        problems = error.errors() if isinstance(error, ValidationError) else [{"loc": ("slot",), "msg": str(error)}]
        said = "\n".join(f"  {'.'.join(map(str, each['loc']))}: {each['msg']}" for each in problems)
        raise CommandError(f"This cannot be triggered:\n{said}", Exit.USAGE) from error


def parameter(given: str) -> tuple[str, Any]:
    """Name and value of `--param NAME=VALUE`; raises `CommandError`."""
    name, mark, text = given.partition("=")
    if not mark or not name:
        raise CommandError(f"--param {given}: write NAME=VALUE, for example --param discount=15", Exit.USAGE)
    try:
        return name, json.loads(text)
    except ValueError:
        return name, text


def _recipient(given: str) -> dict[str, str]:
    """`ann@example.org=Ann Lee`; an equals sign before the @ belongs to the address."""
    local, at, rest = given.rpartition("@") if "=" not in given.rpartition("@")[2] else given.partition("@")
    domain, mark, name = rest.partition("=")
    if not at:
        raise CommandError(f"--recipient {given}: write EMAIL or EMAIL=NAME", Exit.USAGE)
    return {"email": f"{local}@{domain}"} | ({"name": name} if mark and name else {})


async def _trigger(event: WorkflowTriggered, settings: Settings, *, wait: bool, as_json: bool) -> int:
    from outreach_stream.cli.watch import followed  # noqa: PLC0415 - the display, once the usage is right

    bootstrap = await find_kafka(settings, patience=5)
    run = await published(event, bootstrap)
    if wait:
        return await followed(run, bootstrap, as_json=as_json)
    _say({"run_id": run, "workflow_id": event.workflow_id, "state": RunState.QUEUED}, as_json=as_json)
    return Exit.OK


async def published(event: WorkflowTriggered, bootstrap: str) -> str:
    """Publish a trigger; returns its run's id when Kafka has it for sure. Raises `BrokerError`, `CommandError`."""
    async with writing(bootstrap, "the trigger", "Repeat it with a --slot or --key, and it is one run") as writer:
        try:
            return await TriggerPublisher(writer).publish(event)
        except RecordTooLargeError as error:
            raise CommandError(f"The trigger: {error}. Give fewer recipients, or have a query find them.") from error


def _say(said: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        print(json.dumps(said))
    else:
        print(f"Run {said['run_id']} is accepted. Follow it: outreach watch {said['run_id']}")
