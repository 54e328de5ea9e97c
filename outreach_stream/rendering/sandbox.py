"""The Jinja2 environments in which templates run: strict, bounded, and with nothing to reach but their variables."""

from typing import Any
from urllib.parse import quote

from jinja2 import StrictUndefined, Undefined, nodes
from jinja2.exceptions import TemplateRuntimeError
from jinja2.sandbox import ImmutableSandboxedEnvironment

LOOP_BUDGET = 100_000
"""Steps that all `range` loops of one part may take together: nested ones included, so no template runs for ever."""

LONGEST_REPEAT = 100_000
"""Characters or items that a `*` may make."""

_GLOBALS = ("cycler", "dict", "joiner", "namespace")
_OTHER_FILES = (nodes.Extends, nodes.Include, nodes.Import, nodes.FromImport, nodes.Block)


class TooCostly(TemplateRuntimeError):  # noqa: N818 - named as it is said
    """A template would take more time or memory than a mail may."""


class EmptyValue(TemplateRuntimeError):  # noqa: N818 - named as it is said
    """A template prints a value that is NULL; nobody wants to read "Dear None"."""


class MailEnvironment(ImmutableSandboxedEnvironment):
    """Undefined variables and NULL are errors; powers, long repeats and long ranges are refused.

    Templates are written by the operator, recipients only fill in values: the bounds are there for mistakes.
    The loop budget is per environment and set back for each part, so an environment serves one thread.
    """

    intercepted_binops = frozenset({"*", "**"})

    def __init__(self, *, autoescape: bool = False, url: bool = False) -> None:
        super().__init__(
            undefined=StrictUndefined, autoescape=autoescape, finalize=_quoted if url else _present,
            keep_trailing_newline=True, cache_size=0, auto_reload=False,
        )
        self.budget = LOOP_BUDGET
        self.globals = {name: self.globals[name] for name in _GLOBALS} | {"range": self._range}

    def _range(self, *arguments: int) -> range:
        steps = range(*arguments)
        self.budget -= len(steps)
        if self.budget < 0:
            raise TooCostly(f"its range loops take more than {LOOP_BUDGET:,} steps")
        return steps

    def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
        """`*` within bounds, `**` never: one line of it can take all memory."""
        if operator == "**":
            raise TooCostly("** is not allowed")
        for sequence, times in ((left, right), (right, left)):
            if isinstance(sequence, str | list | tuple) and isinstance(times, int):
                if len(sequence) * times > LONGEST_REPEAT:
                    raise TooCostly(f"* makes more than {LONGEST_REPEAT:,} characters")
                break
        return super().call_binop(context, operator, left, right)


def foreign_parts(tree: nodes.Template) -> list[str]:
    """Statements that would need another file: a mail's part stands alone."""
    found = (node for kind in _OTHER_FILES for node in tree.find_all(kind))
    return [f"line {node.lineno}: {type(node).__name__.lower()} is not available here" for node in found]


def _present(value: Any) -> Any:
    if value is None:
        raise EmptyValue("prints a value that is empty (NULL): write {{ variable or 'something else' }}")
    return value


def _quoted(value: Any) -> Any:
    """What a URL template prints is percent-encoded, so that no value can change the address around it."""
    if isinstance(value, Undefined):
        return str(value)  # Raises, naming the variable.
    return quote(str(_present(value)), safe="")
