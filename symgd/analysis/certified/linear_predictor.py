"""A bound of the Hessian of losses that read their parameters through a linear predictor.

Generalized linear models and their like: L = c*sum(f(z)), z linear in the parameters. The Hessian
is c*sum(f''(z)*a*a'), a the derivatives of z, so the range of f'' over all z, times the matrix of
second moments of a, bounds it for all parameters (Boehning and Lindsay 1988, Monotonicity of
quadratic approximation algorithms). Penalties, terms without data, add the bound of their own.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import sympy

from symgd._numpy import np
from symgd.analysis.certified.interval_arrays import Array, largest_eigenvalues
from symgd.analysis.certified.interval_tape import IntervalTape
from symgd.calculus.gradient import gradient
from symgd.formula.graph import Graph
from symgd.formula.nodes import Node, RowSum, depends, topological
from symgd.model.loss_internals import LossInternals

_FAR, _CELLS = 50.0, 2000  # z beyond are one cell on each side
_MOST = 10**7  # slots of cells that are bounded at once


def predictor_curvature(internals: LossInternals, data: Mapping[Node, Array]) -> float:
    """A bound of the eigenvalues of the Hessian at all parameters, or inf.

    data: the values of columns, (rows,), and of other inputs, (1,).
    """
    root, leaves = internals.stable, internals.atoms
    if internals.rows is None or internals.reduced:
        return math.inf
    terms = root.args if root.func is sympy.Add else (root,)
    total, penalty = 0.0, [t for t in terms if not _has_sum(t)]
    for term in terms:
        if _has_sum(term):
            rows = internals.rows.table.rows
            total += _of_sum(internals.graph, term, leaves, data, rows)
    if penalty and math.isfinite(total):
        total += _everywhere(internals.graph, penalty, leaves, data)
    return total


def _of_sum(
    graph: Graph, term: Node, leaves: Sequence[Node], data: Mapping[Node, Array], rows: int
) -> float:
    factors = term.args if term.func is sympy.Mul else (term,)
    sums = [f for f in factors if f.func is RowSum]
    if len(sums) != 1 or any(depends(f, leaves) for f in factors if f is not sums[0]):
        return math.inf
    (inner,) = sums[0].args
    z = _predictor(graph, inner, leaves)
    if z is None:
        return math.inf
    [alone] = graph.substitute([inner], {id(z): leaves[0]})
    [slope] = gradient(graph, alone, leaves[:1])
    [curvature] = gradient(graph, slope, leaves[:1])
    [scale] = graph.substitute([term], {id(sums[0]): graph.number(1.0)})
    slopes = gradient(graph, z, leaves)
    known = IntervalTape([scale, *slopes], leaves, data, rows)
    anything = np.full((len(leaves), 1), np.inf)
    _, high = known.enclose(-anything, anything)
    weight = float(high[known.slot(scale), 0])
    largest = _range_of_all(IntervalTape([curvature], leaves[:1], data, rows), curvature)
    if not weight >= 0 or not np.isfinite(largest).all():
        return math.inf
    size = (rows,)
    design = np.stack([np.broadcast_to(high[known.slots(g), 0], size) for g in slopes])
    moments = (design * np.broadcast_to(np.maximum(largest, 0.0), size)) @ design.T
    return float(np.linalg.eigvalsh(moments)[-1]) * weight * (1 + 1e-9)


def _range_of_all(tape: IntervalTape, node: Node) -> Array:
    """The upper bounds of a node over all values of the only parameter, one or one per row."""
    edges = np.concatenate([[-np.inf], np.linspace(-_FAR, _FAR, _CELLS + 1), [np.inf]])
    if tape.size > _MOST:
        return np.array([np.inf])
    largest, batch = np.full(len(tape.slots(node)), -np.inf), max(1, _MOST // tape.size)
    for first in range(0, len(edges) - 1, batch):
        ends = edges[first : first + batch + 1]
        _, high = tape.enclose(ends[None, :-1], ends[None, 1:])
        largest = np.maximum(largest, high[tape.slots(node)].max(axis=1))
    return largest


def _everywhere(
    graph: Graph, terms: Sequence[Node], leaves: Sequence[Node], data: Mapping[Node, Array]
) -> float:
    """A bound of the eigenvalues of the sum's Hessian at all parameters."""
    rows = [gradient(graph, slope, leaves) for slope in gradient(graph, graph.add(*terms), leaves)]
    tape = IntervalTape([entry for row in rows for entry in row], leaves, data)
    anything = np.full((len(leaves), 1), np.inf)
    slots = [[tape.slot(entry) for entry in row] for row in rows]
    low, high = (ends[slots][None, :, :, 0] for ends in tape.enclose(-anything, anything))
    return float(largest_eigenvalues(low, high)[0])


def _has_sum(node: Node) -> bool:
    return any(part.func is RowSum for part in topological([node]))


def _predictor(graph: Graph, term: Node, leaves: Sequence[Node]) -> Node | None:
    """The largest linear part of the term through which it reads all of its parameters."""
    for node in reversed(topological([term])):
        if not node.args or not depends(node, leaves):
            continue
        [rest] = graph.substitute([term], {id(node): graph.number(1.0)})
        if depends(rest, leaves):
            continue
        if not any(depends(g, leaves) for g in gradient(graph, node, leaves)):
            return node
    return None
