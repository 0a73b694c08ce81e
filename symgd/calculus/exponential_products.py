"""Products in which growing functions meet: exp(x)*exp(-y), sinh(x)/cosh(x), exp(x)/(x + exp(x)).

The factors overflow where the product does not: inf/inf, inf*0. Here they become one exponential of
the sum of their exponents, tanh, coth, or a sum is divided by its largest exponential before it
divides. Every rule is an identity over the reals.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import sympy

from symgd.calculus.exponential_sums import Term, call, share
from symgd.formula.functions.table import FUNCTIONS
from symgd.formula.graph import Graph
from symgd.formula.nodes import MINUS_ONE, ONE, ZERO, Node, float_of, leading_number

_EXPM1 = FUNCTIONS["expm1"].node


def without_overflow(graph: Graph, node: Node) -> Node:
    """The product of the same value whose factors do not overflow together."""
    product = _Product(graph)
    for factor in node.args:
        product.take(factor)
    if not (product.exponents or (product.sinh and product.cosh)):
        return node
    factors = product.factors()
    return node if factors is None else graph.mul(*factors)


@dataclass
class _Product:
    """A product, its growing factors apart.

    others: the factors that are none. exponents: (u, written as a divisor) of exp(u). sinh, cosh:
    by the id of their argument, which power of them; arguments: by id. divisors: (sum, power) of
    those that may hold exponentials. expm1: (u, power) of divisors expm1(u).
    """

    graph: Graph
    others: list[Node] = field(default_factory=list)
    exponents: list[tuple[Node, bool]] = field(default_factory=list)
    sinh: dict[int, int] = field(default_factory=dict)
    cosh: dict[int, int] = field(default_factory=dict)
    arguments: dict[int, Node] = field(default_factory=dict)
    divisors: list[tuple[Node, int]] = field(default_factory=list)
    expm1: list[tuple[Node, int]] = field(default_factory=list)

    def take(self, factor: Node) -> None:
        """Put a factor where it belongs."""
        base, power = _whole_power(factor)
        if base.func is sympy.exp:
            u = self.graph.mul(self.graph.number(power), base.args[0])
            self.exponents.append((u, power < 0))
        elif base.func in (sympy.sinh, sympy.cosh):
            powers = self.sinh if base.func is sympy.sinh else self.cosh
            key = id(base.args[0])
            self.arguments[key] = base.args[0]
            powers[key] = powers.get(key, 0) + power
        elif base.func is _EXPM1 and power < 0:
            self.expm1.append((base.args[0], -power))
        elif base.func is sympy.Add and power < 0:
            self.divisors.append((base, -power))
        else:
            self.others.append(factor)

    def factors(self) -> list[Node] | None:
        """The factors of the new product; None where it is the old one."""
        graph, new = self.graph, self._quotients()
        falling = any(below or _is_negative(u) for u, below in self.exponents)
        over = any(p < 0 for p in self.cosh.values()) or bool(self.divisors or self.expm1)
        count = len(self.exponents) + len(self.cosh) + len(self.sinh)
        if self.exponents and (over or (falling and count > 1)):
            top = graph.add(*(u for u, _ in self.exponents))
            changed = self._with_exponential(top, new, falling)
        else:
            changed = bool(new)
            new += [graph.node(sympy.exp, u) for u, _ in self.exponents]
        if not changed:
            return None
        for cls, powers in ((sympy.sinh, self.sinh), (sympy.cosh, self.cosh)):
            of = self.arguments
            new += [_power(graph, graph.node(cls, of[u]), p) for u, p in powers.items() if p]
        new += [_power(graph, divisor, -p) for divisor, p in self.divisors]
        new += [_power(graph, call(graph, "expm1", u), -p) for u, p in self.expm1]
        return [*self.others, *new]

    def _quotients(self) -> list[Node]:
        """tanh and coth for sinh over cosh and cosh over sinh, which are taken out."""
        found = []
        for u in [u for u in self.sinh if u in self.cosh]:
            a, b = self.sinh[u], self.cosh[u]
            count = min(abs(a), abs(b)) if a * b < 0 else 0
            sign = 1 if a > 0 else -1
            self.sinh[u], self.cosh[u] = a - sign * count, b + sign * count
            cls = sympy.tanh if a > 0 else sympy.coth
            found += [self.graph.node(cls, self.arguments[u])] * count
        return found

    def _with_exponential(self, top: Node, new: list[Node], falling: bool) -> bool:
        """Add exp(top) and what it goes together with to `new`; whether that changes anything."""
        graph = self.graph
        for key, power in self.cosh.items():
            u = self.arguments[key]
            if power < 0:
                terms = [Term(0.5, u), Term(0.5, graph.neg(u))]
                new.append(share(graph, top, terms, -power))
                self.cosh[key] = 0
                return True
            if power == 1 and falling:
                new.append(self._half(graph.add, top, u))
                self.cosh[key] = 0
                return True
        for key, power in self.sinh.items():
            u = self.arguments[key]
            if power == 1 and falling:
                far = graph.compare(">", graph.node(sympy.Abs, u), ONE)
                near = graph.mul(graph.node(sympy.sinh, u), graph.node(sympy.exp, top))
                new.append(graph.where(far, self._half(graph.sub, top, u), near))
                self.sinh[key] = 0
                return True
        if self.expm1:
            u, power = self.expm1.pop()
            new.append(self._over_expm1(top, u, power))
            return True
        for k, (divisor, power) in enumerate(self.divisors):
            terms_of = _exponential_terms(graph, divisor)
            if terms_of is not None:
                new += _shifted(graph, top, terms_of, power)
                del self.divisors[k]
                return True
        new.append(graph.node(sympy.exp, top))
        return len(self.exponents) > 1

    def _over_expm1(self, top: Node, u: Node, power: int) -> Node:
        """exp(top)/expm1(u)**power."""
        graph = self.graph
        if power == 1 and top is u:
            return graph.neg(_power(graph, call(graph, "expm1", graph.neg(u)), -1))
        root = call(graph, "exp_over_expm1", graph.mul(graph.number(1 / power), top), u)
        return graph.pow(root, power)

    def _half(self, join: Callable[[Node, Node], Node], top: Node, u: Node) -> Node:
        """(exp(top + u) + exp(top - u))/2, or their difference."""
        graph = self.graph
        up, down = (graph.node(sympy.exp, end) for end in (graph.add(top, u), graph.sub(top, u)))
        return graph.mul(graph.number(0.5), join(up, down))


def _whole_power(factor: Node) -> tuple[Node, int]:
    """(base, power) of a factor; powers of powers are one."""
    power = 1
    while factor.func is sympy.Pow and (more := float_of(factor.args[1])) is not None:
        if more != int(more):
            break
        power, factor = power * int(more), factor.args[0]
    return factor, power


def _power(graph: Graph, base: Node, power: int) -> Node:
    if power < 0:
        return graph.node(sympy.Pow, graph.pow(base, -power), MINUS_ONE)
    return graph.pow(base, power)


def _is_negative(node: Node) -> bool:
    lead = leading_number(node)
    return lead is not None and lead < 0


def _exponential_terms(graph: Graph, total: Node) -> list[tuple[Node, Node | None]] | None:
    """The addends c*exp(u) of a sum as (c, u), u None without exponential; None if none has one."""
    found: list[tuple[Node, Node | None]] = []
    for term in total.args:
        factors = term.args if term.func is sympy.Mul else (term,)
        exps = [f for f in factors if f.func is sympy.exp]
        others = [f for f in factors if f.func is not sympy.exp]
        c = graph.mul(*others) if others else ONE
        found.append((c, graph.add(*(f.args[0] for f in exps)) if exps else None))
    return found if any(u is not None for _, u in found) else None


def _shifted(
    graph: Graph, top: Node, terms: list[tuple[Node, Node | None]], power: int
) -> list[Node]:
    """exp(top) over a power of the sum, both divided by the largest exponential of the sum.

    The quotient does not depend on that, so its derivative counts as 0.
    """
    largest = call(graph, "largest", *(u for _, u in terms if u is not None), ZERO)
    parts = [
        graph.mul(c, graph.node(sympy.exp, graph.sub(ZERO if u is None else u, largest)))
        for c, u in terms
    ]
    above = graph.sub(top, graph.mul(graph.number(power), largest))
    return [graph.node(sympy.exp, above), _power(graph, graph.add(*parts), -power)]
