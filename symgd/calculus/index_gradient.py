"""The gradient of formulas with arrays, and its products with a vector, as nodes of the graph."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import sympy

from symgd.calculus.gradient import sweep
from symgd.calculus.reductions import total_over
from symgd.formula.graph import Graph
from symgd.formula.indices import ROW, Array, At, FreeIndices
from symgd.formula.nodes import ONE, ZERO, Name, Node, RowMax, RowSum, float_of, topological


@dataclass(frozen=True)
class Scatter:
    """For all values of the free indices of subscripts and term: gradient[subscripts] += term."""

    subscripts: tuple[Node, ...]
    term: Node


def index_gradient(
    graph: Graph, output: Node, scalars: Sequence[Name], arrays: Sequence[Array]
) -> tuple[list[Node], dict[Array, list[Scatter]]]:
    """The derivatives of a number with respect to numbers, and to the elements of arrays."""
    leaves = [graph.atom(leaf) for leaf in (*scalars, *arrays)]
    found = sweep(graph, output, leaves, together=True)
    scatters: dict[Array, list[Scatter]] = {array: [] for array in arrays}
    for node in topological([output]):
        if node.func is At and id(node) in found.adjoints and node.args[0] in scatters:
            term = found.total(node)
            if term is not ZERO:
                scatters[node.args[0]].append(Scatter(tuple(node.args[1:]), term))
    return [found.total(leaf) for leaf in leaves[: len(scalars)]], scatters


def directional_derivative(
    graph: Graph,
    gradient: tuple[Sequence[Node], Mapping[Array, Sequence[Scatter]]],
    scalars: Sequence[Node],
    arrays: Mapping[Array, Array],
) -> Node:
    """The product of a gradient and a vector: numbers in order, and an array for each array.

    Its gradient is the product of the Hessian and the vector.
    """
    numbers, scatters = gradient
    pairs = [*zip(numbers, map(graph.atom, scalars), strict=True)]
    for array, own in scatters.items():
        to = graph.atom(arrays[array])
        pairs += [(s.term, graph.node(At, to, *s.subscripts)) for s in own]
    free = FreeIndices()
    found: list[Node] = []
    in_rows: dict[int, tuple[Node, list[Node]]] = {}  # terms of sums over rows, by their factor
    for entry, factor in pairs:
        for part in entry.args if entry.func is sympy.Add else [entry]:
            common, inside, in_row = _row_term(graph, part, factor, free)
            if in_row:
                inside = total_over(graph, free(inside) - {ROW}, inside, free)
                in_rows.setdefault(id(common), (common, []))[1].append(inside)
            else:
                found.append(total_over(graph, free(inside), inside, free))
    for common, terms in in_rows.values():
        total = total_over(graph, {ROW}, graph.add(*terms), free)
        found.append(graph.mul(common, total))
    return graph.add(*found)


def _row_term(graph: Graph, part: Node, factor: Node, free: FreeIndices) -> tuple[Node, Node, bool]:
    """(common, inside, whether it is a sum over rows).

    The sum of part*factor over its indices is `common` times that of `inside` over its own. One
    pass over the rows is enough for all entries of a gradient that have the same `common`.
    """
    factors = _factors(part)
    common = [f for f in factors if not free(f) and f.func is not RowSum and float_of(f) is None]
    rest = [f for f in factors if not any(f is c for c in common)]
    if ROW in free(part) | free(factor):
        return graph.mul(*common), graph.mul(*rest, factor), True
    sums = [f for f in rest if f.func is RowSum]
    others = [f for f in rest if f.func is not RowSum]
    if len(sums) != 1 or any(n.func in (RowSum, RowMax) for n in topological(others)):
        return ONE, graph.mul(part, factor), False
    return graph.mul(*common), graph.mul(*others, *sums[0].args, factor), True


def _factors(node: Node) -> list[Node]:
    """The factors of nested products."""
    if node.func is not sympy.Mul:
        return [node]
    return [factor for part in node.args for factor in _factors(part)]
