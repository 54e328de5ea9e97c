"""Saying what is wrong with an event that cannot be read."""

from pydantic import ValidationError


def problem(event: str, error: ValidationError) -> str:
    """The first thing wrong, fit for a dead letter: field and rule, but never a value, which may be an address."""
    first = error.errors(include_input=False, include_url=False, include_context=False)[0]
    field, said = ".".join(map(str, first["loc"])), first["msg"]
    if field.endswith("schema_version"):
        return f"not a {event}: its schema_version is unknown here: 1 is read"
    if first["type"] == "union_tag_invalid":        # the message repeats the value
        return f"not a {event}: its kind is unknown here"
    return f"not a {event}: {field + ': ' if field else ''}{said}"
