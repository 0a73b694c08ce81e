"""The node classes of the shared graph, predicates on nodes, and topological order.

Add, Mul and Pow are SymPy's; `a - b` is Add(a, Mul(-1, b)) and `a/b` is Mul(a, Pow(b, -1)), as
everywhere in SymPy; function nodes are the classes of `symgd.formula.functions.table`;
`Where(condition, a, b)` has a SymPy relational as condition.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Sequence
from operator import attrgetter
from typing import Any, ClassVar, TypeAlias

import sympy
from sympy.core.relational import Relational

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
    """An internal symbol `p0`, `p1`, ...: real, with the user's name in `text`.

    SymPy and its printers see only the internal identifier `.name`; `symgd.formula.printing.plain`
    displays `text`, escaped, so no user name becomes code.
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
    """An internal symbol `c0`, `c1`, ... of a column of the data: one value per row.

    labels: the texts of a column of categories that a formula names, for printing.
    """

    __slots__ = ("labels",)
    labels: Sequence[str]


class Category(Name):
    """A text that a column is compared with, until the data tell its number: `site == north`."""

    __slots__ = ()


#: The number of rows of the data; no name that a user can type.
ROWS = Name("rows", "#rows")


class Op(sympy.Function):  # type: ignore[misc]
    """A function node that SymPy does not have, or has only in a self-simplifying form."""

    is_real = True

    #: Used by SymPy's diff and evalf; set by `symgd.formula.sympy_bridge` from the table of
    #: functions.
    partial_derivative: ClassVar[Callable[[Op, int], sympy.Expr]]
    definition: ClassVar[Callable[[Op], sympy.Expr]]

    def fdiff(self, argindex: int = 1) -> sympy.Expr:
        """SymPy's derivative of this function with respect to one argument, from the table."""
        return Op.partial_derivative(self, argindex - 1)

    def _eval_evalf(self, prec: int) -> sympy.Expr:
        return Op.definition(self)._eval_evalf(prec)


class Where(Op):
    """Where(condition, a, b): a where the condition holds, else b; lazy."""


class Conjunction(Op):
    """The conjunction of conditions, left to right, lazily."""


class Disjunction(Op):
    """The disjunction of conditions, left to right, lazily."""


class Negation(Op):
    """The negation of a condition (true where a comparison fails, also for nan)."""


#: The logical connectives of conditions.
CONNECTIVES = (Conjunction, Disjunction, Negation)


class RowSum(Op):
    """The sum of a term over the rows of the data."""


class RowMax(Op):
    """The largest value of a term over the rows; 0 where that is not finite. No formula calls it.

    It shifts exponents in expressions whose value does not depend on the shift, so its derivative
    is 0.
    """


class RowMean(Op):
    """The mean of a term over the rows of the data."""


class Norm(Op):
    """The Euclidean norm of a whole array; only in rules that step an array of parameters."""


class ParamSum(Op):
    """The sum of a term over all parameters; only in rules."""


class ParamMax(Op):
    """The largest value of a term over all parameters; only in rules."""


#: What has one value for all parameters.
OVER_PARAMS = (Norm, ParamSum, ParamMax)


class LossAt(Op):
    """The loss at a point with a coordinate for each parameter; only in rules, as the next ones."""


class GradAt(Op):
    """The gradient at such a point."""


class HessianTimes(Op):
    """The Hessian at theta times a vector."""


class Rademacher(Op):
    """Rademacher(seed, t, number of the call): a random -1 or 1 of each parameter."""


class Normal(Op):
    """The same, of the standard normal distribution."""


EVALUATIONS = (LossAt, GradAt, HessianTimes)
DRAWS = (Rademacher, Normal)

#: What a formula calls the nodes that are no functions of numbers.
CALLED = {
    Norm: "norm",
    ParamSum: "sum",
    ParamMax: "max",
    LossAt: "loss",
    GradAt: "grad",
    HessianTimes: "hvp",
    Rademacher: "rademacher",
    Normal: "normal",
    Where: "where",
    RowSum: "sum",
    RowMean: "mean",
    RowMax: "max",
}

#: The reductions that one pass over the rows computes.
REDUCTIONS = (RowSum, RowMax)


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


def topological(
    roots: Iterable[Node],
    known: Container[int] = (),
    reads: Callable[[Node], Sequence[Node]] = attrgetter("args"),
) -> list[Node]:
    """Every node below the roots once, arguments before users, in order of evaluation.

    known: ids of nodes to omit, with their otherwise unused arguments. reads: the nodes that a node
    depends on; its arguments by default.
    """
    order: list[Node] = []
    seen: set[int] = set()
    stack: list[Node | None] = [*reversed(list(roots))]
    while stack:
        node = stack.pop()
        if node is None:  # the next one's arguments are in order
            order.append(stack.pop())
        elif id(node) not in seen and id(node) not in known:
            seen.add(id(node))
            if args := reads(node):
                stack += (node, None, *reversed(args))
            else:
                order.append(node)
    return order


def dependents(order: Iterable[Node], leaves: Iterable[Node]) -> set[int]:
    """The ids of these leaves, and of the nodes of `order` (arguments first) that depend on one."""
    found = set(map(id, leaves))
    for node in order:
        if any(id(a) in found for a in node.args):
            found.add(id(node))
    return found


def depends(node: Node, leaves: Iterable[Node]) -> bool:
    """Whether a node is one of these leaves, or depends on one."""
    return id(node) in dependents(topological([node]), leaves)


def is_condition(node: Node) -> bool:
    """Whether node is a comparison, or made of them."""
    return node.func in CONNECTIVES or relation(node) is not None


def is_negation(node: Node) -> bool:
    """Whether node is Mul(-1, something)."""
    return isinstance(node, sympy.Mul) and node.args[0] is MINUS_ONE


def leading_number(node: Node) -> float | None:
    """The number, or the number that a product begins with, or None."""
    return float_of(node.args[0] if node.func is sympy.Mul else node)


def is_inverse(node: Node) -> bool:
    """Whether node is Pow(something, -1), which a product divides by."""
    return isinstance(node, sympy.Pow) and node.args[1] is MINUS_ONE


def compared(node: Node) -> Sequence[Node]:
    """The sides of an infix operator, the number of a category replaced by its name."""
    if isinstance(node, (sympy.Equality, sympy.Unequality)):
        for k, column in enumerate(node.args):
            place = float_of(node.args[1 - k])
            if place is not None and isinstance(column, Column) and hasattr(column, "labels"):
                label = Category("text", column.labels[int(place) - 1])
                return (label, column) if k else (column, label)
    return node.args  # type: ignore[no-any-return]


def relation(node: Node) -> str | None:
    """The operator of a comparison node, or None."""
    return _RELATION_OF.get(node.func)
