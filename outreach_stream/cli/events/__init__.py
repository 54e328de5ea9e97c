"""`outreach events`: what goes over the topics, decoded."""

import asyncio
import os
import sys
from collections.abc import Iterable
from typing import Annotated

import typer
from aiokafka import ConsumerRecord

from outreach_stream.cli.events.decoding import names_run
from outreach_stream.cli.events.reading import Topic
from outreach_stream.cli.events.showing import Show
from outreach_stream.cli.exits import CommandError, Exit
from outreach_stream.cli.kafka import find_kafka
from outreach_stream.cli.process import command
from outreach_stream.cli.signals import until_stopped
from outreach_stream.topics import FLOW

app = typer.Typer(help="Print what goes over the topics, decoded.", no_args_is_help=True, add_completion=False)

NAMES = tuple(topic.name for topic in FLOW)


@app.callback()
def events() -> None:
    """Print what goes over the topics, decoded."""      # with it, `tail` is named, though it is the only command


@app.command()
def tail(
    topic: Annotated[str, typer.Argument(metavar="TOPIC", help=f"One of ours: {', '.join(NAMES)}.")],
    last: Annotated[int, typer.Option("-n", min=0, max=100_000, help="Begin with the last so many.")] = 10,
    run: Annotated[str | None, typer.Option(help="Only records that name this run.", show_default="all")] = None,
    *,
    from_beginning: Annotated[bool, typer.Option(
        "--from-beginning", help="Begin with the oldest that is kept, whatever -n says.")] = False,
    follow: Annotated[bool, typer.Option(help="Go on with what comes, until Ctrl-C, or end with what is there.")
                      ] = True,
    addresses: Annotated[bool, typer.Option(
        "--addresses/--no-addresses", help="Print e-mail addresses, or <address> instead of each.")] = True,
    as_json: Annotated[bool, typer.Option(
        "--json", help="Print each record whole, as one line of JSON, instead of what matters.")] = False,
) -> None:
    """Print the events of a topic as they come: time, partition@offset, key, kind, and what matters of it.

    It only looks: no consumer group is joined and nothing is committed, so it takes nothing from anybody. A record that
    cannot be read is printed with the reason.

    Recipients' names and variables are in --json, and --no-addresses does not mask those.
    """
    if topic not in NAMES:
        raise CommandError(f"{topic!r} is no topic of ours. They are: {', '.join(NAMES)}.", Exit.USAGE)
    bootstrap = asyncio.run(find_kafka(command(), patience=5))
    show = Show(addresses=addresses, as_json=as_json)
    work = _tail(Topic(bootstrap, topic), show, run, None if from_beginning else last, follow=follow)
    try:
        sys.exit(asyncio.run(until_stopped(work)))
    except NobodyReadsError:
        sys.exit(Exit.OK)


class NobodyReadsError(Exception):
    """Whoever read what is printed has gone (`outreach events tail … | head`): the end, and no error."""


async def _tail(topic: Topic, show: Show, run: str | None, last: int | None, *, follow: bool) -> None:
    def wanted(record: ConsumerRecord) -> bool:
        return run is None or names_run(record, run)

    async with topic:
        if last is None:
            async for records in topic.all():
                _print(show, filter(wanted, records))
        else:
            _print(show, await topic.last(last, wanted))
        if follow:
            async for records in topic.new():
                _print(show, filter(wanted, records))


def _print(show: Show, records: Iterable[ConsumerRecord]) -> None:
    """Raises `NobodyReadsError` when nobody reads on."""
    try:
        for record in records:
            print(show.line(record))
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())      # Python flushes once more at its end
        raise NobodyReadsError from None
