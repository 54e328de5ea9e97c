"""What the shell is told when somebody presses Tab: in a moment, so without loading the commands.

`commands.json` says which subcommands, options and arguments each command has. It is made from the commands themselves
by `python -m outreach_stream.cli.completing`, and a test says when it is out of date.
"""

import inspect
import json
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.main import get_command

from outreach_stream.cli.completing.values import VALUES

TABLE = Path(__file__).with_name("commands.json")

type Known = dict[str, Any]
"""One command: `help`, and either `commands` by name, or `options` and `arguments`."""


@cache
def table() -> dict[str, Known]:
    """Every command by name."""
    read: dict[str, Known] = json.loads(TABLE.read_text(encoding="utf-8"))
    return read


def outline(name: str) -> Any:
    """The command with what can be completed of it, and nothing that it does; a name that is not known has nothing."""
    return get_command(_app(name, table().get(name, {})))


def _app(path: str, known: Known) -> typer.Typer:
    app = typer.Typer(add_completion=False)
    if "commands" not in known:
        app.command()(_function(path, known))
        return app
    app.callback()(lambda: None)
    for name, one in known["commands"].items():
        app.command(name, help=one["help"])(_function(f"{path} {name}", one))
    return app


def _function(path: str, known: Known) -> Callable[..., None]:
    def nothing(**_: Any) -> None:
        """Only its signature is looked at."""

    parameters = [_parameter(path, each) for each in (*known.get("arguments", ()), *known.get("options", ()))]
    nothing.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    nothing.__annotations__ = {each.name: each.annotation for each in parameters}
    return nothing


def _parameter(path: str, known: Known) -> inspect.Parameter:
    complete = _completer(known.get("choices") or VALUES.get((path, known["name"])))
    if "names" in known:
        said: Any = typer.Option(*known["names"], help=known["help"], autocompletion=complete)
    else:
        said = typer.Argument(help=known["help"], autocompletion=complete)
    kind: Any = {"flag": bool, "many": list[str], "value": str}[known["takes"]]
    default = False if kind is bool else None
    return inspect.Parameter(known["name"], inspect.Parameter.KEYWORD_ONLY, default=default,
                             annotation=Annotated[kind if kind is bool else kind | None, said])


def _completer(values: list[str] | Callable[[], list[str]] | None) -> Callable[[str], list[str]]:
    def complete(incomplete: str) -> list[str]:
        found = values() if callable(values) else values or []
        return [each for each in found if each.startswith(incomplete)]
    return complete
