"""Commands that are imported when they are called: `outreach --help` must not load Kafka, SQL and a web server."""

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import Any, override

import typer
from typer.core import TyperGroup
from typer.main import get_command


@dataclass(frozen=True, slots=True)
class Lazy:
    """One entry of the table of commands."""

    panel: str
    """The heading it stands under."""
    summary: str
    """The first line of its help, said here because the command itself is not loaded for `outreach --help`."""
    place: str
    """`module:name` of a function or a `typer.Typer`, in `outreach_stream.cli`."""

    def load(self) -> Any:
        """The command itself."""
        module, _, name = self.place.partition(":")
        found = getattr(import_module(f"outreach_stream.cli.{module}"), name)
        return _group(found) if isinstance(found, typer.Typer) else _single(found)


def _single(function: Callable[..., None]) -> Any:
    app = typer.Typer(add_completion=False)
    app.command(help=_flowing(inspect.getdoc(function) or ""))(function)
    return get_command(app)


def _group(app: typer.Typer) -> Any:
    for command in app.registered_commands:
        command.help = _flowing(inspect.getdoc(command.callback) or "")
    return get_command(app)


def _flowing(text: str) -> str:
    """Each paragraph in one line: the terminal breaks lines where it ends, not where the source did."""
    return "\n\n".join(" ".join(paragraph.split()) for paragraph in text.split("\n\n"))


class LazyGroup(TyperGroup):
    """Lists its commands from the table and loads the one that is called."""

    table: dict[str, Lazy]

    @override
    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        name, command, rest = super().resolve_command(ctx, args)
        if name not in self.table:
            return name, command, rest
        if ctx.resilient_parsing:       # the shell asks what there is
            from outreach_stream.cli.completing import outline  # noqa: PLC0415 - only for it

            return name, outline(name), rest
        return name, self.table[name].load(), rest


def lazy_app(table: dict[str, Lazy], **settings: Any) -> typer.Typer:
    """An app of the commands in `table`, in its order."""
    group = type("Commands", (LazyGroup,), {"table": table})
    app = typer.Typer(cls=group, no_args_is_help=True, pretty_exceptions_enable=False, **settings)
    for name, entry in table.items():
        app.command(name, help=entry.summary, rich_help_panel=entry.panel)(_not_loaded)
    return app


def _not_loaded() -> None:
    raise AssertionError("the group loads the command before it is called")
