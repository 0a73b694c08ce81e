"""Recognize sums of exponentials, and build stable logarithms, shares and ratios of them.

A sum is a list of terms c*exp(u): 2*exp(x) + exp(2*x) + 3 is (2, x), (1, 2*x), (3, None). A
positive constant c is exp(log c), so a sum with folded constants is a sum of exponentials too.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import sympy

from symgd.formula.functions import reference
from symgd.formula.functions.derivatives import DERIVATIVES
from symgd.formula.functions.table import FUNCTIONS
from symgd.formula.graph import Graph
from symgd.formula.nodes import ONE, ZERO, Node, float_of

NODE = {name: row.node for name, row in {**FUNCTIONS, **DERIVATIVES}.items()}


@dataclass(frozen=True)
class Term:
    """c*exp(u); u None: the constant c."""

    c: float
    u: Node | None


def call(graph: Graph, name: str, *args: Node) -> Node:
    """The node of a function of the table, derivative rows included."""
    return graph.node(NODE[name], *args)


def term_of(graph: Graph, node: Node) -> Term | None:
    """The node as one term, if it is a product of exponentials, their powers and numbers."""
    value = float_of(node)
    if value is not None:
        return Term(value, None)
    if node.func is sympy.exp:
        return Term(1.0, node.args[0])
    if node.func is sympy.Pow:
        inner, power = term_of(graph, node.args[0]), float_of(node.args[1])
        if inner is None or inner.u is None or power is None or inner.c <= 0:
            return None
        return _checked(reference.pow(inner.c, power), graph.mul(graph.number(power), inner.u))
    if node.func is not sympy.Mul:
        return None
    c, powers = 1.0, []
    for factor in node.args:
        part = term_of(graph, factor)
        if part is None:
            return None
        c *= part.c
        if part.u is not None:
            powers.append(part.u)
    return _checked(c, graph.add(*powers)) if powers else None


def _checked(c: float, u: Node) -> Term | None:
    return Term(c, u) if math.isfinite(c) and c else None


def terms_of(graph: Graph, node: Node) -> list[Term] | None:
    """The terms of a sum of at least one exponential, equal powers merged; None for others."""
    if node.func is NODE["expm1"]:
        return [Term(1.0, node.args[0]), Term(-1.0, None)]
    if node.func is sympy.Mul and float_of(node.args[0]) == -1 and len(node.args) == 2:
        inner = terms_of(graph, node.args[1])
        return inner and [Term(-t.c, t.u) for t in inner]
    merged: dict[int, Term] = {}
    for part in node.args if node.func is sympy.Add else (node,):
        term = term_of(graph, part)
        if term is None:
            return None
        known = merged.get(id(term.u))
        merged[id(term.u)] = Term(term.c + known.c, term.u) if known else term
    found = [t for t in merged.values() if t.c]
    return found if any(t.u is not None for t in found) else None


def positive_sum(graph: Graph, node: Node) -> list[Term] | None:
    """The terms of a sum of two or more positive exponentials; None for anything else."""
    terms = terms_of(graph, node) if node.func is sympy.Add else None
    if terms is None or len(terms) < 2 or not all(t.c > 0 for t in terms):
        return None
    return terms


def log_term(graph: Graph, term: Term) -> Node:
    """The logarithm of a term with c > 0: u + log(c)."""
    if term.u is None:
        return graph.number(math.log(term.c))
    return term.u if term.c == 1 else graph.add(term.u, graph.number(math.log(term.c)))


def log_sum(graph: Graph, terms: Sequence[Term]) -> Node:
    """The logarithm of a sum of positive terms."""
    powers = [log_term(graph, t) for t in terms]
    if len(powers) == 1:
        return powers[0]
    if len(terms) == 2 and Term(1.0, None) in terms:
        return call(graph, "softplus", powers[0] if terms[1].u is None else powers[1])
    return call(graph, "logsumexp", *powers)


def share(graph: Graph, u: Node | None, terms: Sequence[Term], copies: int = 1) -> Node:
    """exp(u) over the copies-th power of a positive sum; u None: 1 over it."""
    for term in terms:
        if _is_multiple(graph, u, term.u, copies):
            # c taken out: the rounding of u + log(c) would cost digits
            scale = 1.0 if term.u is None else term.c
            own = log_term(graph, Term(term.c / scale, term.u))
            others = [log_term(graph, Term(t.c / scale, t.u)) for t in terms if t is not term]
            part = _softmax(graph, own, others)
            return graph.pow(graph.mul(graph.number(1.0 / term.c), part), copies)
    top, total = _top_and_total(graph, terms)
    own = graph.number(0.0) if u is None else graph.div(u, graph.number(copies))
    return graph.pow(call(graph, "softmax_term", own, top, total), copies)


def _is_multiple(graph: Graph, u: Node | None, part: Node | None, copies: int) -> bool:
    if u is None or part is None:
        return u is part
    return graph.mul(graph.number(copies), part) is u


def _top_and_total(graph: Graph, terms: Sequence[Term]) -> tuple[Node, Node]:
    powers = [log_term(graph, t) for t in terms]
    return call(graph, "largest", *powers), call(graph, "exp_sum", *powers)


def _softmax(graph: Graph, u: Node, others: Sequence[Node]) -> Node:
    if len(others) > 1:
        return call(graph, "softmax", u, *others)
    (other,) = others
    if float_of(other) == 0:
        return call(graph, "sigmoid", u)
    if float_of(u) == 0:
        return call(graph, "sigmoid", graph.neg(other))
    return call(graph, "softmax2", u, other)


def log_share(graph: Graph, node: Node) -> Node | None:
    """The logarithm of what `share` makes, or None for another node."""
    if node.func is NODE["sigmoid"]:
        return graph.neg(call(graph, "softplus", graph.neg(node.args[0])))
    if node.func in (NODE["softmax2"], NODE["softmax"]):
        u, *others = node.args
        rest = others[0] if len(others) == 1 else call(graph, "logsumexp", *others)
        return graph.neg(call(graph, "softplus", graph.sub(rest, u)))
    if node.func is NODE["softmax_term"] and node.args[2].func is NODE["exp_sum"]:
        return graph.sub(node.args[0], call(graph, "logsumexp", *node.args[2].args))
    return None


def log_difference(graph: Graph, terms: Sequence[Term]) -> Node | None:
    """log(c*exp(u) - d*exp(v)) with c, d > 0: u' + log(1 - exp(-gap))."""
    if len(terms) != 2 or terms[0].c * terms[1].c >= 0:
        return None
    plus, minus = terms if terms[0].c > 0 else (terms[1], terms[0])
    u, v = log_term(graph, plus), log_term(graph, Term(-minus.c, minus.u))
    return graph.add(u, call(graph, "log1mexp", graph.sub(u, v)))


