"""How compiled templates print: what is presented, made text and escaped by three calls takes one here."""

from collections.abc import Callable
from typing import Any

from jinja2 import nodes
from jinja2.compiler import CodeGenerator, Frame
from jinja2.idtracking import VAR_LOAD_PARAMETER, VAR_LOAD_RESOLVE
from markupsafe import _escape_inner, escape  # type: ignore[attr-defined]  # its text, without making it Markup

from outreach_stream.rendering.access import HARMLESS

type Finalize = Callable[[Any], Any]
"""Pays for a value, refuses what cannot be printed, and changes what has to be changed for where it is printed."""

_SMALL = 1_000_000_000
"""Below it a number is one digit to the interpreter, and soon compared."""

AT_ONCE = 64
"""Texts and values that one piece is made of at most: they lie on the interpreter's stack meanwhile."""


class Printer(CodeGenerator):
    """Writes `environment.printed(…)` and `environment.escaped(…)` where Jinja writes `str(environment.finalize(…))`.

    It overrides what Jinja's own NativeCodeGenerator overrides. Where only the rendering tells whether to escape
    (`{% autoescape variable %}`), all is as Jinja has it. What is printed in a row outside of macros becomes one piece,
    each value on a line of its own, by which an error finds its place; variables come straight from the values given.
    """

    def visit_Output(self, node: nodes.Output, frame: Frame) -> None:  # noqa: N802 - as Jinja names it
        """One `yield` for texts and values in a row."""
        if frame.buffer is not None or frame.require_output_check or frame.eval_ctx.volatile:
            super().visit_Output(node, frame)
            return
        for start in range(0, len(node.nodes), AT_ONCE):
            self._yield(node.nodes[start:start + AT_ONCE], frame)

    def _yield(self, printed: list[nodes.Expr], frame: Frame) -> None:
        finalize = self._make_finalize()
        self.writeline("yield (")
        self.indent()
        for child in printed:
            try:
                # What fails here fails again when it is rendered, and is told then.
                constant = self._output_child_to_const(child, frame, finalize)
            except Exception:  # noqa: BLE001 - as Jinja does, which computes constants beforehand where it can
                self.writeline('f"{', child)
                self._output_child_pre(child, frame, finalize)
                self.visit(child, frame)
                self._output_child_post(child, frame, finalize)
                self.write('}"')
            else:
                self.writeline(self._output_const_repr([constant]))
        self.outdent()
        self.writeline(")")

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

    def visit_Getattr(self, node: nodes.Getattr, frame: Frame) -> None:  # noqa: N802
        """What any text may be asked for is had of a text at once; everything else is asked of the sandbox."""
        if (str, node.attr) not in HARMLESS:
            super().visit_Getattr(node, frame)
            return
        self.write("(of." + node.attr + " if type(of := ")
        self.visit(node.node, frame)
        self.write(f") is str else environment.getattr(of, {node.attr!r}))")

    def enter_frame(self, frame: Frame) -> None:
        """At the outermost one the context has nothing of its own yet, where its `resolve` would look first."""
        if not (frame.toplevel and frame.rootlevel):
            super().enter_frame(frame)
            return
        self.writeline("given = context.parent.get")
        for target, (action, name) in frame.symbols.loads.items():
            if action != VAR_LOAD_PARAMETER:
                value = f"given({name!r}, missing)" if action == VAR_LOAD_RESOLVE else "missing"
                self.writeline(f"{target} = {value}")


def printing(finalize: Finalize, *, below: int) -> Callable[[Any], str]:
    """What makes plain text of a value; text of fewer than `below` characters is free and stays as it is."""
    def printed(value: Any) -> str:
        kind = type(value)
        if kind is str and len(value) < below:
            return value  # type: ignore[no-any-return]  # its type was just looked at
        if kind is int and -_SMALL < value < _SMALL:
            return f"{value}"
        return str(finalize(value))

    return printed


def escaping(finalize: Finalize, *, below: int) -> Callable[[Any], str]:
    """What makes HTML of a value, as `printing` makes text."""
    def escaped(value: Any) -> str:
        kind = type(value)
        if kind is str and len(value) < below:
            return _escape_inner(value)
        if kind is int and -_SMALL < value < _SMALL:
            return f"{value}"
        return escape(finalize(value))

    return escaped
