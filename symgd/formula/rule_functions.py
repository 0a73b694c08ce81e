"""The functions that only rules have: of all parameters at once, of other points, at random."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from symgd.formula.functions.table import FUNCTIONS
from symgd.formula.graph import Graph
from symgd.formula.nodes import (
    ONE,
    ZERO,
    GradAt,
    HessianTimes,
    LossAt,
    Node,
    Norm,
    Normal,
    ParamMax,
    ParamSum,
    Rademacher,
    is_condition,
)


@dataclass(frozen=True)
class RuleFunction:
    """arguments: how they are written. meaning: a line of documentation. make: its node."""

    arguments: str
    meaning: str
    make: Callable[..., Node]

    @property
    def count(self) -> int:
        """How many arguments it takes."""
        return len(self.arguments.split(",")) if self.arguments else 0


def _total(graph: Graph, term: Node) -> Node:
    return graph.node(ParamSum, term)


def _count(graph: Graph, what: Node) -> Node:
    holds = what if is_condition(what) else graph.compare("!=", what, ZERO)
    return _total(graph, graph.where(holds, ONE, ZERO))


def _node(cls: type) -> Callable[..., Node]:
    return lambda graph, *args: graph.node(cls, *args)


#: `max` and `min` of two arguments or more are those of each parameter, as in any formula.
RULE_FUNCTIONS: dict[str, RuleFunction] = {
    "norm": RuleFunction("x", "the Euclidean norm over all parameters", _node(Norm)),
    "sum": RuleFunction("x", "the sum over all parameters", _total),
    "mean": RuleFunction(
        "x", "the mean over all parameters", lambda g, x: g.div(_total(g, x), _total(g, ONE))
    ),
    "dot": RuleFunction(
        "x, y", "the sum of x*y over all parameters", lambda g, x, y: _total(g, g.mul(x, y))
    ),
    "max": RuleFunction("x", "the largest over all parameters", _node(ParamMax)),
    "min": RuleFunction(
        "x", "the smallest over all parameters", lambda g, x: g.neg(g.node(ParamMax, g.neg(x)))
    ),
    "count": RuleFunction("condition", "of how many parameters it holds, or x is not 0", _count),
    "loss": RuleFunction("point", "the loss at another point", _node(LossAt)),
    "grad": RuleFunction("point", "the gradient at another point", _node(GradAt)),
    "hvp": RuleFunction("v", "the Hessian at theta times v", _node(HessianTimes)),
    "rademacher": RuleFunction("", "a random -1 or 1 for each parameter", _node(Rademacher)),
    "normal": RuleFunction("", "a standard normal random number for each", _node(Normal)),
}
PAIRWISE = ("max", "min")
assert all(name in FUNCTIONS for name in PAIRWISE)


def rule_call(graph: Graph, name: str, args: list[Node], drawn: Callable[[], Any]) -> Node:
    """The node of a call. drawn: what a random number depends on: seed, t, number of the call."""
    if name in ("rademacher", "normal"):
        args = [*drawn()]
    return RULE_FUNCTIONS[name].make(graph, *args)
