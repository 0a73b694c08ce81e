"""Simplify powers of roots: hypot(x, y)**2, sqrt(u)**2, abs(x)**2, cbrt(x)**3.

At 0 the derivative of a root is undefined or infinite; times the derivative of the power, 0, it
would be nan, and the second derivative of abs(x)**2 would be 0 instead of 2.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence

import sympy

from symgd.calculus.intervals import ranges
from symgd.formula.functions.table import FUNCTIONS
from symgd.formula.graph import Graph
from symgd.formula.nodes import TWO, ZERO, Node, float_of


def without_roots(graph: Graph, roots: Sequence[Node]) -> list[Node]:
    """The same functions, without powers of roots; nothing is rounded."""

    def change(node: Node, args: tuple[Node, ...]) -> Node:
        node = graph.same(node, args)
        if node.func is sympy.Mul:
            return product_of_roots(graph, node)
        power = float_of(node.args[1]) if node.func is sympy.Pow else None
        return (power and power_of_root(graph, node.args[0], power)) or node

    return graph.rebuild(roots, change)


def power_of_root(graph: Graph, base: Node, exponent: float) -> Node | None:
    """base**exponent as a power of the radicand; None if `base` is not a root."""
    for func, (order, under) in _ROOTS.items():
        if base.func is func and exponent % order == 0:
            return graph.pow(under(graph, base), exponent / order)
    if base.func is sympy.Pow and float_of(base.args[1]) == 0.5 and exponent not in (-1, 1):
        return _power_of_sqrt(graph, base, exponent)
    return None


def product_of_roots(graph: Graph, node: Node) -> Node:
    """The product with equal roots, hypot(x, y)*hypot(x, y), as the power of one."""
    count = Counter(map(id, node.args))
    for factor in node.args if len(count) < len(node.args) else ():
        times = count[id(factor)]
        for some in (times, times - 1) if times > 1 else ():
            if (power := power_of_root(graph, factor, some)) is not None:
                alone = [factor] * (times - some)
                return graph.mul(*(f for f in node.args if f is not factor), *alone, power)
    return node


def _power_of_sqrt(graph: Graph, root: Node, exponent: float) -> Node:
    """u**(exponent/2); nan for u < 0, as sqrt(u) is."""
    under = root.args[0]
    power = graph.pow(under, exponent / 2)
    if exponent % 2 != 0 or ranges([under], {})[id(under)][0] >= 0:
        return power
    return graph.where(graph.compare(">=", under, ZERO), power, root)


def _sum_of_squares(graph: Graph, node: Node) -> Node:
    return graph.add(*graph.fold([graph.node(sympy.Pow, arg, TWO) for arg in node.args]))


def _square(graph: Graph, node: Node) -> Node:
    return graph.node(sympy.Pow, node.args[0], TWO)


def _argument(graph: Graph, node: Node) -> Node:
    under: Node = node.args[0]
    return under


#: Class of the root -> (order, the radicand to that order).
_ROOTS: dict[type, tuple[int, Callable[[Graph, Node], Node]]] = {
    FUNCTIONS["hypot"].node: (2, _sum_of_squares),
    FUNCTIONS["abs"].node: (2, _square),
    FUNCTIONS["cbrt"].node: (3, _argument),
}
