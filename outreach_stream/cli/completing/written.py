"""The table that completion goes by, made from the commands themselves."""

import inspect
import json
from collections.abc import Iterator
from enum import Enum
from typing import Any, Literal, get_args, get_origin, get_type_hints

from outreach_stream.cli import COMMANDS


def written() -> str:
    """The contents of `commands.json` as they should be."""
    known = {name: _command(entry.load()) | {"help": entry.summary} for name, entry in COMMANDS.items()}
    return json.dumps(known, indent=1, ensure_ascii=False) + "\n"


def _command(command: Any) -> dict[str, Any]:
    told = {"help": (command.help or "").partition("\n")[0]}
    if commands := getattr(command, "commands", None):
        return told | {"commands": {name: _command(each) for name, each in commands.items()}}
    hints = get_type_hints(inspect.unwrap(command.callback))
    parameters = [each for each in command.params if each.name in hints]
    return told | {"arguments": [_parameter(each, hints[each.name]) for each in parameters if not _is_option(each)],
                   "options": [_parameter(each, hints[each.name]) | {"names": [*each.opts, *each.secondary_opts]}
                               for each in parameters if _is_option(each)]}


def _is_option(parameter: Any) -> bool:
    return any(name.startswith("-") for name in parameter.opts)


def _parameter(parameter: Any, hint: Any) -> dict[str, Any]:
    kinds = set(_kinds(hint))
    takes = "flag" if bool in kinds else "many" if list in kinds else "value"
    told = {"name": parameter.name, "takes": takes, "help": parameter.help or ""}
    choices = [str(value) for kind in _kinds(hint) for value in _choices(kind)]
    return told | ({"choices": choices} if choices else {})


def _kinds(hint: Any) -> Iterator[Any]:
    """The hint, and all that it is made of."""
    yield get_origin(hint) or hint
    if get_origin(hint) is Literal:
        yield hint
    for each in get_args(hint) if get_origin(hint) is not Literal else ():
        yield from _kinds(each)


def _choices(kind: Any) -> Iterator[Any]:
    if get_origin(kind) is Literal:
        yield from get_args(kind)
    elif isinstance(kind, type) and issubclass(kind, Enum):
        yield from (each.value for each in kind)
