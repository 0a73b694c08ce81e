"""Textbook expressions that cancel or overflow, replaced by stable functions of the same value.

`log(1 + exp(x))` is mathematically softplus(x), but the one overflows at x = 710 and loses all
digits at x = -40, value and gradient. Each rule here is an identity over the reals; the tests
check every one against mpmath. What the user reads stays as typed; what runs is stable.
"""

from __future__ import annotations

from collections.abc import Sequence

import sympy

from symgd.functions import FUNCTIONS
from symgd.graph import MINUS_ONE, ONE, TWO, Graph, Node, float_of, is_inverse, is_negation

_NODE = {name: row.node for name, row in FUNCTIONS.items()}


def stabilize(graph: Graph, roots: Sequence[Node]) -> list[Node]:
    """The roots with constants folded and every unstable pattern rewritten, leaves first."""

    def change(node: Node, args: tuple[Node, ...]) -> Node:
        node = graph.same(node, args)
        if node.func is sympy.log:
            return _log(graph, node)
        if node.func is sympy.Add:
            return _add(graph, node)
        if node.func is sympy.Mul:
            return _mul(graph, node)
        if node.func is sympy.Pow:
            return _pow(graph, node)
        return node

    return graph.rebuild(graph.fold(roots), change)


def _call(graph: Graph, name: str, *args: Node) -> Node:
    return graph.node(_NODE[name], *args)


def _log(graph: Graph, node: Node) -> Node:
    """log(exp(x)), log(1+exp(x)), log(exp(x)+exp(y)), log(cosh(x)), log(sigmoid(x)), log(1+x)."""
    (inner,) = node.args
    if inner.func is sympy.exp:
        return inner.args[0]
    if inner.func is sympy.cosh:
        return _call(graph, "logcosh", *inner.args)
    if inner.func is _NODE["sigmoid"]:
        return graph.neg(_call(graph, "softplus", graph.neg(inner.args[0])))
    if inner.func is _NODE["expm1"]:
        return node
    if inner.func is not sympy.Add:
        return node
    terms = inner.args
    rest = [t for t in terms if t is not ONE]
    if len(terms) - len(rest) > 1:
        return node
    if len(rest) < len(terms) - 1:
        return node
    if all(t.func is sympy.exp for t in rest):
        powers = [t.args[0] for t in rest]
        if len(rest) == len(terms):
            return _call(graph, "logsumexp", *powers)
        if len(rest) == 1:
            return _call(graph, "softplus", powers[0])
        return _call(graph, "logsumexp", *powers, graph.number(0.0))
    if len(rest) < len(terms):
        return _call(graph, "log1p", graph.add(*rest))
    return node


def _add(graph: Graph, node: Node) -> Node:
    """exp(x) - 1, 1 - cos(x), cosh(x) - 1, 1 - sigmoid(x), 1 - exp(x), 1 - tanh(x)**2."""
    if len(node.args) != 2:
        return node
    for one, other in (node.args, node.args[::-1]):
        if one is MINUS_ONE and other.func is sympy.exp:
            return _call(graph, "expm1", *other.args)
        if one is MINUS_ONE and other.func is sympy.cosh:
            half = graph.node(sympy.sinh, graph.mul(graph.number(0.5), other.args[0]))
            return graph.mul(TWO, graph.pow(half, 2))
        if one is MINUS_ONE and other.func is sympy.cos:
            return graph.neg(_versine(graph, other.args[0]))
        if one is ONE and is_negation(other) and len(other.args) == 2:
            function = other.args[1]
            if function.func is sympy.exp:
                return graph.neg(_call(graph, "expm1", *function.args))
            if function.func is sympy.cos:
                return _versine(graph, function.args[0])
            if _is_square(function) and function.args[0].func is sympy.tanh:
                return graph.pow(graph.node(sympy.sech, *function.args[0].args), 2)
            if function.func is _NODE["sigmoid"]:
                return _call(graph, "sigmoid", graph.neg(function.args[0]))
    return node


def _is_square(node: Node) -> bool:
    return node.func is sympy.Pow and float_of(node.args[1]) == 2


def _versine(graph: Graph, x: Node) -> Node:
    """1 - cos(x) = 2*sin(x/2)**2."""
    half = graph.node(sympy.sin, graph.mul(graph.number(0.5), x))
    return graph.mul(TWO, graph.pow(half, 2))


def _mul(graph: Graph, node: Node) -> Node:
    """exp(x)/(1+exp(x)), exp(x)/(exp(x)+exp(y)): one share of a sum of exponentials."""
    args = list(node.args)
    for i, factor in enumerate(args):
        for j, top in enumerate(args):
            if top.func is not sympy.exp or i == j:
                continue
            share = _share(graph, top.args[0], factor)
            if share is not None:
                rest = [share if k == j else a for k, a in enumerate(args) if k != i]
                return _mul(graph, product) if _is_product(product := graph.mul(*rest)) else product
    return node


def _is_product(node: Node) -> bool:
    return node.func is sympy.Mul


def _share(graph: Graph, x: Node, factor: Node) -> Node | None:
    """exp(x)*factor where factor is 1/(exp(x) + ...), or sigmoid(-x), which is 1/(1 + exp(x))."""
    if factor.func is _NODE["sigmoid"]:
        u = factor.args[0]
        return _call(graph, "sigmoid", x) if graph.neg(u) is x or graph.neg(x) is u else None
    if not is_inverse(factor) or factor.args[0].func is not sympy.Add:
        return None
    terms = factor.args[0].args
    powers = [_power_of_e(graph, t) for t in terms]
    if any(p is None for p in powers) or not any(p is x for p in powers):
        return None
    if len(terms) == 2:
        other = powers[1] if powers[0] is x else powers[0]
        return _call(graph, "sigmoid", graph.sub(x, other))
    return graph.node(sympy.exp, graph.sub(x, _logsum(graph, powers)))


def _power_of_e(graph: Graph, term: Node) -> Node | None:
    """x where term is exp(x), 0 where term is 1."""
    if term.func is sympy.exp:
        return term.args[0]
    return graph.number(0.0) if term is ONE else None


def _logsum(graph: Graph, powers: Sequence[Node | None]) -> Node:
    return _call(graph, "logsumexp", *[p for p in powers if p is not None])


def _pow(graph: Graph, node: Node) -> Node:
    """1/(1+exp(x)), and sqrt(x**2 + y**2) of bare squares."""
    base, exponent = node.args
    value = float_of(exponent)
    if value == -1 and base.func is sympy.Pow and float_of(base.args[1]) is not None:
        inner = _pow(graph, graph.node(sympy.Pow, base.args[0], MINUS_ONE))
        if inner.func is _NODE["sigmoid"]:
            return graph.node(sympy.Pow, inner, base.args[1])
    if base.func is not sympy.Add:
        return node
    terms = base.args
    if value == -1 and len(terms) == 2 and ONE in terms:
        other = terms[1] if terms[0] is ONE else terms[0]
        if other.func is sympy.exp:
            return _call(graph, "sigmoid", graph.neg(other.args[0]))
    if value == 0.5 and all(_is_square(t) for t in terms):
        return _call(graph, "hypot", *[t.args[0] for t in terms])
    return node
