"""Precise: correctly rounded values of formulas at double arguments.

In doubles sin(x**2) at x = 80 has a rounded argument, and cos(exp(37)) no correct digit. Neither
reordering nor a first-order error term restores them, so the nodes are evaluated in mpmath's
arithmetic with increasing precision until two evaluations agree to more digits than a double has
(Ziv's rounding test: A. Ziv, 1991, Fast evaluation
of elementary mathematical functions with correctly rounded last bit, ACM Trans. Math. Softw.
17(3), 410-423, https://doi.org/10.1145/114697.116813).

The result is the double nearest to the exact value, unless that is within 2**-60 of the midpoint of
two doubles. Agreement is not a proof: a contrived formula may lose a term below 212 bits and then
scale it up by 1e60. An evaluation costs microseconds per operation; descents run the compiled
programs in doubles.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from math import isfinite
from typing import Any

from symgd._locks import MPMATH
from symgd.backends.exact.exact_graph import ExactGraph
from symgd.formula.functions.multiprecision_functions import (
    Operation,
    atom_value,
    node_operation,
    operations,
)
from symgd.formula.functions.table import BY_CLASS, SPECIAL
from symgd.formula.nodes import (
    Conjunction,
    Disjunction,
    Name,
    Negation,
    Node,
    Where,
    is_negation,
    relation,
    topological,
)

__all__ = ["Precise"]

# Bits of the evaluations. The last but one sees the x in 1 + x for every normal double x.
_LADDER = (106, 212, 424, 1272, 2544)
_SPECIAL_LADDER = (106, 212, 424)  # mpmath takes long for more digits of gamma or a Bessel function
_AGREE = 2.0**-60
_VANISHING = 2.0**-100  # what more bits leave of a 0; the steps of the ladder are longer
_NEAR = 2.0**-20  # how near the value in doubles must be, to be believed that all is well

_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "==": operator.eq,
    "!=": operator.ne,
}


class Precise:
    """Nodes of an exact graph as a function: (point, values in doubles) -> better values.

    leaves: the symbols that a point gives values, in order. roots: what to evaluate.
    """

    def __init__(self, graph: ExactGraph, leaves: Sequence[Name], roots: Sequence[Node]) -> None:
        from mpmath import MPContext

        self._context = MPContext()  # a separate context: the global precision is not changed
        table = operations(self._context)
        order = topological(roots)
        self._place = {id(node): k for k, node in enumerate(order)}
        self._inputs = {id(graph.atom(leaf)): k for k, leaf in enumerate(leaves)}
        self._steps = [self._step(node, table) for node in order]
        self._outputs = [self._place[id(root)] for root in roots]
        called = [BY_CLASS[n.func] for n in order if n.func in BY_CLASS]
        special = any(row.cost >= SPECIAL for row in called)
        self._ladder = _SPECIAL_LADDER if special else _LADDER

    def __call__(self, x: Sequence[float], double: Sequence[float]) -> list[float]:
        """The values at x, each rounded once.

        plain: the same evaluated in doubles. Kept where it is not finite, and where the exact
        one cannot be had.
        """
        result = list(double)
        open_ = [k for k, value in enumerate(double) if isfinite(value)]
        if not all(map(isfinite, x)):
            return result
        with MPMATH:
            previous: list[Any] = []
            last: list[Any] = []
            for bits in self._ladder:
                current = self._run(x, bits) if open_ else []
                sure = bits >= _SPECIAL_LADDER[-1] and bits >= self._ladder[-2]
                for k in list(open_) if previous else ():
                    if self._settled(previous[k], current[k], double[k], sure):
                        result[k] = self._rounded(current[k], double[k])
                        open_.remove(k)
                last, previous = previous, current
        for k in open_:
            if abs(previous[k]) <= _VANISHING * max(abs(last[k]), abs(double[k])):
                result[k] = 0.0  # the more bits, the smaller: a zero in disguise
        return result

    def _settled(self, previous: Any, current: Any, double: float, sure: bool) -> bool:
        """Whether two evaluations agree; the first ones also with the value in doubles.

        1 + exp(-200) is 1 at 106 and at 212 bits: agreement alone would be a trap, and 0 is one
        for all three in (1 + 1e-200) - 1.
        """
        if not abs(current - previous) <= _AGREE * abs(current):
            return False
        return sure or (current != 0 and abs(current - double) <= _NEAR * abs(current))

    def _rounded(self, value: Any, double: float) -> float:
        rounded = float(value)
        return rounded if isfinite(rounded) and rounded != double else double  # -0.0 stays

    # -- one evaluation ---------------------------------------------------------------------

    def _run(self, x: Sequence[float], bits: int) -> list[Any]:
        ctx = self._context
        ctx.prec = bits
        point = [ctx.mpf(v) for v in x]
        nan = ctx.nan
        values: list[Any] = []
        for operation, places in self._steps:
            try:
                args = [values[k] for k in places] if places else [point]
                values.append(operation(*args))
            except (ArithmeticError, ValueError):  # poles; what mpmath cannot sum up
                values.append(nan)
        return [values[k] for k in self._outputs]

    def _step(self, node: Node, table: dict[str, Operation]) -> tuple[Operation, tuple[int, ...]]:
        if not node.args:
            return self._atom(node), ()
        return self._operation(node, table), tuple(self._place[id(a)] for a in node.args)

    def _atom(self, node: Node) -> Operation:
        """point -> the value of a parameter, a double or a constant."""
        if isinstance(node, Name):
            return operator.itemgetter(self._inputs[id(node)])
        return lambda _: atom_value(self._context, node)

    def _operation(self, node: Node, table: dict[str, Operation]) -> Operation:
        cls = node.func
        if is_negation(node) and len(node.args) == 2:
            return lambda _, x: -x
        if cls is Where:
            nan = self._context.nan
            return lambda condition, a, b: nan if condition is None else a if condition else b
        if cls in (Conjunction, Disjunction):
            return _joined(cls is Conjunction)
        if cls is Negation:
            return lambda a: None if a is None else not a
        if (op := relation(node)) is not None:
            return _compared(_COMPARE[op])
        return node_operation(self._context, node, table)


def _compared(holds: Callable[[Any, Any], bool]) -> Operation:
    """A comparison; None where a side is nan, which stands for infinite values, too."""
    return lambda a, b: None if a != a or b != b else holds(a, b)


def _joined(all_of_them: bool) -> Operation:
    """A conjunction or disjunction of conditions, None where that depends on an unknown one."""

    def call(*args: bool | None) -> bool | None:
        if (not all_of_them) in args:
            return not all_of_them
        return None if None in args else all_of_them

    return call
