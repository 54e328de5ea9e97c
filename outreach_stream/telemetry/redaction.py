"""No address and no secret in a process log, whoever wrote the line: libraries quote what they were given."""

import re
from collections.abc import Mapping
from typing import Any

from outreach_stream.confidential import hide

_ADDRESS = re.compile(r"(?<![^\s<>\"'(),:;\[\]{}=@])[^\s<>\"'(),:;\[\]{}=@]+(?:@|%40)[^\s<>\"'(),:;\[\]{}=@]+")
"""Looked for at the beginning of words only: otherwise a long word costs its length squared."""

MASK = "<address>"


def redact(value: Any) -> Any:
    """The same value with every e-mail address and every secret of ours in it masked, at any depth."""
    if isinstance(value, str):
        value = hide(value)
        return _ADDRESS.sub(MASK, value) if "@" in value or "%40" in value else value
    if isinstance(value, Mapping):
        return {redact(key): redact(each) for key, each in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [redact(each) for each in value]
    return value if value is None or isinstance(value, bool | int | float) else redact(str(value))
