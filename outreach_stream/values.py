"""The small values that catalog files are made of: ids, durations, addresses and references to secrets."""

import os
import re
import time
from pathlib import Path
from typing import Annotated, Any

from email_validator import EmailNotValidError, validate_email
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    PlainSerializer,
)
from pydantic_core import CoreSchema, core_schema

from outreach_stream.confidential import keep

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3_600.0, "d": 86_400.0}
_DURATION = re.compile(r"(?:\d+(?:\.\d+)?(?:ms|s|m|h|d))+")
_DURATION_WRITTEN = Annotated[str, Field(pattern=r"^(\d+(\.\d+)?(ms|s|m|h|d))+$")]
_DURATION_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)")
_IDENTIFIER = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$")
_CONTROL = re.compile(r"[\x00-\x1f\x7f\x85\u2028\u2029]")
_WRITING = 0.1
"""Seconds after which a secret file that was empty is read once more: an editor empties a file and then fills it."""
_ENVIRONMENT_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")

ENVIRONMENT_REFERENCE = re.compile(r"env:[A-Za-z_][A-Za-z0-9_]*")
"""Where a value stands that differs from machine to machine."""


class Strict(BaseModel):
    """Frozen, refuses unknown fields, and never repeats a refused value (it may be a secret)."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True, populate_by_name=True,
                              validate_default=True)


def parse_duration(text: object) -> float:
    """Seconds of `"24h"`, `"1h30m"`, `"5s"` or `"250ms"`; a bare number is refused: its unit is a guess."""
    if isinstance(text, str) and _DURATION.fullmatch(text.strip()):
        return sum(float(number) * _UNITS[unit] for number, unit in _DURATION_PART.findall(text))
    raise ValueError('must be a duration with a unit: write for example "30s", "5m", "24h" or "1h30m"')


def written_duration(seconds: float) -> str:
    """`1h30m` of 5400 seconds, for people: what `parse_duration` reads, to the millisecond."""
    parts, left = [], round(seconds * 1_000)
    for unit in reversed(_UNITS):
        count, left = divmod(left, round(_UNITS[unit] * 1_000))
        parts += [f"{count}{unit}"] if count else []
    return "".join(parts) or "0s"


def canonical_id(value: object) -> object:
    """`1` and `"1"` are the same id; what is no id is left for pydantic to refuse."""
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


def check_address(value: str) -> str:
    """An e-mail address fit for a header, with an ASCII domain; DNS is not asked."""
    try:
        found = validate_email(value, check_deliverability=False, test_environment=True)
    except EmailNotValidError as error:
        raise ValueError(f"must be an e-mail address: {error}") from error
    if found.ascii_email is None:
        raise ValueError("must be ASCII before the @: other addresses need SMTPUTF8, which few servers offer")
    return found.ascii_email


def check_line(value: str) -> str:
    """Text of one line: a line break in a header would start another header."""
    if _CONTROL.search(value):
        raise ValueError("must be one line without control characters")
    return value


Duration = Annotated[
    float,
    BeforeValidator(parse_duration, json_schema_input_type=_DURATION_WRITTEN),
    PlainSerializer(lambda seconds: f"{seconds:.12g}s", when_used="json"),
]
"""Seconds as a float; written with a unit in files and in JSON."""

Identifier = Annotated[
    str,
    BeforeValidator(canonical_id, json_schema_input_type=int | Annotated[str, _IDENTIFIER]),
    _IDENTIFIER,
]
"""Id of a workflow, template or engine. Canonical: `1` is `"1"`."""

Address = Annotated[str, AfterValidator(check_address)]
Line = Annotated[str, AfterValidator(check_line)]


class UnresolvedReference(Exception):  # noqa: N818 - named as it is said
    """An `env:` or `file:` reference points at nothing that can be read."""


def read_environment(name: str) -> str:
    """The value of environment variable `name`; raises `UnresolvedReference` when it is unset or empty."""
    value = os.environ.get(name, "")
    if not value:
        raise UnresolvedReference(f"environment variable {name} is not set: export it and start again")
    return value


def _secret_in(file: str) -> str:
    try:
        return Path(file).read_text(encoding="utf-8").rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        raise UnresolvedReference(f"secret file {file} cannot be read: {type(error).__name__}") from error


class SecretRef:
    """Where a secret is kept (`env:NAME` or `file:PATH`), never the secret: safe to print and to freeze.

    The secret is read anew at each `resolve()`, so a rotated one is picked up by the next connection. What was read is
    hidden from then on in whatever this process says (see `confidential`).
    """

    __slots__ = ("reference",)

    def __init__(self, reference: str) -> None:
        kind, _, target = reference.partition(":")
        good = bool(_ENVIRONMENT_NAME.fullmatch(target)) if kind == "env" else kind == "file" and bool(target)
        if not good:
            # The refused text may be the secret itself, so the message does not repeat it.
            raise ValueError('must not be a plain secret: write "env:NAME" for an environment variable '
                             'or "file:/path" for a file')
        self.reference = reference

    def resolve(self) -> str:
        """The secret; raises `UnresolvedReference`, naming the reference. Blocks while it reads a file."""
        kind, _, target = self.reference.partition(":")
        if kind == "env":
            return keep(read_environment(target))
        secret = _secret_in(target)
        if not secret:  # it may be in the middle of being written anew
            time.sleep(_WRITING)
            secret = _secret_in(target)
        if not secret:
            raise UnresolvedReference(f"secret file {target} is empty")
        return keep(secret)

    def __repr__(self) -> str:
        return f"SecretRef({self.reference!r})"

    def __str__(self) -> str:
        return self.reference

    def __eq__(self, other: object) -> bool:
        return isinstance(other, SecretRef) and other.reference == self.reference

    def __hash__(self) -> int:
        return hash(self.reference)

    @classmethod
    def _validate(cls, value: object) -> "SecretRef":
        if isinstance(value, SecretRef):
            return value
        return cls(value if isinstance(value, str) else "")

    @classmethod
    def __get_pydantic_core_schema__(cls, _source: Any, _handler: GetCoreSchemaHandler) -> CoreSchema:
        """Validate from text, serialise as the reference."""
        return core_schema.no_info_plain_validator_function(
            cls._validate, serialization=core_schema.to_string_ser_schema(),
        )
