"""A bound of the Hessian of losses that read their parameters through a linear predictor.

Generalized linear models and their like: L = c*sum(f(z)), z linear in the parameters. The Hessian
is c*sum(f''(z)*a*a'), a the derivatives of z, so the range of f'' over all z, times the matrix of
second moments of a, bounds it for all parameters (Boehning and Lindsay 1988, Monotonicity of
quadratic approximation algorithms).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from symgd.analysis.certified.box_ranges import Bounds, box_ranges
from symgd.calculus.gradient import gradient
from symgd.formula.graph import Graph
from symgd.formula.nodes import Node, RowSum, topological

_FAR, _CELLS = 50.0, 2000  # z beyond are one cell on each side
_MOST_CELLS = 4 * 10**6  # times rows


def predictor_curvature(
    graph: Graph, root: Node, leaves: Sequence[Node], data: Mapping[Node, Bounds], rows: int
) -> float:
    """A bound of the eigenvalues of the Hessian of c*sum(f(z)) at all parameters, or inf.

    data: the values of columns, (1, rows), and of other inputs, (1, 1).
    """
    factors = root.args if root.args and root.func is not RowSum else (root,)
    sums = [f for f in factors if f.func is RowSum]
    ids = {id(leaf) for leaf in leaves}
    if len(sums) != 1 or any(_reads(f, ids) for f in factors if f is not sums[0]):
        return math.inf
    (term,) = sums[0].args
    z = _predictor(graph, term, leaves)
    if z is None:
        return math.inf
    [alone] = graph.substitute([term], {id(z): leaves[0]})
    [slope] = gradient(graph, alone, leaves[:1])
    [curvature] = gradient(graph, slope, leaves[:1])
    [scale] = graph.substitute([root], {id(sums[0]): graph.number(1.0)})
    known = box_ranges([scale, *gradient(graph, z, leaves)], data, rows)
    weight = float(known[id(scale)][1].max())
    own = any(node in data and data[node][0].size > 1 for node in topological([curvature]))
    if not weight >= 0 or (own and _CELLS * rows > _MOST_CELLS):
        return math.inf
    edges = np.concatenate([[-np.inf], np.linspace(-_FAR, _FAR, _CELLS + 1), [np.inf]])[:, None]
    cells = {**data, leaves[0]: (edges[:-1], edges[1:])}
    largest = box_ranges([curvature], cells, rows)[id(curvature)][1].max(axis=0)
    if not np.isfinite(largest).all():
        return math.inf
    slopes = [known[id(node)] for node in gradient(graph, z, leaves)]
    design = np.stack([np.broadcast_to((low + high) / 2, (1, rows))[0] for low, high in slopes])
    moments = (design * np.broadcast_to(np.maximum(largest, 0.0), rows)) @ design.T
    return float(np.linalg.eigvalsh(moments)[-1]) * weight * (1 + 1e-9)


def _reads(node: Node, ids: set[int]) -> bool:
    return any(id(n) in ids for n in topological([node]))


def _predictor(graph: Graph, term: Node, leaves: Sequence[Node]) -> Node | None:
    """The largest linear part of the term through which it reads all of its parameters."""
    ids = {id(leaf) for leaf in leaves}
    for node in reversed(topological([term])):
        if not node.args or not _reads(node, ids):
            continue
        [rest] = graph.substitute([term], {id(node): graph.number(1.0)})
        if not _reads(rest, ids) and not any(_reads(g, ids) for g in gradient(graph, node, leaves)):
            return node
    return None
