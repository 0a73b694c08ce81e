"""The nodes of the reductions over indices: sum, mean, prod, max, min, logsumexp, norm."""

from __future__ import annotations

from collections.abc import Sequence

import sympy

from symgd.formula.graph import Graph
from symgd.formula.indices import Count, Index, Largest, Peak, Product, Total
from symgd.formula.nodes import ONE, ZERO, Node


def reduction(
    graph: Graph, name: str, indices: Sequence[Index], body: Node, conditions: Sequence[Node]
) -> Node:
    """The reduction of this name over the indices, the first one outermost.

    conditions: where alone the term counts; only of sum, mean, prod and norm.
    """
    atoms = [graph.atom(i) for i in indices]

    def over(cls: type, node: Node) -> Node:
        for index in reversed(atoms):
            node = graph.node(cls, index, node)
        return node

    def where(node: Node, otherwise: Node) -> Node:
        for condition in conditions:
            node = graph.where(condition, node, otherwise)
        return node

    def total(node: Node) -> Node:
        return over(Total, where(node, ZERO))

    if name == "sum":
        return total(body)
    if name == "mean":
        count = graph.mul(*(graph.atom(Count(i)) for i in indices))
        return graph.div(total(body), total(ONE) if conditions else count)
    if name == "norm":
        return graph.sqrt(total(graph.pow(body, 2)))
    if name == "prod":
        return over(Product, where(body, ONE))
    if name == "max":
        return over(Largest, body)
    if name == "min":
        return graph.neg(over(Largest, graph.neg(body)))
    peak = over(Peak, body)
    return graph.add(
        peak, graph.node(sympy.log, total(graph.node(sympy.exp, graph.sub(body, peak))))
    )
