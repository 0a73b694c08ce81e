"""The pullback of one node: what each of its arguments gets of the node's adjoint.

Local derivatives are the formulas of the function table.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from functools import cache

import sympy

from symgd.formula.functions.derivatives import SLOPES
from symgd.formula.functions.table import BY_CLASS
from symgd.formula.graph import Graph
from symgd.formula.nodes import (
    ONE,
    TWO,
    ZERO,
    Both,
    Name,
    Node,
    Where,
    float_of,
    is_inverse,
    relation,
)

Pulled = list[tuple[int, Node, Node]]  # (position, argument, what it gets of the adjoint)


def pull(graph: Graph, node: Node, adjoint: Node, wanted: set[int]) -> Pulled:
    """What each argument of `node` gets of the node's adjoint."""
    if adjoint is ZERO or relation(node) is not None:
        return []
    if node.func is sympy.Add:
        return [(k, a, adjoint) for k, a in enumerate(node.args) if id(a) in wanted]
    if node.func is Where:
        condition = node.args[0]
        halves = {1: (adjoint, ZERO), 2: (ZERO, adjoint)}
        return [
            (k, node.args[k], graph.where(condition, *halves[k]))
            for k in halves
            if id(node.args[k]) in wanted
        ]
    if node.func is sympy.Mul:
        return _pull_product(graph, node, adjoint, wanted)
    if node.func is sympy.Pow:
        return _pull_power(graph, node, adjoint, wanted)
    return _pull_function(graph, node, adjoint, wanted)


def _pull_product(graph: Graph, node: Node, adjoint: Node, wanted: set[int]) -> Pulled:
    """d(a*b/c): a gets adjoint*b/c, c gets -adjoint*node/c; linear in the number of factors.

    A factor that stands there n times gets n times what its first occurrence gets.
    """
    factors = node.args
    count = Counter(map(id, factors))
    before: list[list[Node]] = [[]]  # the product of the factors left of each
    for factor in factors[:-1]:
        before.append([_over(graph, [*before[-1], factor])])
    after: list[list[Node]] = [[]]  # and right of each
    for factor in reversed(factors[1:]):
        after.append([_over(graph, [factor, *after[-1]])])
    after.reverse()
    pairs: Pulled = []
    for k, factor in enumerate(factors):
        inner = factor.args[0] if is_inverse(factor) else factor
        times_there = count.pop(id(factor), 0)
        if id(inner) not in wanted or not times_there:
            continue
        if inner is not factor:
            term = graph.neg(graph.div(times(graph, adjoint, node), inner))
        else:
            term = times(graph, adjoint, _over(graph, [*before[k], *after[k]]))
        pairs.append((k, inner, graph.mul(graph.number(times_there), term)))
    return pairs


def _over(graph: Graph, factors: list[Node]) -> Node:
    """The product of factors, those that are inverses as divisions."""
    top = [f for f in factors if not is_inverse(f)]
    result = graph.mul(*top) if top else ONE
    for factor in factors:
        if is_inverse(factor):
            result = graph.div(result, factor.args[0])
    return result


def times(graph: Graph, a: Node, b: Node) -> Node:
    """a*b, an adjoint times a slope, dividing once where b is 1/c."""
    if is_inverse(b):
        return graph.div(a, b.args[0])
    if a is ONE:
        return b
    (outer, rest), (inner, slope) = _scaled(graph, a), _scaled(graph, b)
    if not graph.exact and _moderate(outer) and _moderate(inner):
        # The number goes with the slope: it is known early, the adjoint late.
        return graph.mul(graph.number(outer * inner), slope, rest)
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
    """Whether a number other than 1 may change places: what it scales is where it was, or so.

    1e200 times a slope of 1e200 is infinite, even where the adjoint is 1e-200.
    """
    return abs(scale) != 1 and 2.0**-64 < abs(scale) < 2.0**64


