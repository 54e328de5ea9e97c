"""How compiled templates print: what is presented, made text and escaped by three calls takes one here."""

import re
from collections.abc import Callable
from typing import Any

from jinja2 import nodes
from jinja2.compiler import CodeGenerator, Frame
from markupsafe import escape

type Finalize = Callable[[Any], Any]
"""Pays for a value, refuses what cannot be printed, and changes what has to be changed for where it is printed."""

_MARKED = re.compile("[&<>\"']")
"""What Markup escapes."""

_SMALL = 1 << 64


class Printer(CodeGenerator):
    """Writes `environment.printed(…)` and `environment.escaped(…)` where Jinja writes `str(environment.finalize(…))`.

    It overrides what Jinja's own NativeCodeGenerator overrides. Where only the rendering tells whether to escape
    (`{% autoescape variable %}`), all is as Jinja has it.
    """

    def _output_child_pre(self, node: nodes.Expr, frame: Frame, finalize: CodeGenerator._FinalizeInfo) -> None:
        if frame.eval_ctx.volatile:
            super()._output_child_pre(node, frame, finalize)
        else:
            self.write("environment.escaped(" if frame.eval_ctx.autoescape else "environment.printed(")

    def _output_child_post(self, node: nodes.Expr, frame: Frame, finalize: CodeGenerator._FinalizeInfo) -> None:
        if frame.eval_ctx.volatile:
            super()._output_child_post(node, frame, finalize)
        else:
            self.write(")")


def printing(finalize: Finalize, *, below: int) -> Callable[[Any], str]:
    """What makes plain text of a value; text of fewer than `below` characters is free and stays as it is."""
    def printed(value: Any) -> str:
        kind = type(value)
        if kind is str and len(value) < below:
            return value  # type: ignore[no-any-return]  # its type was just looked at
        if kind is int and -_SMALL < value < _SMALL:
            return str(value)
        return str(finalize(value))

    return printed


def escaping(finalize: Finalize, *, below: int) -> Callable[[Any], str]:
    """What makes HTML of a value, as `printing` makes text."""
    def escaped(value: Any) -> str:
        kind = type(value)
        if kind is str and len(value) < below:
            return value if _MARKED.search(value) is None else escape(value)
        if kind is int and -_SMALL < value < _SMALL:
            return str(value)
        return escape(finalize(value))

    return escaped