def ratio(graph: Graph, top: Node, terms: Sequence[Term]) -> Node | None:
    """A sum of exponentials over a positive sum; None where `top` is no such sum."""
    found = terms_of(graph, top)
    if found is None:
        return None
    if len(found) == len(terms) == 2 and found[0].c * found[1].c < 0:
        sizes = {id(t.u): t.c for t in terms}
        if all(abs(t.c) == sizes.get(id(t.u)) for t in found):  # (a - b)/(a + b)
            plus, minus = found if found[0].c > 0 else (found[1], found[0])
            scale = plus.c if plus.u is not None else -minus.c
            ends = Term(plus.c / scale, plus.u), Term(-minus.c / scale, minus.u)
            gap = graph.sub(*(log_term(graph, t) for t in ends))
            return graph.node(sympy.tanh, graph.mul(graph.number(0.5), gap))
        if top.func is not sympy.Add:  # exp(u) - 1 = tanh(u/2)*(exp(u) + 1), accurate near 0
            (u,) = [t.u for t in found if t.u is not None]
            (c,) = [t.c for t in found if t.u is not None]
            sum_ = [Term(c, u), Term(c, None)]
            half = graph.node(sympy.tanh, graph.mul(graph.number(0.5), u))
            return graph.mul(half, _shares(graph, sum_, terms))
    return _shares(graph, found, terms)


def _shares(graph: Graph, top: Sequence[Term], terms: Sequence[Term]) -> Node:
    rest = {id(t.u): t for t in terms}
    for t in top:
        known = rest.get(id(t.u), Term(0.0, None))
        rest[id(t.u)] = Term(known.c - t.c, t.u)
    left = [t for t in rest.values() if t.c]
    if all(t.c > 0 for t in (*top, *left)):  # a part of the sum: a/(a + b)
        if not left:  # 1, but nan where an exponent is
            inner = [t.u for t in top if t.u is not None and t.u.args]
            zeros = [graph.node(sympy.Mul, ZERO, u) for u in inner]
            return graph.node(sympy.Add, ONE, *zeros) if zeros else ONE
        return _softmax(graph, log_sum(graph, top), [log_sum(graph, left)])
    largest, total = _top_and_total(graph, terms)
    parts = []
    for t in top:
        own = graph.number(0.0) if t.u is None else t.u
        parts.append(graph.mul(graph.number(t.c), call(graph, "softmax_term", own, largest, total)))
    return graph.add(*parts)
