"""Precise: correctly rounded values of formulas at double arguments.

In doubles sin(x**2) at x = 80 has a rounded argument, and cos(exp(37)) no correct digit. Neither
reordering nor a first-order error term restores them, so the nodes are evaluated in mpmath's
arithmetic, with bounds of the errors, at increasing precision until the bound says that the double
is known (Ziv's rounding test: A. Ziv, 1991, Fast evaluation of elementary mathematical functions
with correctly rounded last bit, ACM Trans. Math. Softw. 17(3), 410-423,
https://doi.org/10.1145/114697.116813).

The result is the double nearest to the exact value, unless that is within 2**-60 of the midpoint of
two doubles; where the last precision does not say which double that is, PrecisionError. An
evaluation costs microseconds per operation; descents run the compiled programs in doubles.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from math import isfinite
from typing import Any

import sympy

from symgd._locks import MPMATH
from symgd.backends.exact.error_bounds import (
    EXACT,
    Bounded,
    Bounds,
    certainly_apart,
    log2_size,
    log2_sum,
    rounding_bits,
)
from symgd.backends.exact.exact_graph import ExactGraph
from symgd.errors import PrecisionError
from symgd.formula.functions import reference
from symgd.formula.functions.multiprecision_functions import atom_value, operations, power
from symgd.formula.functions.table import BY_CLASS, SPECIAL
from symgd.formula.nodes import (
    Conjunction,
    Disjunction,
    Name,
    Negation,
    Node,
    Where,
    float_of,
    is_negation,
    relation,
    topological,
)

__all__ = ["Precise"]

# Bits of the evaluations: 1696 see the x in 1 + x for every double x, 3392 the x*x in 1 + x*x.
_PRECISIONS = (106, 212, 424, 848, 1696, 3392, 6784)
_SPECIAL_PRECISIONS = _PRECISIONS[:5]  # mpmath takes long for more digits of a Bessel function
_KNOWN = -60.0  # log2 of the relative error of a value that is rounded
_UNDERFLOW = -1076.0  # log2 of what rounds to 0
_MULTIPLIED = 64  # whole powers up to this one are products, whose errors are known

#: Functions that round nothing.
_EXACT = {"abs", "sign", "heaviside", "floor", "ceil", "max", "min", "largest"}

#: Of bounded numbers and conditions; a condition that is not known is None.
_Operation = Callable[..., Any]


class Precise:
    """Nodes of an exact graph as a function: (point, values in doubles) -> better values.

    leaves: the symbols that a point gives values, in order. roots: what to evaluate.
    """

    def __init__(self, graph: ExactGraph, leaves: Sequence[Name], roots: Sequence[Node]) -> None:
        from mpmath import MPContext

        self._context = MPContext()  # a separate context: the global precision is not changed
        self._bounds = Bounds(self._context)
        table = operations(self._context)
        order = topological(roots)
        self._place = {id(node): k for k, node in enumerate(order)}
        self._inputs = {id(graph.atom(leaf)): k for k, leaf in enumerate(leaves)}
        self._steps = [self._step(node, table) for node in order]
        self._outputs = [self._place[id(root)] for root in roots]
        called = [BY_CLASS[n.func] for n in order if n.func in BY_CLASS]
        special = any(row.cost >= SPECIAL for row in called)
        self._precisions = _SPECIAL_PRECISIONS if special else _PRECISIONS

    def __call__(self, x: Sequence[float], double: Sequence[float]) -> list[float]:
        """The values at x, each rounded once; PrecisionError where one cannot be had.

        double: the same evaluated in doubles. Kept where it is not finite.
        """
        result = list(double)
        open_ = [k for k, value in enumerate(double) if isfinite(value)]
        if not open_ or not all(map(isfinite, x)):
            return result
        with MPMATH:
            for bits in self._precisions:
                found = self._run(x, bits)
                for k in list(open_):
                    rounded = _rounded(found[k], double[k])
                    if rounded is not None:
                        result[k] = rounded
                        open_.remove(k)
                if not open_:
                    return result
        raise PrecisionError(_why_not(found[open_[0]], double[open_[0]], self._precisions[-1]))

    def at(self, x: Sequence[Any], bits: int) -> list[Bounded]:
        """The values at numbers of mpmath, taken as exact, with bounds of their errors."""
        with MPMATH:
            return self._run(x, bits)

    # -- one evaluation ---------------------------------------------------------------------

    def _run(self, x: Sequence[float], bits: int) -> list[Bounded]:
        ctx = self._context
        ctx.prec = bits
        point = [Bounded(ctx.mpf(v), EXACT) for v in x]
        values: list[Any] = []
        for operation, places in self._steps:
            values.append(operation(*[values[k] for k in places] if places else [point]))
        return [values[k] for k in self._outputs]

    def _step(self, node: Node, table: dict[str, _Operation]) -> tuple[_Operation, tuple[int, ...]]:
        if not node.args:
            return self._atom(node), ()
        return self._operation(node, table), tuple(self._place[id(a)] for a in node.args)

    def _atom(self, node: Node) -> _Operation:
        """point -> the value of a parameter, a double or a constant."""
        if isinstance(node, Name):
            return operator.itemgetter(self._inputs[id(node)])
        is_exact = isinstance(node, (sympy.Integer, sympy.Float))
        return lambda _: self._bounds.constant(atom_value(self._context, node), is_exact)

    def _operation(self, node: Node, table: dict[str, _Operation]) -> _Operation:
        cls, bounds = node.func, self._bounds
        if cls is sympy.Add:
            return bounds.add
        if is_negation(node) and len(node.args) == 2:
            return lambda _, x: bounds.negate(x)
        if cls is sympy.Mul:
            return bounds.multiply
        if cls is sympy.Pow:
            return self._power(float_of(node.args[1]))
        if cls is Where:
            unknown = bounds.unknown
            return lambda condition, a, b: unknown if condition is None else a if condition else b
        if cls in (Conjunction, Disjunction):
            return _joined(cls is Conjunction)
        if cls is Negation:
            return lambda a: None if a is None else not a
        if (op := relation(node)) is not None:
            return _compared(reference.COMPARE[op])
        row = BY_CLASS[cls]
        bits = rounding_bits(row.name in _EXACT or bool(row.selects), row.cost >= SPECIAL)
        return lambda *args: bounds.function(table[row.name], bits, *args)

    def _power(self, exponent: float | None) -> _Operation:
        bounds = self._bounds
        if exponent == -1:
            return lambda base, _: bounds.invert(base)
        if exponent == 0.5:
            return lambda base, _: bounds.sqrt(base)
        if exponent is not None and exponent == int(exponent) and 2 <= exponent <= _MULTIPLIED:
            return lambda base, _: bounds.multiply(*[base] * int(exponent))
        f, bits = power(self._context), rounding_bits(False, False)
        return lambda base, other: bounds.function(f, bits, base, other)


def _rounded(found: Bounded, double: float) -> float | None:
    """The double next to a number that is known well enough, else None."""
    value, error = found
    if value != value:
        return None
    size = log2_size(value)
    if log2_sum(size, error) < _UNDERFLOW:
        return double if double == 0 else 0.0  # -0.0 stays
    if not error <= size + _KNOWN:
        return None
    rounded = float(value)
    return rounded if rounded != double else double


def _why_not(found: Bounded, double: float, bits: int) -> str:
    in_doubles = f"in doubles it is {double!r}"
    if found.value != found.value:
        return f"the exact value is undefined here, or too large on the way; {in_doubles}"
    return f"{bits} bits do not tell which double is nearest to the exact value; {in_doubles}"


def _compared(holds: Callable[[Any, Any], bool]) -> _Operation:
    """A comparison; None where the errors leave it open."""

    def call(a: Bounded, b: Bounded) -> bool | None:
        if a.value != a.value or b.value != b.value:
            return None
        if a.error == b.error == EXACT or certainly_apart(a, b):
            return holds(a.value, b.value)
        return None

    return call


def _joined(all_of_them: bool) -> _Operation:
    """A conjunction or disjunction of conditions, None where that depends on an unknown one."""

    def call(*args: bool | None) -> bool | None:
        if (not all_of_them) in args:
            return not all_of_them
        return None if None in args else all_of_them

    return call
