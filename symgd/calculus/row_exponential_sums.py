"""Shift the exponents in sums over rows, or an index, of exponentials: they do not overflow.

log(sum(exp(u))) = m + log(sum(exp(u - m))) for every m; if m is the largest u, the largest term is
1. The same holds for means, for sums of such sums, and for weighted sums; in a quotient m cancels.
The largest u takes a separate pass. Derivatives treat it as a constant: the value
does not depend on it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import sympy

from symgd.calculus.exponential_sums import call, term_of
from symgd.formula.graph import Graph
from symgd.formula.indices import Peak, Total
from symgd.formula.nodes import (
    ONE,
    ZERO,
    Node,
    RowMax,
    RowMean,
    RowSum,
    is_inverse,
    is_negation,
    topological,
)


class _Weighted(NamedTuple):
    """rest*exp(u); u None: rest alone."""

    rest: Node
    u: Node | None


class _RowSum(NamedTuple):
    """others times the sum, or mean, of terms over rows or an index; max_exponent: the largest."""

    others: list[Node]
    total: Node
    terms: list[_Weighted]
    max_exponent: Node


def log_of_rows(graph: Graph, inner: Node, more: Sequence[Node] = ()) -> Node | None:
    """The logarithm of `inner` and more addends, among which are sums over rows of exponentials."""
    addends = [*(inner.args if inner.func is sympy.Add else [inner]), *more]
    if len(addends) == 1 and (found := _log_of_product(graph, inner)) is not None:
        return found
    parts = [_as_row_sum(graph, a) or _as_weighted(graph, a) for a in addends]
    if not any(isinstance(p, _RowSum) for p in parts):
        return None
    tops = [
        p.max_exponent if isinstance(p, _RowSum) else (ZERO if p.u is None else p.u) for p in parts
    ]
    top = _largest(graph, tops)
    shifted = [
        _shifted_rows(graph, p, top) if isinstance(p, _RowSum) else _shifted(graph, p, top)
        for p in parts
    ]
    return graph.add(top, graph.node(sympy.log, graph.add(*shifted)))


def log_of_weighted_sum(graph: Graph, node: Node) -> Node | None:
    """The logarithm of a sum of terms c*exp(u), with the exponents shifted.

    None if there is no exponential in the sum.
    """
    addends = node.args if node.func is sympy.Add else [node]
    parts = [_as_weighted(graph, a) for a in addends if a is not ONE]
    exponents = [part.u for part in parts if part.u is not None]
    if not exponents:
        return None
    if len(addends) == 1:
        return graph.add(*exponents, graph.node(sympy.log, parts[0].rest))
    if len(exponents) < len(addends):
        exponents.append(ZERO)
    shift = call(graph, "exponent_shift", _largest(graph, exponents))
    shifted = [_shifted(graph, part, shift) for part in parts]
    if len(parts) == len(addends):
        return graph.add(shift, graph.node(sympy.log, graph.add(*shifted)))
    one = call(graph, "shifted_one", shift)  # less 1: log1p keeps the digits of the others
    return graph.add(shift, call(graph, "log1p", graph.add(one, *shifted)))


def _log_of_product(graph: Graph, node: Node) -> Node | None:
    """The logarithm of an exponential times a quotient made by `quotient_of_rows`."""
    rest, u = _as_weighted(graph, node)
    if u is None or all(n.func not in (RowMax, Peak) for n in topological([u])):
        return None
    return graph.add(u, graph.node(sympy.log, rest))


def quotient_of_rows(graph: Graph, node: Node) -> Node | None:
    """A product divided by one such sum, with the exponents of both shifted."""
    divisors = [(k, f.args[0]) for k, f in enumerate(node.args) if is_inverse(f)]
    below = [(k, p) for k, f in divisors if (p := _as_row_sum(graph, f))]
    if len(below) != 1:
        return None
    above = [(k, p) for k, f in enumerate(node.args) if (p := _as_row_sum(graph, f))]
    if len(above) > 1:
        return None
    if not above:
        return _share_of_rows(graph, node, *below[0])
    (i, top), (j, bottom) = above[0], below[0]
    kept = [f for k, f in enumerate(node.args) if k not in (i, j)]
    if top.max_exponent is not bottom.max_exponent:
        kept.append(graph.node(sympy.exp, graph.sub(top.max_exponent, bottom.max_exponent)))
    parts = (_shifted_rows(graph, p, p.max_exponent) for p in (top, bottom))
    return graph.mul(*kept, graph.div(*parts))


def _share_of_rows(graph: Graph, node: Node, place: int, bottom: _RowSum) -> Node | None:
    """exp(u) of a row, or of all, over such a sum: exp(u - m) over the shifted one."""
    rest, u = _as_weighted(graph, graph.mul(*(f for k, f in enumerate(node.args) if k != place)))
    if u is None:
        return None
    top = graph.mul(rest, graph.node(sympy.exp, graph.sub(u, bottom.max_exponent)))
    return graph.div(top, _shifted_rows(graph, bottom, bottom.max_exponent))


def _as_row_sum(graph: Graph, node: Node) -> _RowSum | None:
    """The node as a multiple of one sum over rows or an index that contains exponentials."""
    factors = list(node.args) if node.func is sympy.Mul else [node]
    sums = [f for f in factors if f.func in (RowSum, RowMean, Total)]
    if len(sums) != 1:
        return None
    (total,) = sums
    *over, term = total.args
    terms = [_as_weighted(graph, t) for t in (term.args if term.func is sympy.Add else [term])]
    if all(t.u is None for t in terms) or any(_is_shifted(t.u, over) for t in terms):
        return None
    outside = [_as_weighted(graph, f) for f in factors if f is not total]
    common = [o.u for o in outside if o.u is not None]
    if common:  # exp(b)*sum(exp(u)) is sum(exp(u + b))
        terms = [_Weighted(t.rest, graph.add(*common, *([t.u] if t.u else []))) for t in terms]
    max_exponent = _largest(graph, [ZERO if t.u is None else t.u for t in terms])
    others = [o.rest for o in outside]
    top = graph.node(Peak, *over, max_exponent) if over else graph.node(RowMax, max_exponent)
    return _RowSum(others, total, terms, top)


def _is_shifted(u: Node | None, over: Sequence[Node]) -> bool:
    """Whether the peak of an exponent over an index has been subtracted from it already."""
    parts = u.args if u is not None and u.func is sympy.Add else ()
    peaks = [p.args[1] for p in parts if is_negation(p)]
    return any(p.func is Peak and [p.args[0]] == over for p in peaks)


def _as_weighted(graph: Graph, node: Node) -> _Weighted:
    powers, rest = [], []
    for factor in node.args if node.func is sympy.Mul else [node]:
        term = term_of(graph, factor)
        if term is None or term.u is None:
            rest.append(factor)
            continue
        powers.append(term.u)
        rest.append(graph.number(term.c))
    return _Weighted(graph.mul(*rest), graph.add(*powers) if powers else None)


def _largest(graph: Graph, nodes: Sequence[Node]) -> Node:
    distinct = list({id(n): n for n in nodes}.values())
    return distinct[0] if len(distinct) == 1 else call(graph, "largest", *distinct)


def _shifted(graph: Graph, part: _Weighted, top: Node) -> Node:
    gap = graph.neg(top) if part.u is None else graph.sub(part.u, top)
    return graph.mul(part.rest, ONE if gap is ZERO else graph.node(sympy.exp, gap))


def _shifted_rows(graph: Graph, part: _RowSum, top: Node) -> Node:
    term = graph.add(*(_shifted(graph, t, top) for t in part.terms))
    total = graph.node(part.total.func, *part.total.args[:-1], term)
    return graph.mul(*part.others, total)
