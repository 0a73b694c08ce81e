"""Sufficient statistics: sums of squares that a few moments of the data replace.

Where r is linear in the parameters p with slopes s_i that are data, the sum of w*r**2 over the
rows is, around any point q, exactly

    S(q) + sum_i d_i*(2*g_i + sum_j M_ij*d_j),   d = p - q,   g_i = sum w*s_i*r(q),
                                                 M_ij = sum w*s_i*s_j.

One pass collects M and finds q, the least-squares solution; a second one S(q) and g, which nearly
vanish there. So the moments are centred at the solution: where the sum of squares is small it is
S(q), computed from the residuals themselves, and nothing cancels. Every later step costs the same
for any number of rows. Not used where M is so ill-conditioned that q would not be near.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import sympy

from symgd.compiler import compile_program
from symgd.gradient import gradient
from symgd.graph import Graph
from symgd.nodes import Name, Node, RowSum, float_of, topological
from symgd.rowdata import RowData
from symgd.rows import lower

FEWEST = 1000  # rows; for fewer there is nothing to gain
_WIDEST = 30  # parameters: the moments are P*P terms of a formula
_CONDITION = 1e12  # of M with unit diagonal


@dataclass(frozen=True)
class _Square:
    """sum of weight * residual**2, linear in `leaves` with these slopes."""

    weight: Node
    residual: Node
    leaves: Sequence[Name]
    slopes: Sequence[Node]


def reduce_squares(rows: RowData, root: Node, leaves: Sequence[Name]) -> Node:
    """The lowered root with sums of squares of linear forms replaced by their moments."""
    if rows.table.rows < FEWEST:
        return root
    graph = rows.graph
    found: dict[int, Node] = {}
    for node in topological([root]):
        square = _square(graph, node, leaves) if node.func is RowSum else None
        reduced = None if square is None else _moments(rows, square)
        if reduced is not None:
            found[id(node)] = reduced
    if not found:
        return root

    def change(node: Node, args: tuple[Node, ...]) -> Node:
        if id(node) in found:
            return found[id(node)]
        return graph.same(node, args) if args else graph.atom(node)

    return graph.rebuild([root], change)[0]


def _square(graph: Graph, total: Node, leaves: Sequence[Name]) -> _Square | None:
    """The parts of a sum of squares of a linear form; None for any other sum."""
    (term,) = total.args
    factors = list(term.args) if term.func is sympy.Mul else [term]
    bound = [f for f in factors if _reads(f, leaves)]
    if len(bound) != 1 or bound[0].func is not sympy.Pow or float_of(bound[0].args[1]) != 2:
        return None
    residual = bound[0].args[0]
    below = topological([residual])
    if any(node.func is RowSum for node in below):
        return None
    own = [leaf for leaf in leaves if any(node == leaf for node in below)]
    if len(own) > _WIDEST:
        return None
    slopes = gradient(graph, residual, [graph.atom(leaf) for leaf in own])
    if any(_reads(slope, leaves) for slope in slopes):
        return None
    weights = [f for f in factors if f is not bound[0]]
    weight = graph.times(weights) if weights else graph.number(1.0)
    return _Square(weight, residual, own, slopes)


def _reads(node: Node, leaves: Sequence[Name]) -> bool:
    known = set(leaves)
    return any(n in known for n in topological([node]) if isinstance(n, Name))


def _moments(rows: RowData, square: _Square) -> Node | None:
    """The quadratic form around the least-squares solution, or None where that is not found."""
    import numpy as np

    graph, count = rows.graph, len(square.leaves)
    pairs = [(i, j) for i in range(count) for j in range(i + 1)]
    products = [graph.mul(square.slopes[i], square.slopes[j]) for i, j in pairs]
    start = _at(graph, square, [0.0] * count)
    cross = [graph.mul(slope, start) for slope in square.slopes]
    values = _sums(rows, square.weight, [*products, *cross])
    moments = np.zeros((count, count))
    for (i, j), value in zip(pairs, values[: len(pairs)], strict=True):
        moments[i, j] = moments[j, i] = value
    centre = _solve(moments, np.array(values[len(pairs) :]))
    if centre is None:
        return None
    there = _at(graph, square, centre)
    cross = [graph.mul(slope, there) for slope in square.slopes]
    least, *slopes = _sums(rows, square.weight, [graph.pow(there, 2), *cross])
    if not np.isfinite([least, *slopes]).all():
        return None
    return _form(rows, square.leaves, centre, least, slopes, moments.tolist())


def _at(graph: Graph, square: _Square, point: Sequence[float]) -> Node:
    places = {leaf: graph.number(v) for leaf, v in zip(square.leaves, point, strict=True)}
    return graph.replace([square.residual], places)[0]


def _sums(rows: RowData, weight: Node, terms: Sequence[Node]) -> list[float]:
    """The weighted sums of terms that hold no parameter, in one pass."""
    graph = rows.graph
    sums = [graph.node(RowSum, graph.mul(weight, term)) for term in terms]
    outputs = {str(k): node for k, node in enumerate(lower(graph, sums))}
    inputs = rows.inputs(list(outputs.values()))
    program = compile_program(graph, inputs, outputs)
    return rows.run(program, passes=1)(*(rows.values[name] for name in inputs))


def _solve(moments: object, cross: object) -> list[float] | None:
    """-M**-1 c, or None where M is singular, ill-conditioned or not finite."""
    import numpy as np

    m, c = np.asarray(moments, dtype=np.float64), np.asarray(cross, dtype=np.float64)
    diagonal = np.diag(m)
    if not (np.isfinite(m).all() and np.isfinite(c).all() and (diagonal > 0).all()):
        return None
    scale = np.sqrt(diagonal)
    scaled = m / np.outer(scale, scale)
    values = np.linalg.eigvalsh(scaled)
    if not values[0] * _CONDITION > values[-1]:
        return None
    solution: list[float] = (-np.linalg.solve(scaled, c / scale) / scale).tolist()
    return solution


def _form(
    rows: RowData,
    leaves: Sequence[Name],
    centre: Sequence[float],
    least: float,
    slopes: Sequence[float],
    moments: Sequence[Sequence[float]],
) -> Node:
    graph = rows.graph

    def given(value: float) -> Node:
        return graph.atom(rows.give(value))

    away = [graph.sub(graph.atom(p), graph.number(q)) for p, q in zip(leaves, centre, strict=True)]
    inputs = [[given(moments[i][j]) for j in range(i + 1)] for i in range(len(leaves))]
    terms = [given(least)]
    for i, d in enumerate(away):
        row = [inputs[max(i, j)][min(i, j)] for j in range(len(away))]
        inner = [graph.mul(m, other) for m, other in zip(row, away, strict=True)]
        terms.append(graph.mul(d, graph.add(given(2 * slopes[i]), *inner)))
    return graph.add(*terms)
