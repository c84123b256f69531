"""The co-simulation as it would be if there was no tracing: the yardstick of "off costs nothing".

A trace comes about by wrapping methods, and by three taps that are None as long as nobody listens. All that a
run without a trace has of it is the question whether they are None. Here those questions are taken
out of the code, so that a run can be compared with one that has them.
"""

import ast
import inspect
import textwrap
from types import FunctionType
from typing import Any

from pymodel import link
from tb.cosim.event_log import LogReader

TAPS: dict[Any, str] = {
    link._Way.take: "link.on_frame is not None",
    link._Way._arrive: "link.on_deliver is not None",
    LogReader.take: "observer is not None",
}
"""Where it is asked, and what."""


class _Out(ast.NodeTransformer):
    """Takes out each `if` that asks `question`; `found`: so many there were."""

    def __init__(self, question: str) -> None:
        self.found = 0
        self._question = question

    def visit_If(self, node: ast.If) -> ast.AST:
        self.generic_visit(node)
        if ast.unparse(node.test) != self._question:
            return node
        self.found += 1
        return ast.copy_location(ast.Pass(), node)


def take_out() -> None:
    """From now on this process's co-simulation has no tap: who listens at one hears nothing.

    Raises RuntimeError where a question of `TAPS` is not in the code any more.
    """
    for function, question in TAPS.items():
        _take_out(function, question)


def _take_out(function: FunctionType, question: str) -> None:
    tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
    out = _Out(question)
    tree = ast.fix_missing_locations(out.visit(tree))
    if not out.found:
        raise RuntimeError(f"{function.__qualname__} does not ask any more: {question}")
    made: dict[str, Any] = {}
    exec(compile(tree, inspect.getfile(function), "exec"), function.__globals__, made)
    function.__code__ = made[function.__name__].__code__
