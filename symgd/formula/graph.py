"""The shared expression graph: SymPy nodes without automatic simplification, hash-consed.

A formula is kept exactly as it was typed: `Graph` builds SymPy's node classes without their
automatic simplification (which would reorder sums, distribute numbers and cancel x/x). Equal
sub-expressions are one object, so equality is identity and traversals are linear.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import sympy

from symgd.formula.evaluate import constant_value
from symgd.formula.functions import reference
from symgd.formula.nodes import (
    MINUS_ONE,
    ONE,
    RELATIONS,
    ZERO,
    Node,
    Where,
    float_of,
    is_inverse,
    is_negation,
    leading_number,
    number,
    topological,
)


class Graph:
    """A hash-consing table: equal nodes are one object.

    `node` builds without rewriting; `add`, `mul`, `neg`, `div`, `pow` fold zeros, ones and
    constants, and build derivatives.
    """

    #: whether no constant is ever rounded (`symgd.backends.exact.exact_graph`)
    exact = False

    def __init__(self) -> None:
        self._nodes: dict[tuple[Any, ...], Node] = {}

    def __len__(self) -> int:
        return len(self._nodes)

    # -- building -------------------------------------------------------------------------

    def atom(self, node: Node) -> Node:
        """The one object for a number or name."""
        # The type keeps Float(0.5) and Rational(1, 2) apart, which are equal in SymPy < 1.13.
        return self._nodes.setdefault((type(node), node), node)

    def number(self, value: float) -> Node:
        """The one object for a finite float."""
        return self.atom(number(value))

    def node(self, cls: type, *args: Node) -> Node:
        """The one object of this class over these arguments, just as given."""
        key = (cls, *map(id, args))
        found = self._nodes.get(key)
        if found is None:
            found = sympy.Basic.__new__(cls, *args)
            if cls in (sympy.Add, sympy.Mul, sympy.Pow):
                found.is_commutative = True
            found = self._nodes.setdefault(key, found)  # another thread may have been first
        return found

    def add(self, *terms: Node) -> Node:
        """The sum; zeros dropped, equal terms counted, numbers folded to the end."""
        constant, counts = 0.0, dict[int, int]()
        kept: dict[int, Node] = {}
        for term in terms:
            value = float_of(term)
            if value is not None:
                constant += value
                continue
            kept[id(term)] = term
            counts[id(term)] = counts.get(id(term), 0) + 1
        parts = [
            t if counts[i] == 1 else self.mul(self.number(counts[i]), t) for i, t in kept.items()
        ]
        if constant - constant != 0:
            return self.node(sympy.Add, *terms)
        if constant or not parts:
            parts.append(self.number(constant))
        return parts[0] if len(parts) == 1 else self.node(sympy.Add, *parts)

    def mul(self, *factors: Node) -> Node:
        """The product; 0 if a factor is 0, ones dropped, signs and numbers merged in front."""
        if any(f is ZERO for f in factors):
            return ZERO
        numbers = [lead for f in factors if (lead := leading_number(f)) not in (None, 1.0)]
        if len(numbers) > 1 and not _finite(numbers):  # their product overflows or underflows
            return self.times(factors)
        merge = len([n for n in numbers if n != -1]) > 1
        constant = 1.0
        parts: list[Node] = []
        for factor in factors:
            lead = leading_number(factor)
            if float_of(factor) is not None:
                constant *= lead if lead is not None else 1.0
            elif lead is not None and (merge or lead == -1):
                constant *= lead
                parts.append(self.times(factor.args[1:]))
            else:
                parts.append(factor)
        if constant != 1 or not parts:
            parts.insert(0, self.number(constant))
            if constant == -1 and len(parts) > 2:
                return self.node(sympy.Mul, MINUS_ONE, self.times(parts[1:]))
        return self.times(parts)

    def times(self, factors: Sequence[Node]) -> Node:
        """The bare product node of one or more factors."""
        return factors[0] if len(factors) == 1 else self.node(sympy.Mul, *factors)

    def neg(self, a: Node) -> Node:
        """-a."""
        return self.mul(MINUS_ONE, a)

    def sub(self, a: Node, b: Node) -> Node:
        """a - b."""
        return self.add(a, self.neg(b))

    def div(self, a: Node, b: Node) -> Node:
        """a/b, as one division."""
        top, bottom = float_of(a), float_of(b)
        if top == 0 or bottom == 1:
            return a
        if top is not None and bottom:
            return self.number(top / bottom)
        if is_negation(a):
            return self.neg(self.div(self.times(a.args[1:]), b))
        if is_negation(b):
            return self.neg(self.div(a, self.times(b.args[1:])))
        inverse = self.node(sympy.Pow, b, MINUS_ONE)
        return inverse if top == 1 else self.node(sympy.Mul, a, inverse)

    def pow(self, base: Node, exponent: float) -> Node:
        """base to a constant power."""
        if exponent == 0:
            return ONE
        if exponent == 1:
            return base
        return self.node(sympy.Pow, base, self.number(exponent))

    def lower(self, base: Node, exponent: Node) -> Node:
        """base to the power of exponent - 1, exponent a number."""
        return self.pow(base, (float_of(exponent) or 0.0) - 1)

    def compare(self, op: str, a: Node, b: Node) -> Node:
        """The relation `a op b`, op one of < <= > >= == !=."""
        return self.node(RELATIONS[op], a, b)

    def where(self, condition: Node, a: Node, b: Node) -> Node:
        """a where the condition holds, else b."""
        return a if a is b else self.node(Where, condition, a, b)

    def sqrt(self, a: Node) -> Node:
        """The square root."""
        return self.node(sympy.Pow, a, self.number(0.5))

    # -- walking --------------------------------------------------------------------------

    def rebuild(
        self, roots: Sequence[Node], change: Callable[[Node, tuple[Node, ...]], Node]
    ) -> list[Node]:
        """The roots with every node replaced by change(node, new arguments), leaves first."""
        done: dict[int, Node] = {}
        for node in topological(roots):
            done[id(node)] = change(node, tuple(done[id(a)] for a in node.args))
        return [done[id(root)] for root in roots]

    def same(self, node: Node, args: tuple[Node, ...]) -> Node:
        """`node` over other arguments."""
        return self.node(node.func, *args) if args else self.atom(node)

    def replace(self, roots: Sequence[Node], values: Mapping[Node, Node]) -> list[Node]:
        """The roots with leaves replaced."""

        def change(node: Node, args: tuple[Node, ...]) -> Node:
            return values[node] if not args and node in values else self.same(node, args)

        return self.rebuild(roots, change)

    def substitute(self, roots: Sequence[Node], new: Mapping[int, Node]) -> list[Node]:
        """The roots with the nodes of these ids replaced."""

        def change(node: Node, args: tuple[Node, ...]) -> Node:
            return new[id(node)] if id(node) in new else self.same(node, args)

        return self.rebuild(roots, change)

    def simplified(self, node: Node, args: tuple[Node, ...]) -> Node:
        """`node` over other arguments, without terms 0 and factors 1."""
        if node.func is sympy.Add:
            return self.add(*args)
        if node.func is sympy.Mul:
            return self.mul(*args)
        return self.same(node, args)

    def fold(self, roots: Sequence[Node]) -> list[Node]:
        """The roots with constant sub-expressions replaced by their values, when finite.

        Values are those of evaluation in the order typed: in `2*pi*x` the leading 2*pi folds, in
        `x*2*pi` nothing does, and `x/3` stays a division.
        """

        def change(node: Node, args: tuple[Node, ...]) -> Node:
            if not args:
                return self.atom(node)
            if node.func is sympy.Mul or node.func is sympy.Add:
                return self._fold_prefix(node.func, args)
            new = self.same(node, tuple(self._folded(a) for a in args))
            return new if is_inverse(new) else self._folded(new)

        return [self._folded(root) for root in self.rebuild(roots, change)]

    def _fold_prefix(self, cls: type, args: tuple[Node, ...]) -> Node:
        if cls is sympy.Add:
            args = tuple(self._folded(a) for a in args)
        known = 0
        while known < len(args) and constant_value(args[known]) is not None:
            known += 1
        if known > 1 and (folded := self._folded(self.node(cls, *args[:known]))).is_Atom:
            args = (folded, *args[known:])
        if cls is sympy.Mul and args[0] is ONE and len(args) > 1:
            args = args[1:]
        return args[0] if len(args) == 1 else self.node(cls, *args)

    def _folded(self, node: Node) -> Node:
        """`node`, or the atom of its value where it is one operation on numbers."""
        value = None if node.is_Atom else constant_value(node)
        return self.number(value) if value is not None and value - value == 0 else node


def _finite(numbers: Iterable[float | None]) -> bool:
    product = reference.mul(1.0, *(n for n in numbers if n is not None))
    return product - product == 0 and product != 0
