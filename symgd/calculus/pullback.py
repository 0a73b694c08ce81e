"""The pullback of one node: the contributions of its adjoint to the adjoints of its arguments.

A divisor d that may overflow is differentiated by its logarithmic derivative. Its adjoint -n/d**2
would be multiplied by a derivative as large as d: in x/exp(x) this is 0*inf for x > 710, and
n/d**2 underflows for x > 373. Instead d(n/d) = -(n/d)*d(log d), where d(log d) is du for exp(u),
p*du/u for u**p, and the sum over the factors of a product.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Container, Sequence, Set
from dataclasses import dataclass, field

import sympy

from symgd.calculus.local_pullback import (
    Contribution,
    local_derivative,
    log_of_base,
    pullback_of_function,
    pullback_of_power,
    scaled_adjoint,
)
from symgd.calculus.masks import selection
from symgd.formula.functions.derivatives import DERIVATIVES
from symgd.formula.functions.table import BY_CLASS
from symgd.formula.graph import Graph
from symgd.formula.nodes import ONE, ZERO, Node, Where, float_of, is_inverse, relation, topological

_STEEP_POWER = 10  # a power from which on numbers below 1e31 overflow
_LARGEST_SUM = 64  # growing nodes of a divisor that is differentiated by itself
_RATIO = DERIVATIVES["ratio"].node


def pullback(
    graph: Graph, node: Node, adjoint: Node, active: Set[int], overflowing: Set[int] = frozenset()
) -> list[Contribution]:
    """The contributions of the adjoint of `node` to its arguments, or to those of a divisor.

    active: the nodes whose adjoints are needed. overflowing: those that may overflow.
    """
    if adjoint is ZERO or relation(node) is not None:
        return []
    if node.func is sympy.Add:
        return [Contribution(a, adjoint) for a in node.args if id(a) in active]
    if node.func is Where:
        condition = node.args[0]
        halves = {1: (adjoint, ZERO), 2: (ZERO, adjoint)}
        return [
            Contribution(
                node.args[k], graph.where(condition, *halves[k]), selection(graph, node, k)
            )
            for k in halves
            if id(node.args[k]) in active
        ]
    if node.func is sympy.Mul:
        return _pullback_of_product(graph, node, adjoint, active, overflowing)
    if node.func is sympy.Pow:
        base, power = node.args[0], float_of(node.args[1])
        if power == -1 or (power is not None and power < 0 and id(base) in overflowing):
            amount = graph.mul(graph.number(power), scaled_adjoint(graph, adjoint, node))
            return _Divisor(graph, base, active, overflowing).spread(amount)
        found = pullback_of_power(graph, node, adjoint, active)
        if power is None and base.func is sympy.Mul and id(base) in active:
            return [*_pullback_of_factors(graph, node, adjoint, found[0].term, active), *found[1:]]
        return found
    if node.func is _RATIO:
        top, bottom = node.args
        divisor = _Divisor(graph, bottom, active, overflowing)
        divisor.differentiate(top, adjoint, bottom)
        return divisor.spread(graph.neg(scaled_adjoint(graph, adjoint, node)))
    return pullback_of_function(graph, node, adjoint, active)


def partials(graph: Graph, node: Node) -> list[tuple[Node, Node]]:
    """(argument, local derivative) pairs of one node, to locate a non-finite gradient."""
    active = {id(a) for a in node.args} | {id(a.args[0]) for a in node.args if is_inverse(a)}
    return [(arg, term) for arg, term, _ in pullback(graph, node, ONE, active)]


def _pullback_of_product(
    graph: Graph, node: Node, adjoint: Node, active: Set[int], overflowing: Set[int]
) -> list[Contribution]:
    """d(a*b/c): a gets adjoint*b/c, c gets -adjoint*node/c; linear in the number of factors.

    A factor that occurs n times gets n times the contribution of one occurrence.
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
    contributions: list[Contribution] = []
    for k, factor in enumerate(factors):
        inner = factor.args[0] if is_inverse(factor) else factor
        occurrences = count.pop(id(factor), 0)
        if id(inner) not in active or not occurrences:
            continue
        if inner is not factor:
            amount = graph.mul(graph.number(-occurrences), scaled_adjoint(graph, adjoint, node))
            contributions += _Divisor(graph, inner, active, overflowing).spread(amount)
        else:
            term = scaled_adjoint(graph, adjoint, _over(graph, [*before[k], *after[k]]))
            if occurrences > 1:
                term = graph.mul(graph.number(occurrences), term)
            contributions.append(Contribution(inner, term))
    return contributions


def _pullback_of_factors(
    graph: Graph, node: Node, adjoint: Node, of_base: Node, active: Set[int]
) -> list[Contribution]:
    """d((a*b/c)**p) by d(log): a gets adjoint*p*node/a, and c gets -adjoint*p*node/c.

    By way of the base, in (x/t)**0.5 at x = 0 they would get 0*inf. of_base: the adjoint of the
    base, which goes to a where a is 0.
    """
    base, exponent = node.args
    amount = scaled_adjoint(graph, adjoint, graph.mul(exponent, node))
    contributions = []
    for k, factor in enumerate(base.args):
        if is_inverse(factor) and id(factor.args[0]) in active:
            contributions.append(
                Contribution(factor.args[0], graph.neg(graph.div(amount, factor.args[0])))
            )
        elif id(factor) in active:
            others = _over(graph, [f for j, f in enumerate(base.args) if j != k])
            plain = graph.mul(of_base, others)
            if float_of(others) is None:
                is_zero = graph.compare("==", factor, ZERO)
                plain = graph.where(is_zero, plain, graph.div(amount, factor))
            contributions.append(Contribution(factor, plain))
    return contributions


