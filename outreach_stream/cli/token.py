"""`outreach token`: who may ask the gateway for what."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import IO, Annotated, Any

import typer
from pydantic import ValidationError
from rich.box import SIMPLE_HEAD
from rich.table import Table

from outreach_stream.cli.exits import CommandError, Exit
from outreach_stream.cli.process import command
from outreach_stream.cli.tables import show_table
from outreach_stream.gateway.door.tokens import (
    SCOPES,
    TOKEN_NAME,
    Scope,
    Token,
    TokenErrors,
    Tokens,
    hashed,
    new_token,
    read_tokens,
    written,
)
from outreach_stream.values import parse_duration

app = typer.Typer(help="Give others access to the gateway: create API tokens, list them.", no_args_is_help=True,
                  add_completion=False)

File = Annotated[Path | None, typer.Option(
    "--file", help="File of the tokens.", show_default="OUTREACH_GATEWAY_TOKENS")]

_HEAD = """\
# Tokens of the gateway's API: who holds each, its hash (which is no secret), and what it is good for.
# Who may write this file gives access. The gateway reads it again when it is changed: remove an entry to withdraw it.
"""


@app.command()
def create(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Who will hold it; said of the runs it starts.")],
    scope: Annotated[list[str], typer.Option(
        help="read: look at everything; trigger: start and try runs; admin: give orders. Repeat it for several.")],
    *,
    expires: Annotated[str | None, typer.Option(
        help="How long it is good, such as 90d.", show_default="for ever")] = None,
    file: File = None,
) -> None:
    """Create a token, append its entry to the file, and print it: it is shown this once and kept nowhere.

    Without a file the entry is printed, to be pasted into one.
    """
    place = file or command().gateway_tokens
    token = new_token()
    entry = written(_name(name), Token(hash=hashed(token), scopes=_scopes(scope), expires=_moment(expires)))
    if place is None:
        typer.echo(f"Put this into the file that OUTREACH_GATEWAY_TOKENS names:\n\n{entry}", err=True)
    else:
        _append(place, name, entry)
        typer.echo(f"{name} stands in {place}. This is its token; it is shown only now:", err=True)
    print(token)


@app.command("list")
def list_tokens(*, file: File = None, as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
                ) -> None:
    """List the tokens of the file: who holds each, what for, and until when."""
    place = file or command().gateway_tokens
    if place is None:
        raise CommandError("There is no file of tokens: name it with --file or OUTREACH_GATEWAY_TOKENS.", Exit.USAGE)
    now = datetime.now(UTC).timestamp()
    found = [_told(name, token, now) for name, token in sorted(_read(place).items())]
    if as_json:
        print(json.dumps(found, indent=2))
        return
    table = Table("token", "scopes", "expires", box=SIMPLE_HEAD)
    for each in found:
        until = each["expires"] or "never"
        table.add_row(each["name"], ", ".join(each["scopes"]), f"{until} (expired)" if each["expired"] else until)
    show_table(table)


def _told(name: str, token: Token, now: float) -> dict[str, Any]:
    return {"name": name, "scopes": token.scopes, "expires": token.expires and token.expires.isoformat(),
            "expired": token.expired(now)}


def _read(file: Path) -> Tokens:
    try:
        return read_tokens(file)
    except TokenErrors as errors:
        raise CommandError(f"The file of tokens cannot be used:\n{errors}", Exit.USAGE) from errors


def _append(file: Path, name: str, entry: str) -> None:
    """One write at the end: comments stay, and a gateway that reads meanwhile has the old file or the new one."""
    known = _read(file) if file.exists() else {}
    if name in known:
        raise CommandError(f"{file} has a token {name} already: choose another name, or remove that entry.", Exit.USAGE)
    try:
        before = file.read_text(encoding="utf-8") if file.exists() else ""
        gap = "" if before.endswith("\n") else "\n"
        with file.open("a", encoding="utf-8") as opened:
            size = opened.tell()
            opened.write(gap + entry if before else _HEAD + entry)
            opened.flush()
            _check(file, opened, size, entry)
    except OSError as error:
        raise CommandError(f"{file} cannot be written: {error.strerror}.") from error


def _check(file: Path, opened: IO[str], size: int, entry: str) -> None:
    """Take the entry back if the file cannot be read with it, as when it is written in braces."""
    try:
        read_tokens(file)
    except TokenErrors as errors:
        opened.truncate(size)
        raise CommandError(f"{file} does not end in an entry of this form, so nothing was appended:\n{entry}\n{errors}",
                           Exit.USAGE) from errors


def _name(name: str) -> str:
    try:
        return TOKEN_NAME.validate_python(name)
    except ValidationError as error:
        raise CommandError("NAME has letters, digits, dots, dashes and underscores, 64 at most.", Exit.USAGE) from error


def _scopes(given: list[str]) -> list[Scope]:
    if unknown := sorted(set(given).difference(SCOPES)):
        raise CommandError(f"There is no scope {', '.join(unknown)}: choose of {', '.join(SCOPES)}.", Exit.USAGE)
    return [scope for scope in SCOPES if scope in given]


def _moment(expires: str | None) -> datetime | None:
    if expires is None:
        return None
    try:
        return datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=parse_duration(expires))
    except (ValueError, OverflowError) as error:
        raise CommandError(f"--expires: {error}", Exit.USAGE) from error