def _pull_power(graph: Graph, node: Node, adjoint: Node, wanted: set[int]) -> Pulled:
    base, exponent = node.args
    value = float_of(exponent)
    pairs: Pulled = []
    if id(base) in wanted:
        if value is None:
            lower = graph.node(sympy.Pow, base, graph.sub(exponent, ONE))
            slope = graph.mul(exponent, lower)
            if float_of(base) is None:  # x**0 is 1 also at 0, where its slope 0*0**-1 is nan
                at_zero = [graph.compare("==", arg, ZERO) for arg in (exponent, base)]
                slope = graph.where(graph.node(Both, *at_zero), ZERO, slope)
            pairs.append((0, base, graph.mul(adjoint, slope)))
        elif value == 2:
            pairs.append((0, base, times(graph, adjoint, graph.mul(TWO, base))))
        elif value == 0.5:
            pairs.append((0, base, graph.div(graph.mul(graph.number(0.5), adjoint), node)))
        elif value == -1:
            pairs.append((0, base, graph.neg(graph.div(times(graph, adjoint, node), base))))
        elif value != 0:
            slope = graph.mul(exponent, graph.lower(base, exponent))
            pairs.append((0, base, graph.mul(adjoint, slope)))
    if id(exponent) in wanted:
        pairs.append((1, exponent, graph.mul(adjoint, graph.mul(node, _log_of_base(graph, base)))))
    return pairs


def _log_of_base(graph: Graph, base: Node) -> Node:
    value = float_of(base)
    if value is not None and value > 0:
        return graph.fold([graph.node(sympy.log, base)])[0]
    # 0**y is 0 for every y > 0, so its derivative in y is 0, not 0*log(0) = nan.
    safe = graph.where(graph.compare("==", base, ZERO), ONE, base)
    return graph.node(sympy.log, safe)


def _pull_function(graph: Graph, node: Node, adjoint: Node, wanted: set[int]) -> Pulled:
    row = BY_CLASS[node.func]
    if row.name == "softmax" and _known_scores(node):
        return _pull_softmax(graph, node, adjoint, wanted)
    pairs: Pulled = []
    for k, arg in enumerate(node.args):
        if id(arg) not in wanted:
            continue
        text = row.slope(k, len(node.args), graph.exact)
        whole = "a" in _template(text)[1]  # the formula does with the adjoint what is to be done
        single = row.variadic and text not in row.pair
        given = (arg,) if single else node.args
        term = local_derivative(graph, text, given, node, adjoint)
        if term is not ZERO:
            pairs.append((k, arg, term if whole else times(graph, adjoint, term)))
    return pairs


_MANY = 16  # scores: with more, one sweep over many shares of them would be quadratic


def _known_scores(node: Node) -> bool:
    x, _, total = node.args
    known = total.func is SLOPES["exp_sum"].node and len(total.args) <= _MANY
    return known and any(score is x for score in total.args)


def _pull_softmax(graph: Graph, node: Node, adjoint: Node, wanted: set[int]) -> Pulled:
    """A share f of exp(x) in a known sum: f*(the shares of the others) for x, -f*share for those.

    By way of the sum, x would get f - f*f, which cancels where f is nearly 1.
    """
    x, top, total = node.args
    others = [score for score in total.args if score is not x]
    shares = [graph.node(node.func, score, top, total) for score in others]
    parts = [(x, graph.add(*shares))]
    parts += [(score, graph.neg(part)) for score, part in zip(others, shares, strict=True)]
    return [
        (k, score, times(graph, adjoint, graph.mul(node, part)))
        for k, (score, part) in enumerate(parts)
        if id(score) in wanted
    ]


def local_derivative(
    graph: Graph, text: str, args: Sequence[Node], value: Node, adjoint: Node = ONE
) -> Node:
    """The formula `text` over x, y, z, w (the arguments), f and a as a node of `graph`."""
    root, names = _template(text)
    row = BY_CLASS.get(value.func)
    places = dict(zip("xyzw", args, strict=False)) | {"f": value, "a": adjoint}
    for name, function in row.shared.items() if row is not None else ():
        places[name] = graph.node(SLOPES[function].node, *value.args)
    values = {names[n]: places[n] for n in names}

    def change(node: Node, new: tuple[Node, ...]) -> Node:
        return graph.simplified(node, new) if new else values.get(node, graph.atom(node))

    return graph.fold(graph.rebuild([root], change))[0]


@cache
def _template(text: str) -> tuple[Node, dict[str, Name]]:
    from symgd.formula.parse import parse

    formula = parse(text, table=True)
    return formula.root, dict(formula.variables)


def partials(graph: Graph, node: Node) -> list[tuple[Node, Node]]:
    """(argument, local derivative) pairs of one node, for looking where a gradient breaks."""
    wanted = {id(a) for a in node.args} | {id(a.args[0]) for a in node.args if is_inverse(a)}
    return [(arg, term) for _, arg, term in pull(graph, node, ONE, wanted)]
