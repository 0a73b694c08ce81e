"""Rewrite expressions that cancel or overflow as numerically stable functions of equal value.

log(1 + exp(x)) equals softplus(x), but overflows at x = 710 and loses all digits at x = -40, in
value and gradient. Each rewriting is an identity over the reals; the tests check every one against
mpmath. The displayed formula stays as typed; the compiled one is stable.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import sympy

from symgd.calculus.exponential_products import without_overflow
from symgd.calculus.exponential_sums import (
    NODE,
    Term,
    call,
    log_difference,
    log_share,
    log_sum,
    positive_sum,
    ratio,
    share,
    term_of,
    terms_of,
)
from symgd.calculus.powers_of_roots import power_of_root, product_of_roots
from symgd.calculus.row_exponential_sums import (
    log_of_rows,
    log_of_weighted_sum,
    quotient_of_rows,
)
from symgd.formula.functions import reference
from symgd.formula.graph import Graph
from symgd.formula.nodes import MINUS_ONE, ONE, TWO, Node, float_of, is_inverse, is_negation


def stabilize(graph: Graph, roots: Sequence[Node]) -> list[Node]:
    """The roots with constants folded and every unstable pattern rewritten, leaves first."""
    sums: _Sums = {}

    def change(node: Node, args: tuple[Node, ...]) -> Node:
        node = graph.same(node, args)
        if node.func is sympy.log or node.func is NODE["log1p"]:
            return _log(graph, node)
        if node.func is sympy.Add:
            return _add(graph, node)
        if node.func is sympy.Mul:
            node = product_of_roots(graph, node)
            found = quotient_of_rows(graph, node) or _mul(graph, node, sums)
            return without_overflow(graph, found) if found.func is sympy.Mul else found
        if node.func is sympy.Pow:
            return _pow(graph, node, sums)
        return node

    return graph.rebuild(graph.fold(roots), change)


#: id of the node that replaced 1/(a sum of exponentials)**k -> the terms of that sum, and k.
_Sums = dict[int, tuple[list[Term], int]]


def _log(graph: Graph, node: Node) -> Node:
    """log(exp(x)), log(1+exp(x)), log(2*exp(x)+exp(y)), log(cosh(x)), log(sigmoid(x)), log(1+x)."""
    (inner,) = node.args
    more = () if node.func is sympy.log else (ONE,)
    if (found := log_of_rows(graph, inner, more)) is not None:
        return found
    if node.func is not sympy.log:  # log1p
        term = term_of(graph, inner)
        if term is None or term.u is None or term.c <= 0:
            return node
        return log_sum(graph, [Term(1.0, None), term])
    found = _logarithm(graph, inner) or log_of_weighted_sum(graph, inner)
    if found is not None:
        return found
    if inner.func is sympy.Add:
        others = [t for t in inner.args if t is not ONE]
        if len(others) == len(inner.args) - 1:
            return call(graph, "log1p", graph.add(*others))
    return node


def _logarithm(graph: Graph, node: Node) -> Node | None:
    """The logarithm of a positive function of exponentials, without them."""
    if node.func is sympy.cosh:
        return call(graph, "logcosh", *node.args)
    if node.func is sympy.sinh:
        return call(graph, "logsinh", *node.args)
    if node.func is NODE["gamma"]:
        positive = graph.compare(">", node.args[0], graph.number(0.0))
        log = graph.node(sympy.log, node)
        return graph.where(positive, call(graph, "loggamma", *node.args), log)
    if node.func is NODE["ndtr"]:
        return call(graph, "log_ndtr", *node.args)
    if node.func is NODE["erfc"]:
        return call(graph, "log_erfc", *node.args)
    if (found := log_share(graph, node)) is not None:
        return found
    if node.func is sympy.Pow and (power := float_of(node.args[1])) is not None:
        found = log_share(graph, node.args[0]) or _of_hyperbolic(graph, node.args[0], power)
        if found is not None:
            return graph.mul(graph.number(power), found)
    if node.func is sympy.Add and len(node.args) == 2 and ONE in node.args:  # 1 + cosh(x)
        (other,) = [t for t in node.args if t is not ONE]
        if other.func is sympy.cosh:
            half = call(graph, "logcosh", graph.mul(graph.number(0.5), other.args[0]))
            return graph.add(graph.mul(TWO, half), graph.number(math.log(2.0)))
    terms = terms_of(graph, node)
    if terms is not None:
        positive = all(t.c > 0 for t in terms)
        return log_sum(graph, terms) if positive else log_difference(graph, terms)
    if node.func is sympy.Mul:
        scale, rest = _number_and_rest(node)
        if scale == 0.5 and len(rest) == 1 and rest[0].func is NODE["erfc"]:
            scaled = graph.mul(graph.number(-math.sqrt(2.0)), rest[0].args[0])
            return call(graph, "log_ndtr", scaled)
        found = _logarithm(graph, rest[0]) if scale > 0 and len(rest) == 1 else None
        return found and graph.add(found, graph.number(math.log(scale)))
    return None


def _of_hyperbolic(graph: Graph, node: Node, power: float) -> Node | None:
    """log(cosh(x)), or log|sinh(x)| where the power is even."""
    if node.func is sympy.cosh:
        return call(graph, "logcosh", *node.args)
    if node.func is sympy.sinh and power % 2 == 0:
        return call(graph, "logsinh", graph.node(sympy.Abs, *node.args))
    return None


def _number_and_rest(product: Node) -> tuple[float, list[Node]]:
    """The product of the numbers among the factors, divisors too, and the other factors."""
    scale, rest = 1.0, []
    for factor in product.args:
        number = float_of(factor.args[0] if is_inverse(factor) else factor)
        if number:
            scale = scale / number if is_inverse(factor) else scale * number
        else:
            rest.append(factor)
    return scale, rest


def _add(graph: Graph, node: Node) -> Node:
    """exp(x) - 1, 1 - cos(x), cosh(x) - 1, 1 - sigmoid(x), 1 - tanh(x)**2, 1 + erf(x), ..."""
    if len(node.args) != 2:
        return node
    for one, other in (node.args, node.args[::-1]):
        if one is MINUS_ONE and other.func is sympy.exp:
            return call(graph, "expm1", *other.args)
        if one is MINUS_ONE and other.func is sympy.cosh:
            half = graph.node(sympy.sinh, graph.mul(graph.number(0.5), other.args[0]))
            return graph.mul(TWO, graph.pow(half, 2))
        if one is MINUS_ONE and other.func is sympy.cos:
            return graph.neg(_versine(graph, other.args[0]))
        if one is ONE and is_negation(other) and len(other.args) == 2:
            function = other.args[1]
            if function.func is sympy.exp:
                return graph.neg(call(graph, "expm1", *function.args))
            if function.func is sympy.cos:
                return _versine(graph, function.args[0])
            if _is_square(function) and function.args[0].func is sympy.tanh:
                return graph.pow(graph.node(sympy.sech, *function.args[0].args), 2)
            if function.func is NODE["sigmoid"]:
                return call(graph, "sigmoid", graph.neg(function.args[0]))
            if function.func is NODE["softmax2"]:
                return call(graph, "softmax2", *function.args[::-1])
            if function.func is NODE["ndtr"]:
                return call(graph, "ndtr", graph.neg(function.args[0]))
            if function.func is NODE["softmax"]:
                return call(graph, "softmax_complement", *function.args)
        if (found := _one_plus_erf(graph, one, other)) is not None:
            return found
    return node


def _one_plus_erf(graph: Graph, c: Node, other: Node) -> Node | None:
    """c + c*erf(x) = c*erfc(-x), c - c*erf(x) = c*erfc(x) of a number c."""
    scale, number = 1.0, float_of(c)
    if other.func is sympy.Mul and len(other.args) == 2:
        scale, other = float_of(other.args[0]) or 0.0, other.args[1]
    if number is None or other.func is not NODE["erf"] or abs(scale) != abs(number):
        return None
    (x,) = other.args
    return graph.mul(c, call(graph, "erfc", graph.neg(x) if scale == number else x))


def _is_square(node: Node) -> bool:
    return node.func is sympy.Pow and float_of(node.args[1]) == 2


def _versine(graph: Graph, x: Node) -> Node:
    """1 - cos(x) = 2*sin(x/2)**2."""
    half = graph.node(sympy.sin, graph.mul(graph.number(0.5), x))
    return graph.mul(TWO, graph.pow(half, 2))


def _mul(graph: Graph, node: Node, sums: _Sums) -> Node:
    """exp(x)/(1+exp(x)), y*exp(x)/(exp(x)+2)**2, (exp(x)-1)/(exp(x)+1): shares of a sum."""
    args = list(node.args)
    for i, factor in enumerate(args):
        found = _reciprocal(graph, factor, sums)
        if found is None:
            continue
        terms, copies = found
        others = [k for k in range(len(args)) if k != i]
        exps = {k: t for k in others if (t := term_of(graph, args[k])) and t.u is not None}
        used = next((k for k, t in exps.items() if any(t.u is s.u for s in terms)), None)
        if used is not None:
            exps = {used: exps[used]}
        if exps:
            top = graph.add(*(t.u for t in exps.values()))
            scale = graph.number(reference.mul(*(t.c for t in exps.values())))
            new = [scale, *_share(graph, top, terms, copies, sums)]
            return _product(graph, [args[k] for k in others if k not in exps], new, sums)
        for k in others:
            part = ratio(graph, args[k], terms)
            if part is not None:
                new = [part, *(_share(graph, None, terms, copies - 1, sums) if copies > 1 else ())]
                return _product(graph, [args[j] for j in others if j != k], new, sums)
    return node


def _product(graph: Graph, kept: list[Node], new: list[Node], sums: _Sums) -> Node:
    product = graph.mul(*new, *kept)
    return _mul(graph, product, sums) if product.func is sympy.Mul else product


def _share(
    graph: Graph, top: Node | None, terms: list[Term], copies: int, sums: _Sums
) -> list[Node]:
    """The factors of exp(top)/sum**copies."""
    if top is not None and copies > 1 and any(t.u is top for t in terms):
        return [share(graph, top, terms), *_share(graph, None, terms, copies - 1, sums)]
    result = share(graph, top, terms, copies)
    if top is None:
        sums[id(result)] = terms, copies
    return [result]


def _reciprocal(graph: Graph, factor: Node, sums: _Sums) -> tuple[list[Term], int] | None:
    """The sum and k of a factor that is 1/sum**k; sigmoid(x) is 1/(1 + exp(-x))."""
    if id(factor) in sums:
        return sums[id(factor)]
    base, copies = factor, 1
    if factor.func is sympy.Pow and (power := float_of(factor.args[1])) is not None:
        if power != int(power) or power < 1:
            return None
        base, copies = factor.args[0], int(power)
    if base.func is NODE["sigmoid"]:
        return [Term(1.0, None), Term(1.0, graph.neg(base.args[0]))], copies
    return None


def _pow(graph: Graph, node: Node, sums: _Sums) -> Node:
    """1/(1+exp(x)), (2+exp(x))**-2, and sqrt(x**2 + y**2) of bare squares."""
    base, exponent = node.args
    value = float_of(exponent)
    if value is None:
        return node
    if (found := power_of_root(graph, base, value)) is not None:
        return found
    if value == -1 and base.func is sympy.Pow and (inner := float_of(base.args[1])) is not None:
        base, value = base.args[0], -inner
    terms = positive_sum(graph, base) if value < 0 else None
    if terms is not None:
        if value == int(value):
            return _share(graph, None, terms, -int(value), sums)[0]
        # as a power of a share it could underflow on the way
        return graph.node(sympy.exp, graph.mul(graph.number(value), log_sum(graph, terms)))
    if value == 0.5 and base.func is sympy.Add and all(_is_square(t) for t in base.args):
        return call(graph, "hypot", *[t.args[0] for t in base.args])
    return node
