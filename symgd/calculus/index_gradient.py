"""The gradient of formulas with arrays, and its products with a vector, as nodes of the graph."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from symgd.calculus.gradient import sweep
from symgd.calculus.reductions import total_over
from symgd.formula.graph import Graph
from symgd.formula.indices import Array, At, FreeIndices
from symgd.formula.nodes import ZERO, Name, Node, topological


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
    found = sweep(graph, output, leaves)
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
    free = FreeIndices()
    numbers, scatters = gradient
    terms = [graph.mul(g, v) for g, v in zip(numbers, scalars, strict=True)]
    for array, own in scatters.items():
        for scatter in own:
            factor = graph.node(At, graph.atom(arrays[array]), *scatter.subscripts)
            term = graph.mul(scatter.term, factor)
            terms.append(total_over(graph, free(term), term, free))
    return graph.add(*terms)
