"""The shape of SES's `SendEmail`, as AWS describes it to its own clients."""

import base64
import binascii
import re
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

import botocore.session
from botocore.exceptions import ParamValidationError
from botocore.validate import validate_parameters


class Invalid(Exception):  # noqa: N818 - it says what the request is
    """The request is not as SES describes it."""


@cache
def _send_email() -> Any:
    return botocore.session.get_session().get_service_model("sesv2").operation_model("SendEmail").input_shape


def validate(request: object) -> None:
    """Raises `Invalid`. botocore looks at types, presence and names; lengths, patterns and words are looked at here."""
    try:
        validate_parameters(request, _send_email())
    except ParamValidationError as error:
        raise Invalid(str(error)) from None
    for where, problem in _problems(request, _send_email(), "request"):
        raise Invalid(f"1 validation error detected: Value at '{where}' failed to satisfy constraint: {problem}")


def _problems(value: Any, shape: Any, where: str) -> Iterator[tuple[str, str]]:
    if shape.type_name == "structure":
        for name, member in value.items():
            yield from _problems(member, shape.members[name], f"{where}.{name}")
        return
    if "max" in shape.metadata and len(value) > shape.metadata["max"]:
        yield where, f"Member must have length less than or equal to {shape.metadata['max']}"
    if shape.type_name == "list":
        for number, member in enumerate(value):
            yield from _problems(member, shape.member, f"{where}.{number}")
    elif shape.type_name == "blob":
        try:
            base64.b64decode(value, validate=True)
        except (binascii.Error, ValueError):
            yield where, "Member must be base64 encoded"
    elif shape.type_name == "string":
        yield from ((where, problem) for problem in _string_problems(value, shape.metadata))


def _string_problems(value: str, limits: Mapping[str, Any]) -> Iterator[str]:
    if (words := limits.get("enum")) and value not in words:
        yield f"Member must satisfy enum value set: {words}"
    if (pattern := limits.get("pattern")) and not re.fullmatch(pattern, value):
        yield f"Member must satisfy regular expression pattern: {pattern}"
