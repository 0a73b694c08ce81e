"""The shared expression graph: SymPy nodes, each built once, evaluated never.

A formula is kept exactly as it was typed: `Graph` builds SymPy's own node classes without their
automatic simplification (which would reorder sums, distribute numbers and cancel x/x), and equal
sub-expressions are one object. So sharing is free, equality is identity, and every walk is linear.

Node classes: Add, Mul and Pow of SymPy; `a - b` is Add(a, Mul(-1, b)) and `a/b` is
Mul(a, Pow(b, -1)), as everywhere in SymPy; function nodes are the classes of `symgd.functions`;
`Where(condition, a, b)` with a SymPy relational as condition.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from typing import Any, TypeAlias

import sympy
from sympy.core.relational import Relational

from symgd import numeric

#: A sympy.Basic; SymPy ships no types that a checker could use.
Node: TypeAlias = Any

ZERO, ONE, TWO, MINUS_ONE = (sympy.Integer(k) for k in (0, 1, 2, -1))

RELATIONS: dict[str, type[Relational]] = {
    "<": sympy.StrictLessThan,
    "<=": sympy.LessThan,
    ">": sympy.StrictGreaterThan,
    ">=": sympy.GreaterThan,
    "==": sympy.Equality,
    "!=": sympy.Unequality,
}
_RELATION_OF = {cls: op for op, cls in RELATIONS.items()}


class Name(sympy.Symbol):  # type: ignore[misc]
    """An internal symbol `p0`, `p1`, ...: real, with the user's name beside it in `text`.

    SymPy and its printers know only the internal identifier `.name`; `text` is shown to people by
    `symgd.text`, escaped, so that no user name is ever code.
    """

    __slots__ = ("text",)
    text: str

    def __new__(cls, ident: str, text: str | None = None) -> Name:
        symbol = sympy.Symbol.__xnew__(cls, ident, real=True)
        symbol.text = ident if text is None else text
        return symbol  # type: ignore[no-any-return]

    def _hashable_content(self) -> tuple[Any, ...]:
        return (*super()._hashable_content(), self.text)

    def __getnewargs_ex__(self) -> tuple[tuple[str, str], dict[str, Any]]:
        return (self.name, self.text), {}

    def __getstate__(self) -> None:
        return None


class Column(Name):
    """An internal symbol `c0`, `c1`, ... of a column of the data: one value per row."""

    __slots__ = ()


#: The number of rows of the data; no name that a user can type.
ROWS = Name("rows", "#rows")


class Op(sympy.Function):  # type: ignore[misc]
    """A function node that SymPy does not have, or has only in a self-simplifying form."""

    is_real = True

    def fdiff(self, argindex: int = 1) -> sympy.Expr:
        """SymPy's derivative of this function with respect to one argument, from the table."""
        from symgd.people import slope  # the table of formulas lies to the right of the nodes

        return slope(self, argindex - 1)

    def _eval_evalf(self, prec: int) -> sympy.Expr:
        from symgd.people import definition

        return definition(self)._eval_evalf(prec)


class Where(Op):
    """Where(condition, a, b): a where the condition holds, else b; the other is not evaluated."""


class Both(Op):
    """The conjunction of conditions, left to right, lazily."""


class Either(Op):
    """The disjunction of conditions, left to right, lazily."""


class Negated(Op):
    """The negation of a condition (true where a comparison fails, also for nan)."""


class RowSum(Op):
    """The sum of a term over the rows of the data."""


class RowPeak(Op):
    """The largest value of a term over the rows; 0 where that is not finite. No formula calls it.

    It shifts exponents, in expressions whose value does not depend on the shift; so its derivative
    counts as 0.
    """


class RowMean(Op):
    """The mean of a term over the rows of the data."""


class Norm(Op):
    """The Euclidean norm of a whole array; only in rules that step an array of parameters."""


#: What one pass over the rows gives.
REDUCTIONS = (RowSum, RowPeak)


def number(value: float) -> Node:
    """The atom of a finite float; whole numbers become SymPy Integers."""
    if value == int(value) and abs(value) < 2**53:
        return sympy.Integer(int(value))
    return sympy.Float(value)


def float_of(atom: Node) -> float | None:
    """The double nearest to a number atom or constant, or None when the node is none."""
    if not atom.is_Atom:
        return None
    if isinstance(atom, sympy.Rational):
        return int(atom.p) / int(atom.q)
    if isinstance(atom, (sympy.Float, sympy.NumberSymbol)):
        return float(atom)
    return None


