"""Sufficient statistics: sums of squares that a few moments of the data replace.

Where r is linear in the parameters p with derivatives s_i that are data, the sum of w*r**2 over the
rows is, around any point q, exactly

    S(q) + sum_k u_k*(2*h_k + sum_l N_kl*u_l),   u = R (p - q),   h_k = sum w*t_k*r(q),
                                                 N_kl = sum w*t_k*t_l,   t = R**-T s,

for any triangle R. One pass collects M_ij = sum w*s_i*s_j, whose Cholesky factor is R, and finds
q, the least-squares solution; a second one S(q), h, which nearly vanishes there, and N, which is
nearly 1. So the moments are centred at the solution: where the sum of squares is small it is S(q),
computed from the residuals themselves. And nothing cancels far from it, either: with M in place
of N, p - q along a direction that hardly changes r would lose as many digits as M has in its
condition number; R loses half as many, as do the rows themselves (the Cholesky factorization done
twice, as in Y. Yamamoto et al., 2015, Roundoff error analysis of the CholeskyQR2 algorithm, ETNA
44, 306-326). Every later step costs the same for any number of rows. Not used where M is so
ill-conditioned that N is not near 1.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import sympy

from symgd._numpy import NDArray, np
from symgd.backends.compiler import compile_program
from symgd.calculus.gradient import gradient
from symgd.calculus.jumps import names_in_jumps
from symgd.calculus.reductions import lower
from symgd.formula.graph import Graph
from symgd.formula.nodes import Name, Node, RowSum, depends, float_of, topological
from symgd.model.data_binding import RowData

Matrix: TypeAlias = "NDArray[np.float64]"
Vector: TypeAlias = "NDArray[np.float64]"

FEWEST = 1000  # rows; for fewer there is nothing to gain
_WIDEST = 30  # parameters: the moments are P*P terms of a formula
_CONDITION = 1e12  # of M with unit diagonal
_NEAR = 0.01  # how far entries of N may be from those of 1


@dataclass(frozen=True)
class _Square:
    """sum of weight * residual**2, linear in `leaves` with these derivatives."""

    weight: Node
    residual: Node
    leaves: Sequence[Name]
    jacobian: Sequence[Node]


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
    return graph.substitute([root], found)[0] if found else root


def _square(graph: Graph, total: Node, leaves: Sequence[Name]) -> _Square | None:
    """The parts of a sum of squares of a linear form; None for any other sum."""
    (term,) = total.args
    factors = list(term.args) if term.func is sympy.Mul else [term]
    atoms = [graph.atom(leaf) for leaf in leaves]
    bound = [f for f in factors if depends(f, atoms)]
    if len(bound) != 1 or bound[0].func is not sympy.Pow or float_of(bound[0].args[1]) != 2:
        return None
    residual = bound[0].args[0]
    below = topological([residual])
    if any(node.func is RowSum for node in below):
        return None
    own = [leaf for leaf in leaves if any(node == leaf for node in below)]
    if len(own) > _WIDEST or names_in_jumps([residual]).intersection(own):
        return None
    jacobian = gradient(graph, residual, [graph.atom(leaf) for leaf in own])
    if any(depends(column, atoms) for column in jacobian):
        return None
    weights = [f for f in factors if f is not bound[0]]
    weight = graph.times(weights) if weights else graph.number(1.0)
    return _Square(weight, residual, own, jacobian)


def _moments(rows: RowData, square: _Square) -> Node | None:
    """The quadratic form around the least-squares solution, or None where that is not found."""
    graph, count = rows.graph, len(square.leaves)
    pairs = [(i, j) for i in range(count) for j in range(i + 1)]
    products = [graph.mul(square.jacobian[i], square.jacobian[j]) for i, j in pairs]
    start = _at(graph, square, [0.0] * count)
    cross = [graph.mul(column, start) for column in square.jacobian]
    values = _sums(rows, square.weight, [*products, *cross])
    found = _solve(_symmetric(values[: len(pairs)], count), np.array(values[len(pairs) :]))
    if found is None:
        return None
    triangle, centre = found
    there = _at(graph, square, centre)
    turned = _turned(graph, square.jacobian, triangle)
    products = [graph.mul(turned[i], turned[j]) for i, j in pairs]
    cross = [graph.mul(column, there) for column in turned]
    least, *values = _sums(rows, square.weight, [graph.pow(there, 2), *cross, *products])
    h, moments = values[:count], _symmetric(values[count:], count)
    if not (np.isfinite([least, *h]).all() and np.abs(moments - np.eye(count)).max() < _NEAR):
        return None
    away = [
        graph.sub(graph.atom(p), graph.number(q))
        for p, q in zip(square.leaves, centre, strict=True)
    ]
    return _form(rows, _times(graph, triangle, away), least, h, moments.tolist())


def _symmetric(entries: Sequence[float], count: int) -> Matrix:
    """(count, count), from the entries of the lower triangle row by row."""
    whole = np.zeros((count, count))
    whole[np.tril_indices(count)] = entries
    lower_part: Matrix = np.tril(whole, -1)
    return whole + lower_part.T


def _turned(graph: Graph, jacobian: Sequence[Node], triangle: Matrix) -> list[Node]:
    """t = R**-T s by substitution, which keeps the digits that the inverse of R would lose."""
    turned: list[Node] = []
    for k, column in enumerate(jacobian):
        for j in range(k):
            column = graph.sub(column, graph.mul(graph.number(float(triangle[j, k])), turned[j]))
        turned.append(graph.mul(graph.number(1.0 / float(triangle[k, k])), column))
    return turned


def _times(graph: Graph, triangle: Matrix, away: Sequence[Node]) -> list[Node]:
    """u = R d."""
    return [
        graph.add(
            *(graph.mul(graph.number(float(triangle[k, j])), away[j]) for j in range(k, len(away)))
        )
        for k in range(len(away))
    ]


def _at(graph: Graph, square: _Square, point: Sequence[float]) -> Node:
    places = {leaf: graph.number(v) for leaf, v in zip(square.leaves, point, strict=True)}
    return graph.replace([square.residual], places)[0]


def _sums(rows: RowData, weight: Node, terms: Sequence[Node]) -> list[float]:
    """The weighted sums of terms that hold no parameter, in one pass."""
    graph = rows.graph
    sums = [graph.node(RowSum, graph.mul(weight, term)) for term in terms]
    outputs = {str(k): node for k, node in enumerate(lower(graph, sums))}
    inputs = rows.inputs(list(outputs.values()))
    program = compile_program(inputs, outputs)
    return rows.run(program, passes=1)(*(rows.values[name] for name in inputs))


def _solve(moments: Matrix, cross: Vector) -> tuple[Matrix, list[float]] | None:
    """(R, -M**-1 c) with R'R = M, or None where M is singular, ill-conditioned or not finite."""
    diagonal = np.diag(moments)
    finite = np.isfinite(moments).all() and np.isfinite(cross).all()
    if not (finite and (diagonal > 0).all()):
        return None
    scale = np.sqrt(diagonal)
    scaled = moments / np.outer(scale, scale)
    values = np.linalg.eigvalsh(scaled)
    if not values[0] * _CONDITION > values[-1]:
        return None
    triangle = np.linalg.cholesky(scaled).T * scale
    solution: list[float] = (-np.linalg.solve(scaled, cross / scale) / scale).tolist()
    return triangle, solution


def _form(
    rows: RowData,
    turned: Sequence[Node],
    least: float,
    h: Sequence[float],
    moments: Sequence[Sequence[float]],
) -> Node:
    """S + sum_k u_k*(2*h_k + sum_l N_kl*u_l). turned: u. least: S. moments: N."""
    graph = rows.graph

    def given(value: float) -> Node:
        return graph.atom(rows.give(value))

    inputs = [[given(moments[i][j]) for j in range(i + 1)] for i in range(len(turned))]
    terms = [given(least)]
    for i, u in enumerate(turned):
        row = [inputs[max(i, j)][min(i, j)] for j in range(len(turned))]
        inner = [graph.mul(m, other) for m, other in zip(row, turned, strict=True)]
        terms.append(graph.mul(u, graph.add(given(2 * h[i]), *inner)))
    return graph.add(*terms)
