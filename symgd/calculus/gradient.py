"""The gradient by one reverse sweep over the shared graph (reverse accumulation).

Every node is visited once, so value and gradient together cost a small multiple of the value,
whatever the number of parameters, and the sweep is linear in the size of the formula (Griewank &
Walther, Evaluating Derivatives, 2nd ed., SIAM 2008, chapters 3 and 4). Local derivatives are the
formulas of the function table. The term of a sum over rows is swept once for all rows.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cache

import sympy

from symgd.calculus.masks import any_of, both, choice, masked, steep
from symgd.calculus.row_sums import row_sum, row_valued
from symgd.formula.functions.derivatives import SLOPES
from symgd.formula.functions.table import BY_CLASS
from symgd.formula.graph import Graph
from symgd.formula.nodes import (
    ONE,
    TWO,
    ZERO,
    Name,
    Node,
    RowPeak,
    RowSum,
    Where,
    float_of,
    is_inverse,
    relation,
    topological,
)


def gradient(graph: Graph, output: Node, wrt: Sequence[Node]) -> list[Node]:
    """The derivatives of `output` with respect to each leaf in `wrt`, as nodes of `graph`.

    The output may be the term of a row without sums in it; then so are the derivatives.
    A leaf that does not enter has derivative 0. What flows back into an argument that is not
    selected (where, max, min, clip, relu) is 0, even where a derivative inside it is infinite.
    """
    order = topological([output])
    sweep = _Sweep(graph, _dependent(order, wrt), steep(order), row_valued(order))
    sweep.flow(output, ONE, None)
    per_row = id(output) in sweep.varies  # then so are all derivatives
    sweep.down(n for n in order if per_row or id(n) not in sweep.varies)
    return [graph.add(*sweep.terms.get(id(leaf), ())) for leaf in wrt]


@dataclass
class _Sweep:
    """The state of one reverse sweep.

    wanted: nodes that depend on a leaf of interest. steep: those whose derivative may be infinite.
    varies: those with a value in every row. terms, uses: by node, what has flown back into it, and
    under which conditions.
    """

    graph: Graph
    wanted: set[int]
    steep: set[int]
    varies: set[int]
    terms: dict[int, list[Node]] = field(default_factory=dict)
    uses: dict[int, list[Node | None]] = field(default_factory=dict)

    def flow(self, node: Node, term: Node, reach: Node | None) -> None:
        """Let `term` flow into the adjoint of `node`, which counts where `reach` holds."""
        self.terms.setdefault(id(node), []).append(term)
        self.uses.setdefault(id(node), []).append(reach)

    def down(self, order: Iterable[Node]) -> None:
        """Pass the adjoint of every node on to its arguments, users before what they use."""
        graph = self.graph
        for node in reversed(list(order)):
            if id(node) not in self.wanted or not node.args or id(node) not in self.terms:
                continue
            adjoint = graph.add(*self.terms.pop(id(node)))
            reach = any_of(graph, self.uses.pop(id(node)))
            mask = reach if id(node) in self.steep else None
            if node.func is RowPeak:
                continue
            if node.func is RowSum:
                self.into_rows(node, adjoint, reach, mask)
                continue
            for k, arg, term in _pull(graph, node, adjoint, self.wanted):
                kept = term if mask is None else masked(graph, mask, term)
                chosen = choice(graph, node, k) if arg.args else None
                self.flow(arg, kept, both(graph, reach, chosen))

    def into_rows(self, total: Node, adjoint: Node, reach: Node | None, mask: Node | None) -> None:
        """The sweep through the term of a sum over rows.

        The adjoint of the term is that of the sum in every row; being linear, it stands before
        the sums that flow into what is the same in every row. So these sums need not wait for it.
        """
        graph, (term,) = self.graph, total.args
        inner = _Sweep(graph, self.wanted, self.steep, self.varies)
        inner.flow(term, ONE if mask is None else masked(graph, mask, ONE), mask)
        body = topological([term])
        inner.down(n for n in body if id(n) in self.varies)
        for node in body:
            if id(node) in inner.terms and id(node) not in self.varies:
                in_rows = graph.add(*inner.terms[id(node)])
                varies = row_valued(topological([in_rows]))
                self.flow(node, times(graph, adjoint, row_sum(graph, in_rows, varies)), reach)


def hessian(graph: Graph, output: Node, wrt: Sequence[Node]) -> list[list[Node]]:
    """The rows of the symmetric matrix of second derivatives: one sweep per gradient entry."""
    rows = [gradient(graph, g, wrt) for g in gradient(graph, output, wrt)]
    for i, row in enumerate(rows):
        for j in range(i):  # one expression for both halves
            row[j] = rows[j][i]
    return rows


def partials(graph: Graph, node: Node) -> list[tuple[Node, Node]]:
    """(argument, local derivative) pairs of one node, for looking where a gradient breaks."""
    wanted = {id(a) for a in node.args} | {id(a.args[0]) for a in node.args if is_inverse(a)}
    return [(arg, term) for _, arg, term in _pull(graph, node, ONE, wanted)]


def _dependent(order: Sequence[Node], wrt: Sequence[Node]) -> set[int]:
    """The nodes that depend on a leaf of `wrt`."""
    wanted = {id(leaf) for leaf in wrt}
    for node in order:
        if any(id(a) in wanted for a in node.args):
            wanted.add(id(node))
    return wanted


_Pulled = list[tuple[int, Node, Node]]  # (position, argument, what it gets of the adjoint)


def _pull(graph: Graph, node: Node, adjoint: Node, wanted: set[int]) -> _Pulled:
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


def _pull_product(graph: Graph, node: Node, adjoint: Node, wanted: set[int]) -> _Pulled:
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
    pairs: _Pulled = []
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


def _pull_power(graph: Graph, node: Node, adjoint: Node, wanted: set[int]) -> _Pulled:
    base, exponent = node.args
    value = float_of(exponent)
    pairs: _Pulled = []
    if id(base) in wanted:
        if value is None:
            lower = graph.node(sympy.Pow, base, graph.sub(exponent, ONE))
            slope = graph.mul(exponent, lower)
            if float_of(base) is None:  # x**0 is 1 everywhere, also at 0, where 0*x**-1 is nan
                slope = graph.where(graph.compare("==", exponent, ZERO), ZERO, slope)
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


def _pull_function(graph: Graph, node: Node, adjoint: Node, wanted: set[int]) -> _Pulled:
    row = BY_CLASS[node.func]
    if row.name == "softmax" and _known_scores(node):
        return _pull_softmax(graph, node, adjoint, wanted)
    pairs: _Pulled = []
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


def _pull_softmax(graph: Graph, node: Node, adjoint: Node, wanted: set[int]) -> _Pulled:
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
