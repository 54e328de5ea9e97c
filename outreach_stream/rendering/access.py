"""Attributes that every template may read, found out once: the sandbox would look at each of them anew, in every mail.

Only of types whose objects have no attributes but their type's, so that a name says all that the sandbox would find.
"""

from collections.abc import Iterator

from jinja2 import StrictUndefined
from jinja2.runtime import LoopContext
from jinja2.sandbox import ImmutableSandboxedEnvironment
from markupsafe import Markup

_SAMPLES: tuple[object, ...] = ("", Markup(), 0, 0.0, False, (), [], {}, LoopContext((), StrictUndefined))
_WRAPPED = frozenset({"format", "format_map"})
"""The sandbox hands out methods of its own in their place."""

_ANYTHING = frozenset({"nextitem", "previtem"})
"""What a loop gives there may be anything, and so is looked at."""


def _harmless() -> Iterator[tuple[type, str]]:
    sandbox = ImmutableSandboxedEnvironment()
    for sample in _SAMPLES:
        for name in dir(sample):
            if name not in _WRAPPED | _ANYTHING and sandbox.is_safe_attribute(sample, name, None):
                yield type(sample), name


HARMLESS = frozenset(_harmless())
"""(exact type, name of an attribute): read without asking."""

OF_MAPPINGS = frozenset(dir(dict))
"""Names that mean an attribute of a dict, and not what it holds under that key."""
