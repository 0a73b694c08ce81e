"""Sums over rows and other indices, and the derivatives of reductions by their terms.

One pass over the data is to be enough: a mean is a sum divided by the number of rows, factors that
are equal in all rows move out of the sum, and a sum of a term that does not vary is a product.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import sympy

from symgd.formula.functions.function import ELEMENTARY
from symgd.formula.functions.table import BY_CLASS
from symgd.formula.graph import Graph
from symgd.formula.indices import (
    ROW,
    ColumnVector,
    Count,
    FreeIndices,
    Index,
    Largest,
    Product,
    Total,
)
from symgd.formula.nodes import (
    MINUS_ONE,
    ONE,
    REDUCTIONS,
    ROWS,
    ZERO,
    Column,
    Name,
    Node,
    RowMax,
    RowMean,
    RowSum,
    is_inverse,
    topological,
)


def lower(graph: Graph, roots: Sequence[Node]) -> list[Node]:
    """The roots with every mean as a sum divided by ROWS, and sums in the form of `index_sum`.

    Expensive terms without a parameter become separate sums, which are computed once.
    """
    free = FreeIndices()
    dependent: dict[int, bool] = {}

    def change(node: Node, args: tuple[Node, ...]) -> Node:
        if node.func is Total:
            index, term = args
            return index_sum(graph, index, term, free)
        if node.func not in (RowSum, RowMean, RowMax):
            return graph.same(node, args)
        (term,) = args
        if node.func is not RowSum and ROW not in free(term):
            return term  # the mean, or maximum, of a term that is equal in all rows
        if node.func is RowMax:
            return graph.same(node, args)
        parts = _terms(graph, term, dependent)
        total = graph.add(*(index_sum(graph, ROW, t, free) for t in parts))
        return graph.div(total, graph.atom(ROWS)) if node.func is RowMean else total

    return graph.rebuild(roots, change)


def _has_parameter(node: Node, known: dict[int, bool]) -> bool:
    """Whether a node depends on a name that is no column. known: what was found before."""
    for part in topological([node], known=known):
        data = isinstance(part, (Column, ColumnVector)) or part is ROWS
        own = isinstance(part, Name) and not data
        known[id(part)] = own or any(known[id(a)] for a in part.args)
    return known[id(node)]


def _terms(graph: Graph, term: Node, dependent: dict[int, bool]) -> list[Node]:
    """`term`, split if a part of it is expensive and contains no parameter.

    Cheap parts are not split: sum(y) - sum(a*x) would cancel where y - a*x does not.
    """
    if term.func is not sympy.Add or not _has_parameter(term, dependent):
        return [term]
    apart = [t for t in term.args if not dependent[id(t)] and _is_expensive(t)]
    if not apart:
        return [term]
    rest = [t for t in term.args if not any(t is a for a in apart)]
    return [graph.add(*rest), graph.add(*apart)] if rest else [term]


def _is_expensive(term: Node) -> bool:
    return any(
        node.func in BY_CLASS and BY_CLASS[node.func].cost > ELEMENTARY
        for node in topological([term])
    )


def index_sum(graph: Graph, index: Index, term: Node, free: FreeIndices) -> Node:
    """The sum of `term` over an index, with factors that do not vary with it moved out."""
    if index not in free(term):
        return graph.mul(graph.atom(ROWS if index is ROW else Count(index)), term)
    cls, *over = (RowSum,) if index is ROW else (Total, graph.atom(index))
    outside: list[Node] = []
    inside = _varying_factors(term, index, free, outside)
    if any(factor is ZERO for factor in outside):  # 0*log(x) is nan where log(x) is
        return graph.node(cls, *over, term)
    total = graph.node(cls, *over, _product(graph, inside))
    return _product(graph, [*outside, total]) if outside else total


def total_over(graph: Graph, indices: Iterable[Index], term: Node, free: FreeIndices) -> Node:
    """The sum of `term` over some indices: over the rows outermost, over the last one innermost."""
    for index in sorted(indices, key=lambda i: (i is not ROW, len(i.name), i.name), reverse=True):
        term = index_sum(graph, index, term, free)
    return term


def _varying_factors(
    term: Node, index: Index, free: FreeIndices, outside: list[Node]
) -> list[Node]:
    """The factors of nested products that vary with an index; the others go to `outside`."""
    if term.func is not sympy.Mul:
        return [term]
    inside: list[Node] = []
    for factor in term.args:
        leaf = factor.args[0] if is_inverse(factor) else factor
        if index not in free(leaf):
            outside.append(factor)
        else:
            inside += _varying_factors(factor, index, free, outside)
    return inside


def _product(graph: Graph, factors: list[Node]) -> Node:
    """The product as a chain of binary products with shared prefixes; divisions last."""
    result = sympy.S.One
    for factor in factors:
        if not is_inverse(factor):
            result = graph.mul(result, factor)
    for factor in factors:
        if is_inverse(factor):
            result = graph.div(result, factor.args[0])
    return result


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


def restore_means(graph: Graph, factors: Sequence[Node]) -> list[Node]:
    """The factors of a product, with sum(term)/sum(1) rewritten as mean(term)."""
    kept = list(factors)
    over = graph.node(sympy.Pow, graph.node(RowSum, ONE), MINUS_ONE)
    for total in [f for f in factors if f.func is RowSum]:
        if not any(f is over for f in kept):
            break
        place = next(k for k, f in enumerate(kept) if f is over)
        del kept[place]
        (term,) = total.args
        mean = ONE if term is ONE else graph.node(RowMean, term)
        kept[next(k for k, f in enumerate(kept) if f is total)] = mean
    return kept


def constant_sums(roots: Sequence[Node]) -> list[Node]:
    """The maximal sums over rows that contain no parameter."""
    order = topological(roots)
    known: dict[int, bool] = {}
    dependent = {id(n) for n in order if _has_parameter(n, known)}
    sums = [n for n in order if n.func in REDUCTIONS and id(n) not in dependent]
    inner = {id(n) for s in sums for n in topological([s])[:-1]}
    outer = {id(a) for n in order if id(n) in dependent or n.func not in REDUCTIONS for a in n.args}
    outer |= {id(r) for r in roots}
    return [s for s in sums if id(s) not in inner or id(s) in outer]
