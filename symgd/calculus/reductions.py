"""Sums over several indices, and the derivatives of reductions by their terms."""

from __future__ import annotations

from collections.abc import Iterable

from symgd.calculus.row_sums import index_sum
from symgd.formula.graph import Graph
from symgd.formula.indices import ROW, FreeIndices, Index, Largest, Product, Total
from symgd.formula.nodes import ONE, ZERO, Node


def total_over(graph: Graph, indices: Iterable[Index], term: Node, free: FreeIndices) -> Node:
    """The sum of `term` over some indices: over the rows outermost, over the last one innermost."""
    for index in sorted(indices, key=lambda i: (i is not ROW, len(i.name), i.name), reverse=True):
        term = index_sum(graph, index, term, free)
    return term


def reduction_derivative(graph: Graph, node: Node) -> Node:
    """The derivative of a reduction with respect to its term, for each value of the index.

    Of a product it is the product of the other factors. Where factors are 0, it is written so that
    its own derivative is right, too: the sum of the factors that are 0 is 0, its derivative is not.
    """
    if node.func is Product:
        index, factor = node.args
        is_zero = graph.compare("==", factor, ZERO)
        others = graph.node(Product, index, graph.where(is_zero, ONE, factor))
        count = graph.node(Total, index, graph.where(is_zero, ONE, ZERO))
        zeros = graph.node(Total, index, graph.where(is_zero, factor, ZERO))
        none, one, two = (graph.compare("==", count, graph.number(k)) for k in range(3))
        other = graph.where(two, graph.mul(others, graph.sub(zeros, factor)), ZERO)
        without = graph.div(others, factor)
        rest = graph.where(one, graph.mul(zeros, without), ZERO)
        return graph.where(
            is_zero, graph.where(one, others, other), graph.where(none, without, rest)
        )
    if node.func is Largest:
        index, term = node.args
        is_top = graph.compare("==", term, node)
        ties = graph.node(Total, index, graph.where(is_top, ONE, ZERO))
        return graph.where(is_top, graph.div(ONE, ties), ZERO)
    return ONE