def _over(graph: Graph, factors: list[Node]) -> Node:
    """The product of factors, those that are inverses as divisions."""
    if len(factors) == 1 and factors[0].func not in (sympy.Mul, sympy.Pow):
        return factors[0]
    top = [f for f in factors if not is_inverse(f)]
    result = graph.mul(*top) if top else ONE
    for factor in factors:
        if is_inverse(factor):
            result = graph.div(result, factor.args[0])
    return result


@dataclass
class _Divisor:
    """A divisor, and what the nodes below it get."""

    graph: Graph
    node: Node
    active: Set[int]
    overflowing: Set[int]
    contributions: list[Contribution] = field(default_factory=list)

    def spread(self, amount: Node) -> list[Contribution]:
        """What gets amount*d(log divisor)."""
        self._spread(self.node, amount)
        return self.contributions

    def _spread(self, node: Node, amount: Node) -> None:
        """Pass on amount*d(log node), `node` being a factor of the divisor."""
        graph, row = self.graph, BY_CLASS.get(node.func)
        if id(node) not in self.active:
            return
        power = float_of(node.args[1]) if node.func is sympy.Pow else None
        if power is not None and power > 0:
            self._spread(node.args[0], scaled_adjoint(graph, amount, graph.number(power)))
        elif id(node) not in self.overflowing:
            self._flow(node, graph.div(amount, node))
        elif node.func is sympy.Pow:
            self._spread_power(node, amount)
        elif node.func is sympy.Mul:
            for factor in node.args:
                if is_inverse(factor):
                    self._spread(factor.args[0], graph.neg(amount))
                else:
                    self._spread(factor, amount)
        elif row is not None and row.relative_derivative:
            derivative = local_derivative(graph, row.relative_derivative, node.args, node)
            self._flow(node.args[0], scaled_adjoint(graph, amount, derivative))
        else:
            self.differentiate(node, amount, node)

    def _spread_power(self, node: Node, amount: Node) -> None:
        """Through a power whose exponent is no number."""
        graph, (base, exponent) = self.graph, node.args
        derivative = scaled_adjoint(graph, amount, exponent)
        if id(base) in self.overflowing:
            self._spread(base, derivative)
        elif id(base) in self.active:  # the only power of 0 that can divide is 0**0 = 1
            at_zero = graph.compare("==", base, ZERO)
            self._flow(base, graph.div(derivative, graph.where(at_zero, ONE, base)))
        if id(exponent) in self.active:
            self._flow(exponent, scaled_adjoint(graph, amount, log_of_base(graph, base)))

    def differentiate(self, root: Node, amount: Node, under: Node) -> None:
        """Propagate amount*d(root)/under: divide the derivatives before multiplying by the amount.

        root: a sum, or another node that has no logarithmic derivative of its own.
        """
        graph = self.graph
        inside = topological([root], known=_Except(self.overflowing))
        if id(root) not in self.overflowing or len(inside) > _LARGEST_SUM:
            if id(root) in self.active:
                self._flow(root, self._ratio(amount, under))
            return
        places = {id(node) for node in inside}
        adjoints: dict[int, list[Node]] = {id(root): [ONE]}
        for node in reversed(inside):
            places.discard(id(node))
            if id(node) not in adjoints:
                continue
            adjoint = graph.add(*adjoints.pop(id(node)))
            for arg, derivative, _ in pullback(graph, node, adjoint, self.active):
                if id(arg) in places:  # not yet passed: 1/arg is no node of these
                    adjoints.setdefault(id(arg), []).append(derivative)
                else:
                    self._flow(arg, scaled_adjoint(graph, amount, self._ratio(derivative, under)))

    def _ratio(self, derivative: Node, root: Node) -> Node:
        exact = self.graph.exact
        return (
            self.graph.div(derivative, root) if exact else self.graph.node(_RATIO, derivative, root)
        )

    def _flow(self, node: Node, term: Node) -> None:
        """`node` gets `term`; what is beyond the doubles where the divisor is does not matter."""
        finite = None
        if id(node) in self.overflowing and not self.graph.exact:
            largest = self.graph.number(sys.float_info.max)
            finite = self.graph.compare("<=", self.graph.node(sympy.Abs, self.node), largest)
        self.contributions.append(Contribution(node, term, finite))


def overflowing(order: Sequence[Node]) -> set[int]:
    """The nodes that may overflow where the leaves are of ordinary size."""
    found: set[int] = set()
    for node in order:
        row = BY_CLASS.get(node.func)
        inside = any(id(a) in found for a in node.args)
        if node.func is sympy.Pow:
            power = float_of(node.args[1])
            grows = power is None or power >= _STEEP_POWER or (inside and power > 0)
        elif row is None:
            grows = inside and node.func in (sympy.Add, sympy.Mul)
        else:
            grows = row.overflows or (inside and row.name in ("abs", "hypot"))
        if grows:
            found.add(id(node))
    return found


class _Except(Container[int]):
    """All numbers but these."""

    def __init__(self, these: Set[int]) -> None:
        self.these = these

    def __contains__(self, number: object) -> bool:
        return number not in self.these