class Graph:
    """A table of nodes in which equal nodes are one object.

    `node` builds without any rewriting; `add`, `mul`, `neg`, `div`, `pow` drop what is trivially
    1, 0 or constant and serve the derivatives.
    """

    #: whether no constant is ever rounded (`symgd.exact_graph`)
    exact = False

    def __init__(self) -> None:
        self._nodes: dict[tuple[Any, ...], Node] = {}

    def __len__(self) -> int:
        return len(self._nodes)

    # -- building -------------------------------------------------------------------------

    def atom(self, node: Node) -> Node:
        """The one object for a number or name."""
        # Float(0.5) and Rational(1, 2) differ in SymPy >= 1.13, but the type makes that sure.
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
            self._nodes[key] = found
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
        """The product; a zero wins, ones dropped, signs and two or more numbers merged in front."""
        if any(f is ZERO for f in factors):
            return ZERO
        numbers = [lead for f in factors if (lead := leading_number(f)) not in (None, 1.0)]
        if not _finite(numbers):  # merged they would overflow or vanish, one by one they may not
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
            if not args:
                return values[node] if node in values else self.atom(node)
            return self.same(node, args)

        return self.rebuild(roots, change)

    def simplified(self, node: Node, args: tuple[Node, ...]) -> Node:
        """`node` over other arguments, without terms and factors that do nothing."""
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
            new = self.same(node, tuple(self._settle(a) for a in args))
            return new if is_inverse(new) else self._settle(new)

        return [self._settle(root) for root in self.rebuild(roots, change)]

    def _fold_prefix(self, cls: type, args: tuple[Node, ...]) -> Node:
        if cls is sympy.Add:
            args = tuple(self._settle(a) for a in args)
        known = 0
        while known < len(args) and constant_value(args[known]) is not None:
            known += 1
        if known > 1 and (settled := self._settle(self.node(cls, *args[:known]))).is_Atom:
            args = (settled, *args[known:])
        if cls is sympy.Mul and args[0] is ONE and len(args) > 1:
            args = args[1:]
        return args[0] if len(args) == 1 else self.node(cls, *args)

    def _settle(self, node: Node) -> Node:
        """`node`, or the atom of its value where it is one operation on numbers."""
        value = None if node.is_Atom else constant_value(node)
        return self.number(value) if value is not None and value - value == 0 else node


def topological(roots: Iterable[Node], known: Container[int] = ()) -> list[Node]:
    """Every node below the roots once, arguments before users, in order of evaluation.

    known: the ids of nodes that are left out, with what only they need.
    """
    order: list[Node] = []
    state: dict[int, bool] = {}
    stack = [(root, False) for root in reversed(list(roots))]
    while stack:
        node, ready = stack.pop()
        if ready:
            order.append(node)
            continue
        if id(node) in state or id(node) in known:
            continue
        state[id(node)] = True
        stack.append((node, True))
        stack.extend((arg, False) for arg in reversed(node.args) if id(arg) not in state)
    return order


def is_negation(node: Node) -> bool:
    """Whether node is Mul(-1, something)."""
    return isinstance(node, sympy.Mul) and node.args[0] is MINUS_ONE


def leading_number(node: Node) -> float | None:
    """The number, or the number that a product begins with, or None."""
    return float_of(node.args[0] if node.func is sympy.Mul else node)


def _finite(numbers: Iterable[float | None]) -> bool:
    product = numeric.mul(1.0, *(n for n in numbers if n is not None))
    return product - product == 0 and product != 0


def is_inverse(node: Node) -> bool:
    """Whether node is Pow(something, -1), which a product divides by."""
    return isinstance(node, sympy.Pow) and node.args[1] is MINUS_ONE


def relation(node: Node) -> str | None:
    """The operator of a comparison node, or None."""
    return _RELATION_OF.get(node.func)


def evaluate(node: Node, get: Callable[[Node], Any]) -> Any:
    """One node's value from its arguments' values get(argument), in IEEE semantics."""
    from symgd.functions import BY_CLASS

    cls = node.func
    if cls is sympy.Mul:
        return _product(node.args, get)
    args = [get(a) for a in node.args]
    if cls is sympy.Add:
        return numeric.add(*args)
    if cls is sympy.Pow:
        return power(args[0], args[1])
    if (op := _RELATION_OF.get(cls)) is not None:
        return numeric.COMPARE[op](*args)
    if cls is Both:
        return all(args)
    if cls is Either:
        return any(args)
    if cls is Negated:
        return not args[0]
    if cls is Where:
        return numeric.where(*args)
    return BY_CLASS[cls].scalar(*args)


def power(base: float, exponent: float) -> float:
    """base**exponent, by division and square root where those are what is meant."""
    if exponent == -1.0:
        return numeric.div(1.0, base)
    if exponent == 0.5:
        return numeric.sqrt(base)
    return numeric.pow(base, exponent)


def _product(factors: Sequence[Node], get: Callable[[Node], float]) -> float:
    # A factor Pow(b, -1) after the first is a division by b: one rounding, as typed, not two.
    product = get(factors[0])
    for factor in factors[1:]:
        if is_inverse(factor):
            product = numeric.div(product, get(factor.args[0]))
        else:
            product *= get(factor)
    return product


def constant_value(node: Node) -> float | None:
    """The value of a number, or of one operation on numbers; None for anything else."""
    value = float_of(node)
    if value is not None or not node.args or node.func in (RowSum, RowMean, RowPeak):
        return value
    leaves = [a.args[0] if is_inverse(a) else a for a in node.args]
    if any(float_of(a) is None for a in leaves):
        return None
    result = evaluate(node, lambda a: _number_or_inverse(a))
    return None if isinstance(result, bool) else float(result)


def _number_or_inverse(node: Node) -> float:
    value = float_of(node)
    if value is not None:
        return value
    divisor = float_of(node.args[0])
    assert divisor is not None
    return numeric.div(1.0, divisor)


def trace(
    roots: Sequence[Node], values: Mapping[Node, float], sums: Mapping[int, float] | None = None
) -> dict[int, Any]:
    """The value of every node below the roots by id(node), at these values of the leaves.

    The slow reference: IEEE semantics, nothing raises. A branch of Where that is not taken is
    evaluated too; its value is not used. sums: the values of sums over rows by id(node); nothing
    below them is looked at.
    """
    out: dict[int, Any] = dict(sums or {})
    for node in topological(roots, known=out):
        if node.args:
            out[id(node)] = evaluate(node, lambda a: out[id(a)])
        else:
            atom = float_of(node)
            out[id(node)] = values[node] if atom is None else atom
    return out
