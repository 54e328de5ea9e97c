"""The Jinja2 environments in which templates run: strict, bounded, and with nothing to reach but their variables."""

import re
from collections.abc import Callable, Iterable
from types import BuiltinMethodType
from typing import Any
from urllib.parse import quote

from jinja2 import StrictUndefined, Undefined, nodes, pass_context
from jinja2.exceptions import TemplateRuntimeError
from jinja2.runtime import Context, LoopContext, Macro
from jinja2.sandbox import ImmutableSandboxedEnvironment
from markupsafe import Markup

from outreach_stream.rendering import costs, metering
from outreach_stream.rendering.access import HARMLESS, OF_MAPPINGS
from outreach_stream.rendering.printing import Printer, escaping, printing
from outreach_stream.rendering.steps import CHARACTERS, Steps, TooCostly, extent

LONGEST_REPEAT = 100_000
"""Characters or items that a `*` may make."""

LARGEST_NUMBER = 1_024
"""Bits of a whole number that is computed with."""

_CALL = 2
_SEQUENCES = (str, bytes, list, tuple)
_NUMBERS = frozenset({int, float})
_GLOBALS = ("cycler", "dict", "joiner", "namespace")
_UNCHANGED = re.compile("[A-Za-z0-9_.~-]*")
"""What percent-encoding leaves as it is (RFC 3986 section 2.3)."""

_OTHER_FILES = (nodes.Extends, nodes.Include, nodes.Import, nodes.FromImport, nodes.Block)


class EmptyValue(TemplateRuntimeError):  # noqa: N818 - named as it is said
    """A template prints a value that is NULL; nobody wants to read "Dear None"."""


class _Encoded(str):
    """Text of which `urlencode` has made what may stand in a URL."""

    __slots__ = ()


