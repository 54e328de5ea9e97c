"""`outreach dead-letters`: what could not be read, and what to do about it."""

import asyncio
import json
import sys
from collections import deque
from typing import Annotated, Any

import typer
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from outreach_stream.broker.admin import describe_topics
from outreach_stream.cli.dead_letters.letter import DeadLetter, printable, text_or_hex
from outreach_stream.cli.dead_letters.reading import bounds, letters, letters_at
from outreach_stream.cli.exits import CommandError, Exit
from outreach_stream.cli.kafka import find_kafka, told_if_away, writing
from outreach_stream.cli.process import command

app = typer.Typer(help="List, show and put back records that could not be read.", no_args_is_help=True,
                  add_completion=False)

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.command("list")
def list_letters(
    limit: Annotated[int, typer.Option(min=1, max=100_000, help="Show the newest so many.")] = 20, *,
    as_json: AsJson = False,
) -> None:
    """List dead letters, oldest first: when, from where, how large, and why. Their contents are not shown."""
    bootstrap = _bootstrap()

    async def newest() -> tuple[int, list[dict[str, Any]]]:
        total, last = 0, deque[dict[str, Any]](maxlen=limit)
        async for letter in letters(bootstrap, await bounds(bootstrap)):
            total += 1
            last.append(letter.summary())
        return total, list(last)

    total, found = asyncio.run(newest())
    if as_json:
        print(json.dumps(found, indent=2))
    else:
        _table(total, found)


@app.command()
def show(offset: Annotated[int, typer.Argument(min=0, help="Its offset, as `list` shows it.")], *,
         as_json: AsJson = False) -> None:
    """Show one dead letter whole: place, reason, headers, key, and the value as text if it is UTF-8, else in hex.

    It is what somebody sent, so it may contain e-mail addresses and whatever else they wrote: mind where you paste it.
    """
    (letter,) = asyncio.run(letters_at(_bootstrap(), [offset]))
    kind, value = text_or_hex(letter.value)
    contents = {"key": text_or_hex(letter.key)[1] if letter.key is not None else None,
                "headers": [[name, text_or_hex(data)[1]] for name, data in letter.headers],
                "encoding": kind, "value": value if letter.value is not None else None}
    if as_json:
        print(json.dumps(letter.summary() | contents, indent=2))
        return
    lines = [f"{name}: {said}" for name, said in (letter.summary() | {"key": contents["key"]}).items()]
    lines += [f"header {name}: {text_or_hex(data)[1]}" for name, data in letter.headers]
    print(printable("\n".join([*lines, f"value ({kind}):", value])))


@app.command()
def replay(
    offsets: Annotated[list[int], typer.Argument(min=0, metavar="OFFSET…", help="Offsets, as `list` shows them.")], *,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask; needed where there is no terminal.")] = False,
    as_json: AsJson = False,
) -> None:
    """Put dead letters back to where they came from, as they were: same topic, partition, key, value and headers.

    It makes sense when they can be read by now: a schema version or a field that this release understands, or a record
    that was buried because of a fault that is mended. Whatever still cannot be read is buried again. A trigger without
    slot, key and id of its own that is put back twice is two runs: put each back once. They stay in the list.

    Refused, before anything is put back, for those of which only the beginning was kept.
    """
    bootstrap = _bootstrap()
    found = asyncio.run(_replayable(bootstrap, offsets))
    if not yes:
        if not sys.stdin.isatty():
            raise CommandError("Nobody can be asked here: say --yes.", Exit.USAGE)
        print("\n".join(f"{letter.offset}: back to {_place(letter)} ({printable(letter.reason)})" for letter in found))
        typer.confirm(f"Put {len(found)} back?", abort=True, err=True)
    asyncio.run(_put_back(bootstrap, found, as_json=as_json))
    if as_json:
        print(json.dumps([letter.summary() for letter in found], indent=2))


def _bootstrap() -> str:
    return asyncio.run(find_kafka(command(), patience=5))


async def _replayable(bootstrap: str, offsets: list[int]) -> list[DeadLetter]:
    """Those at these offsets, each once. Raises `CommandError` that names all that cannot be put back."""
    found = await letters_at(bootstrap, sorted(set(offsets)))
    with told_if_away(bootstrap, "describing its topics"):
        there = {name: topic.partitions for name, topic in (await describe_topics(bootstrap)).items()}
    wrong = [f"{letter.offset}: {reason}." for letter in found if (reason := letter.hindrance or _gone(letter, there))]
    if wrong:
        raise CommandError("\n".join(["Nothing was put back:", *map(printable, wrong)]))
    return found


def _gone(letter: DeadLetter, there: dict[str, int]) -> str | None:
    assert letter.source, "it has no hindrance"
    gone = letter.source.partition >= there.get(letter.source.topic, 0)
    return f"{_place(letter)} is not there any more" if gone else None


async def _put_back(bootstrap: str, found: list[DeadLetter], *, as_json: bool) -> None:
    """In order; told one by one, so that it is known which are back when Kafka goes away."""
    told = sys.stderr if as_json else sys.stdout
    async with writing(bootstrap, "the next one", "Those named above are back: repeat the others") as writer:
        for letter in found:
            assert letter.source, "it can be put back"
            await writer.write(letter.source.topic, letter.original(), letter.source.partition)
            print(f"{letter.offset} is back in {_place(letter)}.", file=told, flush=True)


def _place(letter: DeadLetter) -> str:
    return f"{letter.source.topic}, partition {letter.source.partition}" if letter.source else "nowhere"


def _table(total: int, found: list[dict[str, Any]]) -> None:
    if not found:
        print("There are no dead letters.")
        return
    table = Table(box=SIMPLE_HEAD)
    for column in ("offset", "buried at", "came from", "bytes", "reason"):
        table.add_column(column, overflow="fold")  # a place that is cut off finds nothing
    for each in found:
        place = f"{each['topic']}/{each['partition']}@{each['source_offset']}" if each["topic"] else "unknown"
        size = f"{each['bytes']:,}{' (beginning)' if each['truncated'] else ''}"
        table.add_row(str(each["offset"]), each["at"], *map(Text, (printable(place), size, printable(each["reason"]))))
    Console().print(table)
    print(f"{len(found):,} of {total:,}. One of them whole: outreach dead-letters show OFFSET")
