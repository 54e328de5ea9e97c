"""Which kinds of engine there are: those below, and those that installed packages bring as entry points."""

from collections.abc import AsyncIterator, Mapping, Sequence
from functools import cache
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails, InitErrorDetails, PydanticCustomError

from outreach_stream.domain.outcomes import masked
from outreach_stream.domain.ports import Engine, Finding
from outreach_stream.engines.config import EngineConfig, EngineKind

BUILT_IN = {
    "smtp": "outreach_stream.engines.smtp",
    "sendgrid": "outreach_stream.engines.sendgrid",
    "ses": "outreach_stream.engines.ses",
    "mailgun": "outreach_stream.engines.mailgun",
    "memory": "outreach_stream.engines.memory",
}
"""Kind, and the module whose `KIND` it is: imported when a catalog first names it."""

GROUP = "outreach_stream.engines"
"""Entry points of this group are further kinds: the name is the kind, the object an `EngineKind`. A name that is
built in stays what it is."""


def engine_from(data: Mapping[str, Any]) -> EngineConfig:
    """The engine that `data` describes; raises pydantic's `ValidationError` with all that is wrong with it."""
    try:
        model = kind(data).config
    except ValidationError as error:
        raise _both(error, data) from error
    try:
        config: EngineConfig = model.model_validate(data)
    except ValidationError:
        raise
    except Exception as error:  # a foreign kind's validators may raise anything
        raise _wrong(f"has a fault of its own: {_words(error)}. Tell whoever wrote it") from error
    return config


def build(config: EngineConfig) -> Engine:
    """The engine that `config` describes; touches neither network nor files."""
    return _kind(config.kind).build(config)


def check(config: EngineConfig, senders: Sequence[str]) -> AsyncIterator[Finding]:
    """The engine's preflight; see `EngineKind.check`."""
    return _kind(config.kind).check(config, senders)


def kind(data: Mapping[str, Any]) -> EngineKind[Any]:
    """The kind that a catalog's file names; raises `ValidationError` if it names none, or none that is here."""
    name = data.get("kind")
    if isinstance(name, str) and name in kinds():
        try:
            return _kind(name)
        except Exception as error:  # whatever a foreign package does while it is imported is a file's mistake
            raise _wrong(f"cannot be loaded here: {_words(error)}") from error
    if name is None:
        raise _wrong(f"is missing: write one of {', '.join(kinds())}")
    raise _wrong(f"there is no such kind of engine here: write one of {', '.join(kinds())}, or install the package "
                 "that brings it")


def kinds() -> list[str]:
    """All kinds, in the order of their names."""
    return sorted({*BUILT_IN, *_entry_points()})


@cache
def _kind(name: str) -> EngineKind[Any]:
    found = import_module(BUILT_IN[name]).KIND if name in BUILT_IN else _entry_points()[name].load()
    if not isinstance(found, EngineKind):
        raise TypeError(f"what its entry point names is {type(found).__name__}, not EngineKind")
    return found


@cache
def _entry_points() -> Mapping[str, EntryPoint]:
    return {point.name: point for point in entry_points(group=GROUP)}


def _words(error: Exception) -> str:
    return masked(f"{type(error).__name__}: {error}")


def _wrong(message: str) -> ValidationError:
    return _problems([InitErrorDetails(type=PydanticCustomError("engine_kind", message), loc=("kind",), input=None)])


def _both(error: ValidationError, data: Mapping[str, Any]) -> ValidationError:
    """`error`, and what else can be said without knowing the kind: of the fields that all kinds have."""
    try:
        EngineConfig.model_validate({**data, "kind": ""}, extra="ignore")
    except ValidationError as common:
        return _problems([*map(_detail, error.errors()), *map(_detail, common.errors())])
    return error


def _detail(said: ErrorDetails) -> InitErrorDetails:
    return InitErrorDetails(type=PydanticCustomError("engine_field", said["msg"]), loc=said["loc"], input=None)


def _problems(found: list[InitErrorDetails]) -> ValidationError:
    return ValidationError.from_exception_data("engine", found, hide_input=True)
