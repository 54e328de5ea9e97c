"""One source of a template: compiled once, rendered for each recipient, its errors told without anybody's data."""

from collections.abc import Iterable, Iterator
from itertools import islice
from types import TracebackType
from typing import Any

from jinja2 import meta, nodes
from jinja2.exceptions import TemplateSyntaxError, UndefinedError
from jinja2.runtime import Context

from outreach_stream.rendering.failures import RenderError
from outreach_stream.rendering.metering import metered
from outreach_stream.rendering.printing import AT_ONCE
from outreach_stream.rendering.sandbox import EmptyValue, MailEnvironment, foreign_parts
from outreach_stream.rendering.steps import STEPS, TooCostly

LARGEST_PART = 1_048_576
"""Characters that one rendered part may have: more is a mistake, and mail programs clip at a tenth of it."""

MOST_TOKENS = 10_000
"""Words and signs that a part may have between its braces: compiling is the one thing that no step counts."""

_SHORT = 10_000 // AT_ONCE
"""Pieces up to which a part is joined at once, of so many values each; beyond, they are counted one by one."""

_REPEATED = (nodes.For, nodes.Macro, nodes.CallBlock)
"""Without these a part has fewer pieces than words and signs, which are bounded."""

_TOO_LARGE = f"is larger than {LARGEST_PART:,} characters"


class _TooLarge(Exception):  # noqa: N818 - never leaves this module
    """The part passed its limit while it was being made."""


class _Values(Context):
    """A context made once for a part, and given each recipient's values: there are no blocks, and nothing is kept."""

    def __init__(self, outside: nodes.EvalContext) -> None:
        self.parent: dict[str, Any] = {}
        self.vars, self.exported_vars, self.blocks, self.globals_keys = {}, set(), {}, set()
        self.environment, self.eval_ctx, self.name = outside.environment, outside, None

    def clear(self) -> None:
        """Forget what the part has set for one recipient; failing within {% autoescape %} it has not set that back."""
        self.vars, self.exported_vars = {}, set()
        self.eval_ctx.autoescape, self.eval_ctx.volatile = bool(self.environment.autoescape), False


class Part:
    """A compiled subject, text, html or list_unsubscribe. Serves one thread.

    Raises jinja2's `TemplateSyntaxError` when the source cannot be compiled.
    """

    def __init__(self, template: str, name: str, source: str, environment: MailEnvironment) -> None:
        self.template = template
        self.name = name
        self.source = source
        environment.steps.left = STEPS
        _check_length(environment, source)
        tree = environment.parse(source)
        self.problems = foreign_parts(tree)
        self.variables = frozenset(meta.find_undeclared_variables(tree))
        """Variables it reads that it does not set itself."""
        self.environment = environment
        self._compiled = environment.from_string(metered(tree))
        self._repeats = next(tree.find_all(_REPEATED), None) is not None
        self._context = _Values(nodes.EvalContext(environment))

    def render_all(self, given: Iterable[dict[str, Any]]) -> list[str]:
        """The texts made of the values of each; raises `RenderError` for the first of whom none can be made.

        Each has the whole budget, and nothing that is set for one is there for the next.
        """
        steps, root, context = self.environment.steps, self._compiled.root_render_func, self._context
        made = []
        for values in given:
            steps.left, context.parent = STEPS, values
            try:
                # What Template.render does, without copying all values once more for each part.
                pieces = root(context)
                text = _bounded(pieces) if self._repeats else "".join(pieces)
            except Exception as error:  # noqa: BLE001 - whatever a template does wrong concerns one recipient only
                context.clear()
                message = f"line {self._line(error.__traceback__)}: {self._explain(error)}"
                raise RenderError(self.name, message, template=self.template) from None
            if context.vars:
                context.clear()
            if len(text) > LARGEST_PART:
                raise RenderError(self.name, _TOO_LARGE, template=self.template)
            made.append(text)
        return made

    def _line(self, traceback: TracebackType | None) -> int:
        """Line of the source at which it failed."""
        line = 1
        while traceback is not None:
            if traceback.tb_frame.f_globals.get("environment") is self.environment:
                line = self._compiled.get_corresponding_lineno(traceback.tb_lineno)
            traceback = traceback.tb_next
        return line

    def _explain(self, error: Exception) -> str:
        """The error in words that hold only the template's own text, never a recipient's."""
        if isinstance(error, TooCostly | EmptyValue):
            return str(error)
        if isinstance(error, _TooLarge):
            return _TOO_LARGE
        if isinstance(error, UndefinedError):
            name = str(error).rpartition("attribute ")[2].partition(" is undefined")[0].strip("'")
            known = name.isidentifier() and name in self.source
            return f"reads {name!r}, which is not defined" if known else "reads something that is not defined"
        return f"fails with {type(error).__name__}"


def _check_length(environment: MailEnvironment, source: str) -> None:
    for count, (line, *_) in enumerate(environment.lex(source)):
        if count == MOST_TOKENS:
            raise TemplateSyntaxError(f"it has more than {MOST_TOKENS:,} words and signs between braces", line)


def _bounded(rest: Iterator[str]) -> str:
    """All pieces joined; raises `_TooLarge` as soon as they pass the limit. An empty piece counts as one character."""
    pieces = list(islice(rest, _SHORT))
    if len(pieces) < _SHORT:
        return "".join(pieces)
    size = sum(len(piece) or 1 for piece in pieces)
    for piece in rest:
        size += len(piece) or 1
        if size > LARGEST_PART:
            raise _TooLarge
        pieces.append(piece)
    return "".join(pieces)
