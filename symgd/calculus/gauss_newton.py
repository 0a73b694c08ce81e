"""The Gauss-Newton matrix of a sum of squares: 2*sum(c * dr/dp_i * dr/dp_j) of sum(c * r**2)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import sympy

from symgd.calculus.gradient import gradient
from symgd.formula.graph import Graph
from symgd.formula.nodes import ZERO, Node, RowSum, dependents, float_of, topological


class Square(NamedTuple):
    """factor * r**2, or where in_rows the sum of the factors times it over the rows.

    inner: the factors within the sum.
    """

    factor: Node
    residual: Node
    inner: Node | None = None


def gauss_newton(graph: Graph, root: Node, wrt: Sequence[Node]) -> list[Node] | None:
    """The upper triangle of the matrix, row by row; None where the loss is no sum of squares.

    root: row means in terms of row sums.
    """
    moving = dependents(topological([root]), wrt)
    squares = _squares(graph, root, graph.number(1.0), None, moving)
    if squares is None:
        return None
    count = len(wrt)
    entries: dict[tuple[int, int], list[Node]] = {}
    for factor, residual, inner in squares:
        slopes = gradient(graph, residual, wrt)
        active = [k for k in range(count) if slopes[k] is not ZERO]
        for i in active:
            for j in (j for j in active if j >= i):
                term = graph.mul(slopes[i], slopes[j])
                if inner is not None:
                    term = graph.node(RowSum, graph.mul(inner, term))
                entries.setdefault((i, j), []).append(graph.mul(graph.number(2.0), factor, term))
    return [
        graph.add(*entries[i, j]) if (i, j) in entries else graph.number(0.0)
        for i in range(count)
        for j in range(i, count)
    ]


def _squares(
    graph: Graph, node: Node, factor: Node, inner: Node | None, moving: set[int]
) -> list[Square] | None:
    """The squares that a node adds up; None for others. moving: nodes that hold a parameter."""
    if id(node) not in moving:
        return []
    found: list[Square] = []
    if node.func is sympy.Add:
        for term in node.args:
            some = _squares(graph, term, factor, inner, moving)
            if some is None:
                return None
            found += some
        return found
    if node.func is sympy.Pow:
        power = float_of(node.args[1])
        if power is None or power <= 0 or power % 2:
            return None
        residual = node.args[0] if power == 2 else graph.pow(node.args[0], power / 2)
        return [Square(factor, residual, inner)]
    if node.func is RowSum:
        return _squares(graph, node.args[0], factor, graph.number(1.0), moving)
    if node.func is not sympy.Mul:
        return None
    rest = [a for a in node.args if id(a) not in moving]
    [body, *more] = [a for a in node.args if id(a) in moving]
    if more or any((float_of(a) or 0.0) < 0 for a in rest):
        return None
    scaled = graph.mul(*rest, factor if inner is None else inner)
    if inner is None:
        return _squares(graph, body, scaled, None, moving)
    return _squares(graph, body, factor, scaled, moving)
