"""`outreach topics`: create the topics, check that a broker has them as they must be, list them, say who needs them."""

import asyncio
import json
import sys
from typing import Annotated

import typer
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from outreach_stream.broker.admin import check_topics, create_topics, describe_topics
from outreach_stream.broker.errors import WAYS_OUT, BrokerUnreachableError, NoBrokerError
from outreach_stream.broker.permissions import ROLES, commands
from outreach_stream.broker.ready import reached
from outreach_stream.cli.exits import CommandError, Exit
from outreach_stream.cli.kafka import check_address, find_kafka, kafka_folder, told_if_away
from outreach_stream.cli.progress import busy
from outreach_stream.settings import load_settings
from outreach_stream.topics import FLOW, Topic

app = typer.Typer(help="Create, check and list the topics.", no_args_is_help=True, add_completion=False)

Bootstrap = Annotated[str | None, typer.Option(
    help="Kafka to talk to, host:port.", show_default="OUTREACH_KAFKA_BOOTSTRAP, or the embedded one that runs")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]

ADVICE = """A missing topic: `outreach topics create`.
A wrong number of partitions: set OUTREACH_PARTITIONS_… to what is there, or drain the topics and make them anew.
Anything else: alter the topic's configuration with Kafka's own tools; it is never altered from here."""


@app.command()
def create(bootstrap: Bootstrap = None) -> None:
    """Create the topics that are missing. Those that exist are left as they are."""
    settings, address = load_settings(), _address(bootstrap)
    with told_if_away(address, "creating topics"), busy("Creating topics …"):
        created = asyncio.run(create_topics(address, settings.layout(), settings.replication,
                                            settings.insync))
    print("\n  ".join([f"{len(created)} topics created, {len(FLOW) - len(created)} were there.", *created]))
    _report(address)


@app.command()
def check(bootstrap: Bootstrap = None) -> None:
    """Compare the topics with the layout; exit code 1 and a line for each difference if they differ.

    Fewer replicas than the settings say are a warning.
    """
    _report(_address(bootstrap))
    print(f"All {len(FLOW)} topics are as the layout says.")


@app.command("list")
def list_topics(bootstrap: Bootstrap = None, as_json: AsJson = False) -> None:
    """Show every topic in the order in which a mail meets them, with its real number of partitions."""
    address = _address(bootstrap)
    with told_if_away(address, "describing its topics"):
        found = asyncio.run(describe_topics(address))
    rows = [_row(topic, found[topic.name].partitions if topic.name in found else None) for topic in FLOW]
    if as_json:
        print(json.dumps(rows, indent=2))
        return
    table = Table("topic", "partitions", "kept", "carries", box=SIMPLE_HEAD)
    for row in rows:
        shown = row | {"partitions": row["partitions"] or "missing"}
        table.add_row(*(str(shown[column]) for column in ("name", "partitions", "kept", "carries")))
    Console().print(table)


@app.command()
def acls(
    role: Annotated[str, typer.Argument(help=f"Who: {', '.join(ROLES)}.", show_default=False)],
    principal: Annotated[str, typer.Argument(help="Whom Kafka knows it as, such as User:outreach-sender.")],
) -> None:
    """Print the commands of Kafka's own tool that allow a role what it needs, and nothing else.

    Each needs --bootstrap-server, and on a secured cluster --command-config, added.
    """
    if role not in ROLES:
        raise CommandError(f"{role!r} is no role: {', '.join(ROLES)}.", Exit.USAGE)
    print("\n".join(commands(role, principal)))


def _row(topic: Topic, partitions: int | None) -> dict[str, str | int | bool | None]:
    """One topic for people and programs; `partitions` is null for a topic that is missing."""
    kept = "for ever" if topic.keep is None else f"{topic.keep // 86_400} d"
    return {
        "name": topic.name, "partitions": partitions, "partition_by": topic.partition_by,
        "kept": f"{kept}, last of a key" if topic.compacted else kept, "public": topic.public, "carries": topic.carries,
    }


def _report(bootstrap: str) -> None:
    """Raises `CommandError` that says what is wrong with the topics, if anything is."""
    settings = load_settings()
    with told_if_away(bootstrap, "describing its topics"):
        problems = asyncio.run(check_topics(bootstrap, settings.layout(), settings.replication, settings.insync))
    for risk in problems:
        if not risk.grave:
            print(f"Warning: {risk}", file=sys.stderr)
    if grave := [problem for problem in problems if problem.grave]:
        raise CommandError("\n".join([*map(str, grave), ADVICE]))


def _address(bootstrap: str | None) -> str:
    """The Kafka that is named, else the embedded one that runs on the state folder; one that answers.

    Raises `CommandError`, or `BrokerUnreachableError`.
    """
    settings = load_settings()
    if named := bootstrap or settings.kafka_bootstrap:
        check_address(named)
        if not asyncio.run(reached(named)):
            raise BrokerUnreachableError(f"No Kafka answers at {named}.\n{WAYS_OUT}")
        return named
    try:
        return asyncio.run(find_kafka(settings))
    except NoBrokerError as error:
        raise CommandError("Which Kafka? Say --bootstrap host:port, or set OUTREACH_KAFKA_BOOTSTRAP: no embedded one "
                           f"runs on {kafka_folder(settings)}.", Exit.USAGE) from error