class MailEnvironment(ImmutableSandboxedEnvironment):
    """Undefined variables and NULL are errors; whatever a template does takes steps of a budget.

    Templates are written by the operator, recipients only fill in values: the bounds are there for mistakes, but they
    hold against malice too. The budget is the environment's and is set back for each part, so one serves one thread.
    """

    code_generator_class = Printer
    intercepted_binops = frozenset({"+", "-", "*", "/", "//", "%", "**"})

    def __init__(self, *, autoescape: bool = False, url: bool = False) -> None:
        self.steps = Steps()
        finalize = self._quoted if url else self._present
        super().__init__(
            undefined=StrictUndefined, autoescape=autoescape, finalize=finalize,
            keep_trailing_newline=True, cache_size=0, auto_reload=False,
        )
        # What compiled templates print with: see `Printer`.
        self.printed = printing(finalize, below=0 if url else CHARACTERS)
        self.escaped = escaping(finalize, below=0 if url else CHARACTERS)
        self.filters, self.tests = metering.filters(self.steps), metering.tests(self.steps)
        if url:
            self.filters["urlencode"] = self._encoding(self.filters["urlencode"])
        self.globals = {name: self.globals[name] for name in _GLOBALS} | {"range": self._range}

    def concat(self, pieces: Iterable[str]) -> str:
        """What a macro or block has printed, as one text; paid for before it is made."""
        pieces = list(pieces)
        self.steps.handle(sum(map(len, pieces)))
        return "".join(pieces)

    def call(self, context: Context, called: Any, /, *args: Any, **kwargs: Any) -> Any:
        """A call, paid for by what it is given and by what it makes; a macro pays for its body itself."""
        steps = self.steps
        steps.spend(_CALL + len(args))
        trifle = costs.is_trifle(called)
        if trifle and type(called) is BuiltinMethodType:
            # The sandbox has nothing against a method of a text, and what the compiler adds is not for it.
            kwargs.pop("_loop_vars", None)
            kwargs.pop("_block_vars", None)
            return called(*args, **kwargs)
        if trifle or isinstance(called, Macro):
            return super().call(context, called, *args, **kwargs)
        if isinstance(called, LoopContext):
            return super().call(context, called, *map(steps.each, args), **kwargs)
        steps.handle(costs.of_call(steps, called, [*args, *kwargs.values()]))
        return metering.result_of(steps, super().call(context, called, *args, **kwargs))

    def getattr(self, obj: Any, attribute: str) -> Any:
        """An attribute, or else an item; what needs no look of the sandbox is had at once."""
        kind = type(obj)
        if (kind, attribute) in HARMLESS:
            return getattr(obj, attribute)
        if kind is dict and attribute in obj and attribute not in OF_MAPPINGS:
            return obj[attribute]
        return super().getattr(obj, attribute)

    def getitem(self, obj: Any, argument: Any) -> Any:
        """An item; a tuple is paid for, since all that it holds is looked at."""
        if isinstance(argument, tuple):
            self.steps.weigh(argument)
        return super().getitem(obj, argument)

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        """`left operator right` within bounds, `**` never: one line of it can take all memory."""
        if operator == "**":
            raise TooCostly("** is not allowed")
        for number in (left, right):
            if isinstance(number, int) and number.bit_length() > LARGEST_NUMBER:
                raise TooCostly(f"computes with a number of more than {LARGEST_NUMBER:,} bits")
        if not (type(left) in _NUMBERS and type(right) in _NUMBERS):
            self.steps.handle(_made(self.steps, operator, left, right))
        return super().call_binop(context, operator, left, right)

    def _range(self, *arguments: int) -> range:
        numbers = range(*arguments)
        if len(numbers) > self.steps.left:
            self.steps.spend(len(numbers))
        return numbers

    def _present(self, value: Any) -> Any:
        kind = type(value)
        if kind is str or kind is Markup:
            if len(value) >= CHARACTERS:
                self.steps.handle(len(value))
        elif value is None:
            raise EmptyValue("prints a value that is empty (NULL): write {{ variable or 'something else' }}")
        elif kind is not float and not (kind is int and value.bit_length() <= LARGEST_NUMBER):
            self.steps.weigh(value)
        return value

    def _quoted(self, value: Any) -> Any:
        """What a URL template prints is percent-encoded, so that no value can change the address around it."""
        if type(value) is str and len(value) < CHARACTERS and _UNCHANGED.fullmatch(value):
            return value
        if isinstance(value, Undefined):
            return str(value)  # Raises, naming the variable.
        if isinstance(value, _Encoded):
            return self._present(str(value))
        return quote(str(self._present(value)), safe="")

    def _encoding(self, urlencode: Callable[..., Any]) -> Callable[..., Any]:
        """The filter for URL templates: what it makes is not encoded a second time."""
        @pass_context
        def encoded(context: Context, value: Any) -> str:
            if isinstance(value, _Encoded):
                return value
            if value is None:
                self._present(value)  # Raises, saying what to write.
            return _Encoded(urlencode(context, value).replace("/", "%2F"))

        return encoded


def _made(steps: Steps, operator: str, left: Any, right: Any) -> int:
    """Characters that an operator handles on anything but two numbers."""
    if operator == "%":
        return costs.formatted(steps, left, [right])
    if operator != "*":
        return extent(left) + extent(right)
    sequence, times = (right, left) if isinstance(left, int) else (left, right)
    if isinstance(sequence, _SEQUENCES) and isinstance(times, int):
        if len(sequence) * times > LONGEST_REPEAT:
            raise TooCostly(f"* makes more than {LONGEST_REPEAT:,} characters")
        return extent(sequence) * times
    return 0


def foreign_parts(tree: nodes.Template) -> list[str]:
    """Statements that would need another file: a mail's part stands alone."""
    found = (node for kind in _OTHER_FILES for node in tree.find_all(kind))
    return [f"line {node.lineno}: {type(node).__name__.lower()} is not available here" for node in found]
