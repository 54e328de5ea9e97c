"""Puts the counting into a template before it is compiled: loops, calls, and what takes longer the more it is given."""

from collections.abc import Callable, Mapping
from typing import Any

from jinja2 import nodes, pass_context
from jinja2.filters import FILTERS
from jinja2.nodes import EvalContext
from jinja2.runtime import Context
from jinja2.tests import TESTS
from jinja2.utils import _PassArg

from outreach_stream.rendering import costs
from outreach_stream.rendering.steps import CHARACTERS, Steps, extent

TURN, EACH, WEIGH, TAKE = " turn", " each", " weigh", " take"
"""Filters of our own. A template can name them in `map` only, and has nothing of it: no number earns steps."""

NODES_OF_STEP = 8
"""Parts of speech that a turn or call may run through for one step; an attribute or item takes a step of its own."""

_MADE = (str, bytes, list, tuple)
_ABSENT = frozenset({"pprint"})
"""Filters for debugging, whose time grows with the square of what they print."""


def metered(tree: nodes.Template) -> nodes.Template:
    """`tree` with counting put in; the tree itself is changed."""
    for kind, put_into in _COUNTED.items():
        for node in list(tree.find_all(kind)):
            put_into(node)
    return tree


def _into_loop(node: nodes.For) -> None:
    steps = _steps(node)
    if node.test is None and not node.recursive:
        # Each turn pays for its body where it takes its item: no condition leaves one out, nobody loops anew.
        node.iter = _filtered(EACH, node.iter, steps)
    else:
        node.body = _charged(node, steps)
        node.iter = _filtered(EACH, node.iter)


def _into_macro(node: nodes.Macro | nodes.CallBlock) -> None:
    node.body = _charged(node, _steps(node))


def _into_comparison(node: nodes.Compare) -> None:
    short = any(isinstance(side, nodes.Const) for side in (node.expr, node.ops[0].expr))
    if short and node.ops[0].op not in {"in", "notin"}:
        return  # Beyond what stands in the template nothing is looked at.
    node.expr = _filtered(WEIGH, node.expr)
    for operand in node.ops:
        operand.expr = _filtered(WEIGH, operand.expr)


def _into_concatenation(node: nodes.Concat) -> None:
    node.nodes = [_filtered(WEIGH, part) for part in node.nodes]


def _into_pair(node: nodes.Pair) -> None:
    node.key = _filtered(WEIGH, node.key)  # All that a key holds is looked at.


def _into_item(node: nodes.Getitem) -> None:
    if isinstance(node.arg, nodes.Slice):
        node.node = _filtered(TAKE, node.node)


_COUNTED: Mapping[type[nodes.Node], Callable[[Any], None]] = {
    nodes.For: _into_loop, nodes.Macro: _into_macro, nodes.CallBlock: _into_macro, nodes.Compare: _into_comparison,
    nodes.Concat: _into_concatenation, nodes.Pair: _into_pair, nodes.Getitem: _into_item,
}


def _steps(node: nodes.For | nodes.Macro | nodes.CallBlock) -> int:
    """What a body costs by its length, beside the step for its turn."""
    text = sum(len(data.data) for data in node.find_all(nodes.TemplateData))
    lookups = sum(1 for _ in node.find_all((nodes.Getattr, nodes.Getitem)))
    return lookups + sum(1 for _ in node.find_all(nodes.Node)) // NODES_OF_STEP + text // CHARACTERS


def _charged(node: nodes.For | nodes.Macro | nodes.CallBlock, steps: int) -> list[nodes.Node]:
    if not steps:
        return node.body
    turn = _filtered(TURN, nodes.Const(steps, lineno=node.lineno))
    return [nodes.ExprStmt(turn, lineno=node.lineno), *node.body]


def _filtered(name: str, node: Any, *arguments: int) -> nodes.Expr:
    if isinstance(node, nodes.Const) and name == WEIGH:
        return node
    given: list[nodes.Expr] = [nodes.Const(argument, lineno=node.lineno) for argument in arguments]
    return nodes.Filter(node, name, given, [], None, None, lineno=node.lineno)


def filters(steps: Steps) -> dict[str, Any]:
    """Jinja's filters, all but the cheapest counting, and our own."""
    own: dict[str, Callable[..., Any]] = {
        TURN: lambda _, count: steps.spend(abs(int(count))),
        EACH: lambda _, items, turn=0: steps.each(items, abs(int(turn))),
        WEIGH: lambda _, value: _weighed(steps, value), TAKE: lambda _, value: _taken(steps, value),
    }
    known: dict[str, Any] = {name: work for name, work in FILTERS.items() if name not in _ABSENT}
    counting = {name: _counting(steps, work, costs.FILTERS.get(name, costs.linear))
                for name, work in known.items() if name not in costs.FREE}
    return known | counting | {name: pass_context(count) for name, count in own.items()}


def tests(steps: Steps) -> dict[str, Any]:
    """Jinja's tests, those counting that compare."""
    known: dict[str, Any] = dict(TESTS)
    return known | {name: _counting(steps, known[name], costs.linear) for name in costs.TESTS}


def result_of(steps: Steps, made: Any) -> Any:
    """What a filter or call has made, paid for; what would be made later is made now."""
    if hasattr(made, "__next__"):
        made = list(steps.each(made))
    if isinstance(made, _MADE):
        steps.handle(extent(made))
    return made


def _counting(steps: Steps, work: Callable[..., Any], cost: costs.Cost) -> Callable[..., Any]:
    """`work` of a filter or test, paid for before and after.

    It takes the context, so that the compiler computes nothing beforehand, unpaid.
    """
    leading = _leading(work)

    @pass_context
    def counted(context: Context, value: Any, *args: Any, **kwargs: Any) -> Any:
        steps.spend(2 + cost(steps, value, [*args, *kwargs.values()]) // CHARACTERS)
        return result_of(steps, work(*leading(context), value, *args, **kwargs))

    return counted


def _leading(work: Callable[..., Any]) -> Callable[[Context], tuple[Context | EvalContext | Any, ...]]:
    """What `work` wants to be given before the value."""
    match _PassArg.from_obj(work):
        case _PassArg.context:
            return lambda context: (context,)
        case _PassArg.eval_context:
            return lambda context: (context.eval_ctx,)
        case _PassArg.environment:
            return lambda context: (context.environment,)
    return lambda _: ()


def _weighed(steps: Steps, value: Any) -> Any:
    steps.weigh(value)
    return value


def _taken(steps: Steps, value: Any) -> Any:
    steps.handle(extent(value))
    return value
