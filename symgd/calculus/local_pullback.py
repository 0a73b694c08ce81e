"""The pullback of powers and functions of the table.

Local derivatives are the formulas of the function table.
"""

from __future__ import annotations

from collections.abc import Sequence, Set
from typing import NamedTuple

import sympy

from symgd.calculus.masks import selection
from symgd.formula.functions.derivatives import DERIVATIVES
from symgd.formula.functions.table import BY_CLASS
from symgd.formula.graph import Graph
from symgd.formula.nodes import ONE, TWO, ZERO, Conjunction, Node, float_of, is_inverse
from symgd.formula.parse import substituted, table_formula


class Contribution(NamedTuple):
    """A term of the adjoint of `node`, and the condition under which it counts (None: always)."""

    node: Node
    term: Node
    condition: Node | None = None


def pullback_of_power(
    graph: Graph, node: Node, adjoint: Node, active: Set[int]
) -> list[Contribution]:
    """The contributions of the adjoint of a power to base and exponent."""
    base, exponent = node.args
    value = float_of(exponent)
    result: list[Contribution] = []
    if id(base) in active:
        if value is None:
            lower = graph.node(sympy.Pow, base, graph.sub(exponent, ONE))
            derivative = graph.mul(exponent, lower)
            if float_of(base) is None:  # x**0 is 1 also at 0, where 0*0**-1 is nan
                at_zero = [graph.compare("==", arg, ZERO) for arg in (exponent, base)]
                derivative = graph.where(graph.node(Conjunction, *at_zero), ZERO, derivative)
            result.append(Contribution(base, graph.mul(adjoint, derivative)))
        elif value == 2:
            result.append(Contribution(base, scaled_adjoint(graph, adjoint, graph.mul(TWO, base))))
        elif value == 0.5:
            result.append(
                Contribution(base, graph.div(graph.mul(graph.number(0.5), adjoint), node))
            )
        elif value != 0:
            derivative = graph.mul(exponent, graph.lower(base, exponent))
            result.append(Contribution(base, graph.mul(adjoint, derivative)))
    if id(exponent) in active:
        result.append(
            Contribution(exponent, graph.mul(adjoint, graph.mul(node, log_of_base(graph, base))))
        )
    return result


def log_of_base(graph: Graph, base: Node) -> Node:
    """The logarithm of the base of a power."""
    value = float_of(base)
    if value is not None and value > 0:
        return graph.fold([graph.node(sympy.log, base)])[0]
    # 0**y is 0 for every y > 0, so its derivative in y is 0, not 0*log(0) = nan.
    safe = graph.where(graph.compare("==", base, ZERO), ONE, base)
    return graph.node(sympy.log, safe)


def pullback_of_function(
    graph: Graph, node: Node, adjoint: Node, active: Set[int]
) -> list[Contribution]:
    """The contributions of the adjoint of a function of the table to its arguments."""
    row = BY_CLASS[node.func]
    if row.name == "softmax_term" and _known_scores(node):
        return _pullback_of_softmax_term(graph, node, adjoint, active)
    result: list[Contribution] = []
    for k, arg in enumerate(node.args):
        if id(arg) not in active:
            continue
        text = row.derivative_formula(k, len(node.args), graph.exact)
        whole = "a" in table_formula(text).variables  # the formula contains the adjoint
        single = row.variadic and text not in row.two_argument_derivatives
        given = (arg,) if single else node.args
        term = local_derivative(graph, text, given, node, adjoint)
        if term is not ZERO:
            term = term if whole else scaled_adjoint(graph, adjoint, term)
            result.append(Contribution(arg, term, selection(graph, node, k) if arg.args else None))
    return result


_MANY = 16  # scores: with more, one sweep over many shares of them would be quadratic


def _known_scores(node: Node) -> bool:
    x, _, total = node.args
    known = total.func is DERIVATIVES["exp_sum"].node and len(total.args) <= _MANY
    return known and any(score is x for score in total.args)


def _pullback_of_softmax_term(
    graph: Graph, node: Node, adjoint: Node, active: Set[int]
) -> list[Contribution]:
    """A share f of exp(x) in a known sum: f*(the shares of the others) for x, -f*share for those.

    By way of the sum, x would get f - f*f, which cancels where f is nearly 1.
    """
    x, top, total = node.args
    others = [score for score in total.args if score is not x]
    shares = [graph.node(node.func, score, top, total) for score in others]
    parts = [(x, graph.add(*shares))]
    parts += [(score, graph.neg(part)) for score, part in zip(others, shares, strict=True)]
    return [
        Contribution(score, scaled_adjoint(graph, adjoint, graph.mul(node, part)))
        for score, part in parts
        if id(score) in active
    ]


def local_derivative(
    graph: Graph, text: str, args: Sequence[Node], value: Node, adjoint: Node = ONE
) -> Node:
    """The formula `text` over x, y, z, w (the arguments), f and a as a node of `graph`."""
    row = BY_CLASS.get(value.func)
    places = dict(zip("xyzw", args, strict=False)) | {"f": value, "a": adjoint}
    for name, function in row.shared.items() if row is not None else ():
        places[name] = graph.node(DERIVATIVES[function].node, *value.args)
    root, values = substituted(text, places)

    def change(node: Node, new: tuple[Node, ...]) -> Node:
        return graph.simplified(node, new) if new else values.get(node, graph.atom(node))

    return graph.fold(graph.rebuild([root], change))[0]


def scaled_adjoint(graph: Graph, a: Node, b: Node) -> Node:
    """a*b, an adjoint times a derivative, with one division if b is 1/c."""
    if is_inverse(b):
        return graph.div(a, b.args[0])
    if a is ONE:
        return b
    (outer, rest), (inner, derivative) = _scaled(graph, a), _scaled(graph, b)
    if not graph.exact and _moderate(outer) and _moderate(inner):
        # Multiply the number into the derivative, which is known before the adjoint.
        return graph.mul(graph.number(outer * inner), derivative, rest)
    fraction = isinstance(b, sympy.Mul) and len(b.args) == 2 and is_inverse(b.args[1])
    if fraction and float_of(a) is None and float_of(b.args[0]) is not None:
        return graph.div(graph.mul(b.args[0], a), b.args[1].args[0])
    return graph.mul(a, b)


def _scaled(graph: Graph, node: Node) -> tuple[float, Node]:
    """(c, rest): node is c*rest, also where it is -(c*rest); c is 1 where there is no number."""
    scale = 1.0
    while node.func is sympy.Mul and (lead := float_of(node.args[0])) is not None:
        scale, node = scale * lead, graph.times(node.args[1:])
    return scale, node


def _moderate(scale: float) -> bool:
    """Whether a factor other than 1 may be reassociated without a risk of overflow.

    1e200 times a derivative of 1e200 is infinite, even if the adjoint is 1e-200.
    """
    return abs(scale) != 1 and 2.0**-64 < abs(scale) < 2.0**64
