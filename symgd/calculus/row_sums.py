"""Rewrite sums over rows so that one pass over the data is enough.

A node is *row-valued* if it depends on a column other than through a sum over rows. The rewritings:
a mean is a sum divided by the number of rows, factors that are equal in all rows move out of the
sum, and a sum of a term that does not vary is a product.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import sympy

from symgd.formula.functions.function import ELEMENTARY
from symgd.formula.functions.table import BY_CLASS
from symgd.formula.graph import Graph
from symgd.formula.indices import ROW, ColumnVector, Count, FreeIndices, Index, Total
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


def row_valued(order: Iterable[Node]) -> set[int]:
    """The ids of the nodes of `order` (arguments first) that have a value in every row."""
    found: set[int] = set()
    for node in order:
        if _varies(node, found):
            found.add(id(node))
    return found


def _varies(node: Node, known: set[int]) -> bool:
    if isinstance(node, (Column, ColumnVector)):
        return True
    return node.func not in REDUCTIONS and any(id(a) in known for a in node.args)


def lower(graph: Graph, roots: Sequence[Node]) -> list[Node]:
    """The roots with every mean as a sum divided by ROWS, and sums in the form of `index_sum`.

    Expensive terms without a parameter become separate sums, which are computed once.
    """
    count = graph.atom(ROWS)
    varies: set[int] = set()
    parameter_free: set[int] = set()  # nodes without a parameter
    seen: set[int] = set()

    def classify(node: Node) -> Node:
        for part in topological([node], known=seen):
            seen.add(id(part))
            _mark(part, varies, parameter_free)
        return node

    free = FreeIndices()

    def change(node: Node, args: tuple[Node, ...]) -> Node:
        if node.func is Total:
            index, term = args
            return classify(index_sum(graph, index, term, lambda n: index in free(n)))
        if node.func not in (RowSum, RowMean, RowMax):
            return classify(graph.same(node, args))
        (term,) = args
        if node.func is RowMax:
            return classify(graph.same(node, args)) if id(term) in varies else term
        if node.func is RowMean and id(term) not in varies:
            return term  # the mean of a term that is equal in all rows
        parts = [classify(t) for t in _terms(graph, term, parameter_free)]
        total = graph.add(*(row_sum(graph, t, varies) for t in parts))
        return classify(graph.div(total, count) if node.func is RowMean else total)

    return graph.rebuild(roots, change)


def _mark(node: Node, varies: set[int], parameter_free: set[int]) -> None:
    if _varies(node, varies):
        varies.add(id(node))
    known = isinstance(node, (Column, ColumnVector)) or node is ROWS
    no_parameter = known or not isinstance(node, Name)
    if no_parameter and all(id(a) in parameter_free for a in node.args):
        parameter_free.add(id(node))


def _terms(graph: Graph, term: Node, parameter_free: set[int]) -> list[Node]:
    """`term`, split if a part of it is expensive and contains no parameter.

    Cheap parts are not split: sum(y) - sum(a*x) would cancel where y - a*x does not.
    """
    if term.func is not sympy.Add or id(term) in parameter_free:
        return [term]
    apart = [t for t in term.args if id(t) in parameter_free and _is_expensive(t)]
    if not apart:
        return [term]
    rest = [t for t in term.args if not any(t is a for a in apart)]
    return [graph.add(*rest), graph.add(*apart)] if rest else [term]


def _is_expensive(term: Node) -> bool:
    return any(
        node.func in BY_CLASS and BY_CLASS[node.func].cost > ELEMENTARY
        for node in topological([term])
    )


def row_sum(graph: Graph, term: Node, varies: set[int]) -> Node:
    """The sum of `term` over the rows, with factors that do not vary moved out."""
    return index_sum(graph, ROW, term, lambda node: id(node) in varies)


def index_sum(graph: Graph, index: Index, term: Node, varies: Callable[[Node], bool]) -> Node:
    """The sum of `term` over an index, with factors that do not vary with it moved out."""
    if not varies(term):
        return graph.mul(graph.atom(ROWS if index is ROW else Count(index)), term)
    cls, *over = (RowSum,) if index is ROW else (Total, graph.atom(index))
    outside: list[Node] = []
    inside = _varying_factors(term, varies, outside)
    if any(factor is ZERO for factor in outside):  # 0*log(x) is nan where log(x) is
        return graph.node(cls, *over, term)
    total = graph.node(cls, *over, _product(graph, inside))
    return _product(graph, [*outside, total]) if outside else total


def _varying_factors(term: Node, varies: Callable[[Node], bool], outside: list[Node]) -> list[Node]:
    """The factors of nested products that vary; the others go to `outside`."""
    if term.func is not sympy.Mul:
        return [term]
    inside: list[Node] = []
    for factor in term.args:
        leaf = factor.args[0] if is_inverse(factor) else factor
        if not varies(leaf):
            outside.append(factor)
        else:
            inside += _varying_factors(factor, varies, outside)
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
    dependent: set[int] = set()  # nodes that depend on a parameter
    for node in order:
        own = isinstance(node, Name) and not isinstance(node, Column) and node is not ROWS
        if own or any(id(a) in dependent for a in node.args):
            dependent.add(id(node))
    sums = [n for n in order if n.func in REDUCTIONS and id(n) not in dependent]
    inner = {id(n) for s in sums for n in topological([s])[:-1]}
    outer = {id(a) for n in order if id(n) in dependent or n.func not in REDUCTIONS for a in n.args}
    outer |= {id(r) for r in roots}
    return [s for s in sums if id(s) not in inner or id(s) in outer]
