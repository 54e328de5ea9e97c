"""The budget of one rendered part, counted in steps: the same on every machine, unlike seconds."""

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any

from jinja2.exceptions import TemplateRuntimeError
from jinja2.utils import Namespace

STEPS = 100_000
"""Steps one part may take. A step is a turn of a loop, a call, a filter, or 64 characters that are handled."""

CHARACTERS = 64
"""Characters that may be handled for one step."""

ITEM = 32
"""Characters that an item of a list, or one more value within another, counts for."""

_TEXTS = (str, bytes)
_EMPTY: dict[str, None] = {}
_HOLDERS = (list, tuple, dict, set, frozenset, range, Namespace,
            type(_EMPTY.keys()), type(_EMPTY.values()), type(_EMPTY.items()))


class TooCostly(TemplateRuntimeError):  # noqa: N818 - named as it is said
    """A template would take more time or memory than a mail may."""


class Steps:
    """What is left of a part's budget; every method raises `TooCostly` when it is used up."""

    __slots__ = ("left",)

    def __init__(self) -> None:
        self.left = STEPS

    def spend(self, steps: int) -> None:
        """Take so many steps."""
        self.left -= steps
        if self.left < 0:
            raise TooCostly(f"takes more than {STEPS:,} steps")

    def handle(self, characters: int) -> None:
        """Take the steps that so many characters are."""
        self.spend(characters // CHARACTERS)

    def weigh(self, value: Any) -> None:
        """Take the steps of handling all of `value`, whatever it holds."""
        self.handle(self.size(value))

    def each[T](self, items: Iterable[T], turn: int = 0) -> Iterator[T]:
        """`items`, a step each, and `turn` more."""
        turn += 1
        for item in items:
            self.left -= turn
            if self.left < 0:
                self.spend(0)
            yield item

    def size(self, value: Any) -> int:
        """Characters that `value` counts for, as often as they occur in it.

        Lists may hold one another many times over: what is beyond the budget is not looked at.
        """
        if isinstance(value, _TEXTS):
            return len(value)
        most = (max(self.left, 0) + 1) * CHARACTERS
        total, todo = 0, [value]
        while todo and total <= most:
            item = todo.pop()
            if isinstance(item, _TEXTS):
                total += len(item)
            elif isinstance(item, int):
                total += item.bit_length()
            elif isinstance(item, _HOLDERS):
                todo += islice(_held(item), most // ITEM + 1)
            total += ITEM
        return total


def extent(value: Any) -> int:
    """Characters that `value` counts for by itself, without what its items hold."""
    if isinstance(value, _TEXTS):
        return len(value)
    return ITEM * len(value) if hasattr(value, "__len__") else ITEM


def _held(value: Any) -> Iterator[Any]:
    if isinstance(value, Namespace):
        value = vars(value)
    if not isinstance(value, dict):
        yield from value
        return
    for pair in value.items():
        yield from pair
