"""ExactGraph: a graph of a formula and its derivatives that rounds no constant.

`Graph` merges constants in doubles (2*pi*x, x**(0.1 - 1)), as the compiled programs do. For
`symgd.backends.exact.multiprecision` every node must represent the exact number: constants are
folded only if the result is exact, and pi, e and 1/3 remain symbolic.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fractions import Fraction
from math import prod

import sympy

from symgd.formula.graph import Graph
from symgd.formula.nodes import MINUS_ONE, ONE, ZERO, Node, float_of, number

__all__ = ["ExactGraph"]


class ExactGraph(Graph):
    """A graph that rounds nothing while it simplifies."""

    exact = True

    def add(self, *terms: Node) -> Node:
        """The sum; zeros dropped, numbers folded where no digit is lost."""
        found = _fractions(terms)
        if found is not None and _is_double(sum(found)):
            return super().add(*terms)
        kept = [t for t in terms if t is not ZERO]
        return kept[0] if len(kept) == 1 else self.node(sympy.Add, *kept)

    def mul(self, *factors: Node) -> Node:
        """The product; a zero wins, ones dropped, numbers merged where no digit is lost."""
        if any(f is ZERO for f in factors):
            return ZERO
        found = _fractions(f.args[0] if f.func is sympy.Mul else f for f in factors)
        if found is not None and _is_double(prod(found)):
            return super().mul(*factors)
        return self.times([f for f in factors if f is not ONE])

    def div(self, a: Node, b: Node) -> Node:
        """a/b, as one division; also of two numbers."""
        if float_of(a) and float_of(b) and b is not ONE:
            inverse = self.node(sympy.Pow, b, MINUS_ONE)
            return inverse if a is ONE else self.node(sympy.Mul, a, inverse)
        return super().div(a, b)

    def lower(self, base: Node, exponent: Node) -> Node:
        """base to the power of exponent - 1."""
        less = self.add(exponent, MINUS_ONE)
        if isinstance(less, sympy.Number):
            return self.pow(base, float_of(less) or 0.0)
        return self.node(sympy.Pow, base, less)

    def fold(self, roots: Sequence[Node]) -> list[Node]:
        """The roots as they are: the value of a constant sub-expression is seldom a double."""
        return list(roots)


def _fractions(nodes: Iterable[Node]) -> list[Fraction] | None:
    """The numbers among the nodes; None where one of them is pi or e."""
    found: list[Fraction] = []
    for node in nodes:
        value = float_of(node)
        if value is None:
            continue
        if isinstance(node, sympy.NumberSymbol):
            return None
        found.append(Fraction(value))
    return found


def _is_double(value: Fraction | int) -> bool:
    try:
        rounded = float(value)
    except OverflowError:
        return False
    # Integers end at 2**53 in a graph, beyond they are Floats: both are doubles
    return Fraction(rounded) == value and float_of(number(rounded)) == rounded
