"""What filters, methods and operators cost: most as much as they are given, a few as much as they may make of it.

Each cost is a function of the steps, the value and the arguments; it returns characters, counted before anything is
done, so that no single step of a template takes more memory or time than the whole of it may.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from outreach_stream.rendering.steps import CHARACTERS, ITEM, Steps, TooCostly, extent

type Cost = Callable[[Steps, Any, Sequence[Any]], int]

_WIDEST = 999
_FIELD = re.compile(r"[%{]")
_TOO_WIDE = re.compile(r"%(?:\([^)]*\))?[-+ #0]*(?:\d*\.)?(?:\d{4}|\*)|\{[^{}]*:[^{}]*(?:\d{4}|\{)")
"""A field whose width or precision has four digits, or comes from elsewhere: `%9999d`, `%*d`, `{:{width}}`."""

_LOOKED_AT = (str, bytes, list, tuple, int)
"""A method of these may look at all they hold; one of a mapping looks a key up."""

_COPIED = 6
"""Text that is merely copied is 2⁶ times cheaper than text that is looked at."""


def linear(steps: Steps, value: Any, arguments: Sequence[Any]) -> int:
    """All of the value and of the arguments."""
    return steps.size(value) + sum(map(steps.size, arguments))


def constant(steps: Steps, value: Any, arguments: Sequence[Any]) -> int:  # noqa: ARG001
    """Nothing beside the step of the call."""
    return 0


def shallow(steps: Steps, value: Any, arguments: Sequence[Any]) -> int:  # noqa: ARG001
    """A list's items, without what they hold; numbers say how many more there may be."""
    return 2 * extent(value) + ITEM * sum(abs(number) for number in arguments if isinstance(number, int))


def compared(steps: Steps, value: Any, arguments: Sequence[Any]) -> int:
    """A list whose items are compared with one another, or looked up by several attributes."""
    return 4 * linear(steps, value, arguments)


def searched(steps: Steps, value: Any, arguments: Sequence[Any]) -> int:
    """Text that is taken apart by patterns."""
    return 16 * grown(steps, value, arguments)


def grown(steps: Steps, value: Any, arguments: Sequence[Any]) -> int:
    """Each character may become as many as the arguments have, or say by a number."""
    return (steps.size(value) + 1) * (1 + _amounts(steps, arguments))


def widened(steps: Steps, value: Any, arguments: Sequence[Any]) -> int:
    """The value, at most once as wide as a number says."""
    return steps.size(value) + _amounts(steps, arguments)


def joined(steps: Steps, value: Any, arguments: Sequence[Any]) -> int:
    """All of a list, and the arguments once between any two of its items."""
    return steps.size(value) + extent(value) * (1 + _amounts(steps, arguments)) // ITEM


def joining(steps: Steps, value: Any, arguments: Sequence[Any]) -> int:
    """`joined`, of `separator.join(list)`."""
    return sum(joined(steps, items, [value]) for items in arguments)


def formatted(steps: Steps, value: Any, arguments: Sequence[Any]) -> int:
    """Each field may show all arguments, at the widest."""
    text = str(value) if isinstance(value, str) else ""
    if _TOO_WIDE.search(text):
        raise TooCostly(f"formats something with a width beyond {_WIDEST}")
    fields = len(_FIELD.findall(text))
    return steps.size(value) + fields * (_WIDEST + sum(map(steps.size, arguments)))


def wrapped(steps: Steps, value: Any, arguments: Sequence[Any]) -> int:
    """The rest of a long word is copied for each line that is cut off it."""
    size = steps.size(value)
    widths = [number for number in arguments if isinstance(number, int) and number > 1] or [1 if arguments else 79]
    breaks = sum(len(text) for text in arguments if isinstance(text, str))
    lines = 1 + size // min(widths)
    return 4 * size + lines * breaks + (size * lines >> _COPIED)


def stripped(steps: Steps, value: Any, arguments: Sequence[Any]) -> int:  # noqa: ARG001
    """The rest is copied for each tag that is taken out."""
    size = steps.size(value)
    return size + (size * str(value).count("<") >> _COPIED if size < steps.left else size * size)


def added_up(steps: Steps, value: Any, arguments: Sequence[Any]) -> int:
    """Numbers only: lists would be copied for each one that is added."""
    if any(not isinstance(argument, str | int | float | None) for argument in arguments):
        raise TooCostly("sums something that is not a number")
    return shallow(steps, value, ())


FREE = frozenset({"abs", "count", "d", "default", "first", "last", "length", "random", "safe"})
"""Filters that only look at a value or hand it on."""

FILTERS: Mapping[str, Cost] = {
    **dict.fromkeys(("batch", "items", "list", "map", "reject", "rejectattr", "reverse", "select", "selectattr",
                     "slice"), shallow),
    **dict.fromkeys(("dictsort", "groupby", "max", "min", "sort", "unique"), compared),
    **dict.fromkeys(("indent", "replace", "round", "tojson"), grown),
    **dict.fromkeys(("title", "urlize", "wordcount"), searched),
    "attr": constant, "center": widened, "format": formatted, "join": joined, "striptags": stripped, "sum": added_up,
    "wordwrap": wrapped,
}
"""Filters that are not `linear`."""

METHODS: Mapping[str, Cost] = {
    **dict.fromkeys(("center", "ljust", "rjust", "to_bytes", "zfill"), widened),
    **dict.fromkeys(("expandtabs", "replace", "translate"), grown),
    **dict.fromkeys(("format", "format_map"), formatted),
    "join": joining, "striptags": stripped,
}
"""Methods that are not `linear`."""

TESTS = frozenset({"!=", "<", "<=", "==", ">", ">=", "divisibleby", "eq", "equalto", "ge", "greaterthan", "gt", "in",
                   "le", "lessthan", "lower", "lt", "ne", "upper"})
"""Tests that look at more than the kind of a value."""


def is_trifle(called: Any) -> bool:
    """Whether this is a method of a short text that makes nothing long of it: not worth counting."""
    owner = getattr(called, "__self__", None)
    return type(owner) is str and len(owner) < CHARACTERS and called.__name__ not in METHODS


def of_call(steps: Steps, called: Any, arguments: Sequence[Any]) -> int:
    """Characters that a call of anything but a macro handles."""
    method = getattr(called, "__wrapped__", called)  # `format` comes wrapped from the sandbox.
    owner = getattr(method, "__self__", None)
    if isinstance(owner, _LOOKED_AT):
        return METHODS.get(method.__name__, linear)(steps, owner, arguments)
    return sum(map(steps.size, arguments))


def _amounts(steps: Steps, arguments: Sequence[Any]) -> int:
    return sum(abs(given) if isinstance(given, int) else steps.size(given) for given in arguments)
