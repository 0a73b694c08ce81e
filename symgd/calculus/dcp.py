"""Convexity by the composition rules of disciplined convex programming (DCP).

M. Grant, S. Boyd, Y. Ye, 2006, Disciplined Convex Programming, https://stanford.edu/~boyd/papers/
disc_cvx_prog.html; and S. Boyd, L. Vandenberghe, 2004, Convex Optimization, sections 3.1.5 and
3.2. The signs of the first and second derivative of a smooth function are enclosures of the
derivatives in the table of functions over the range of the argument (interval arithmetic).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import Enum
from typing import TypeAlias

import sympy

from symgd.calculus.gradient import gradient
from symgd.calculus.intervals import Interval, ranges
from symgd.formula.functions.table import BY_CLASS, Function
from symgd.formula.graph import Graph
from symgd.formula.indices import (
    At,
    ColumnVector,
    Count,
    DataArray,
    Index,
    Largest,
    Size,
    Total,
    log_sum_of_exponentials,
)
from symgd.formula.nodes import (
    ROWS,
    Column,
    Name,
    Node,
    RowMean,
    RowSum,
    Where,
    float_of,
    topological,
)

_CONSTANTS = (Column, ColumnVector, DataArray, Index, Size, Count)
_Ranges: TypeAlias = dict[int, Interval]


class Curvature(Enum):
    """The curvature of a node as a function of the parameters, on its domain."""

    CONSTANT = "constant"
    AFFINE = "affine"
    CONVEX = "convex"
    CONCAVE = "concave"
    UNKNOWN = "unknown"

    @property
    def is_affine(self) -> bool:
        """Whether it is affine or constant."""
        return self in (Curvature.CONSTANT, Curvature.AFFINE)

    @property
    def is_convex(self) -> bool:
        """Whether it is convex (an affine one is)."""
        return self.is_affine or self is Curvature.CONVEX

    @property
    def is_concave(self) -> bool:
        """Whether it is concave (an affine one is)."""
        return self.is_affine or self is Curvature.CONCAVE

    @property
    def negated(self) -> Curvature:
        return {Curvature.CONVEX: Curvature.CONCAVE, Curvature.CONCAVE: Curvature.CONVEX}.get(
            self, self
        )


_Curvatures: TypeAlias = dict[int, Curvature]


def curvature(root: Node, data: Mapping[Node, Interval] | None = None) -> Curvature:
    """The curvature of `root`; UNKNOWN if no rule applies. data: the ranges of columns."""
    known = ranges([root], data or {})
    curvatures: _Curvatures = {}
    for node in topological([root]):
        curvatures[id(node)] = _node_curvature(node, curvatures, known)
    return curvatures[id(root)]


def _node_curvature(node: Node, curvatures: _Curvatures, known: _Ranges) -> Curvature:
    if not node.args:
        free = isinstance(node, Name) and not isinstance(node, _CONSTANTS) and node is not ROWS
        return Curvature.AFFINE if free else Curvature.CONSTANT
    args = [curvatures[id(a)] for a in node.args]
    if all(c is Curvature.CONSTANT for c in args):
        return Curvature.CONSTANT
    if node.func is At:
        return args[0]
    if node.func is sympy.Add:
        if (term := log_sum_of_exponentials(node)) is not None:
            return Curvature.CONVEX if curvatures[id(term)].is_convex else Curvature.UNKNOWN
        return _sum(args)
    if node.func in (RowSum, RowMean, Total):
        return args[-1]  # all terms have the same curvature
    if node.func is Where and args[0] is Curvature.CONSTANT:
        return _sum(args[1:])  # the rows decide
    if node.func is Largest:
        return Curvature.CONVEX if args[1].is_convex else Curvature.UNKNOWN
    if node.func is sympy.Mul:
        return _product(node, args, curvatures, known)
    if node.func is sympy.Pow:
        return _power(node, args, curvatures, known)
    row = BY_CLASS.get(node.func)
    if row is not None and row.convexity:
        return _from_table(row.convexity, node, args, known)
    if row is None or len(args) > 1 or row.kink or row.order:
        return Curvature.UNKNOWN
    derivative, second_derivative = derivative_signs(row, known[id(node.args[0])])
    return compose(args[0], derivative, second_derivative)


def _sum(args: Sequence[Curvature]) -> Curvature:
    if all(c.is_affine for c in args):
        return Curvature.AFFINE
    if all(c.is_convex for c in args):
        return Curvature.CONVEX
    return Curvature.CONCAVE if all(c.is_concave for c in args) else Curvature.UNKNOWN


def compose(inner: Curvature, first: int, second: int) -> Curvature:
    """f(inner), from the signs of f' and f'' over the range of inner (0: not of one sign)."""
    rising, falling = first > 0, first < 0
    convex = (inner.is_convex and rising) or (inner.is_concave and falling) or inner.is_affine
    concave = (inner.is_concave and rising) or (inner.is_convex and falling) or inner.is_affine
    if second > 0 and convex:
        return Curvature.CONVEX
    return Curvature.CONCAVE if second < 0 and concave else Curvature.UNKNOWN


def derivative_signs(row: Function, over: Interval) -> tuple[int, int]:
    """The signs of the first and second derivative of a function of one argument over a range."""
    graph = Graph()
    x = graph.atom(Name("x"))
    call = graph.node(row.node, x)
    [derivative] = gradient(graph, call, [x])
    [second_derivative] = gradient(graph, derivative, [x])
    low, high = row.domain
    inside = (max(low, over[0]), min(high, over[1]))
    if over[0] >= row.convex_from:
        return 0, 1
    known = ranges([derivative, second_derivative], {x: inside})
    return _sign(known[id(derivative)]), _sign(known[id(second_derivative)])


def _sign(a: Interval) -> int:
    return 1 if a[0] >= 0 else -1 if a[1] <= 0 else 0


def _product(
    node: Node, args: Sequence[Curvature], curvatures: dict[int, Curvature], known: _Ranges
) -> Curvature:
    """A constant times one other node; that node's square; x*log(x); exp(u)*exp(v)."""
    scale = 1
    rest: list[tuple[Node, Curvature]] = []
    for factor, composed in zip(node.args, args, strict=True):
        if composed is Curvature.CONSTANT:
            low, high = known[id(factor)]
            scale *= 1 if low >= 0 else -1 if high <= 0 else 0
        else:
            rest.append((factor, composed))
    composed = _pair(rest, known)
    if composed is Curvature.UNKNOWN:
        exponents = [_exponent(factor, curvatures, known) for factor, _ in rest]
        composed = compose(_sum(exponents), 1, 1)
    return _scaled(composed, scale)


def _exponent(node: Node, curvatures: _Curvatures, known: _Ranges) -> Curvature:
    """The curvature of log(node) of an exponential, or of a power or product of exponentials."""
    if node.func is sympy.exp:
        return curvatures[id(node.args[0])]
    if node.func is sympy.Mul:
        return _sum([_exponent(factor, curvatures, known) for factor in node.args])
    if node.func is not sympy.Pow:
        positive = curvatures[id(node)] is Curvature.CONSTANT and known[id(node)][0] > 0
        return Curvature.CONSTANT if positive else Curvature.UNKNOWN
    base, exponent = node.args
    if (p := float_of(exponent)) is not None:
        return _scaled(_exponent(base, curvatures, known), 1 if p > 0 else -1)
    low, high = known[id(base)]
    if curvatures[id(base)] is not Curvature.CONSTANT or low <= 0:
        return Curvature.UNKNOWN
    return _scaled(curvatures[id(exponent)], 1 if low >= 1 else -1 if high <= 1 else 0)


def _scaled(composed: Curvature, sign: int) -> Curvature:
    if sign > 0 or composed.is_affine:
        return composed
    return composed.negated if sign < 0 else Curvature.UNKNOWN


def _pair(rest: Sequence[tuple[Node, Curvature]], known: _Ranges) -> Curvature:
    if len(rest) == 1:
        return rest[0][1]
    if len(rest) != 2:
        return Curvature.UNKNOWN
    (a, first), (b, second) = rest
    if a is b:
        return compose(first, _sign(known[id(a)]), 1)
    if b.func is sympy.log and b.args[0] is a and first.is_affine:
        return Curvature.CONVEX  # (x log x)'' = 1/x > 0
    if a.func is sympy.log and a.args[0] is b and second.is_affine:
        return Curvature.CONVEX
    return Curvature.UNKNOWN


def _power(
    node: Node, args: Sequence[Curvature], curvatures: dict[int, Curvature], known: _Ranges
) -> Curvature:
    base, exponent = node.args
    over, p = known[id(base)], float_of(exponent)
    if p is None:
        return _exponential(base, args, known)
    if p == 0.5 and _sum_of_squares(base, curvatures, known):
        return Curvature.CONVEX  # the Euclidean norm of affine functions
    if p == int(p) and p > 0 and p % 2 == 0:
        return compose(args[0], _sign(over), 1)
    if p == int(p):
        sign = _sign(over)
        if not sign:
            return Curvature.UNKNOWN
        even = p % 2 == 0
        derivative = sign if even else 1
        second_derivative = 1 if even else sign
        return compose(args[0], derivative if p > 0 else -derivative, second_derivative)
    if p > 1 and not (args[0].is_affine or over[0] >= 0):
        return Curvature.UNKNOWN  # the domain, base >= 0, of a convex base is not a convex set
    return compose(args[0], 1 if p > 0 else -1, 1 if p > 1 or p < 0 else -1)


def _exponential(base: Node, args: Sequence[Curvature], known: _Ranges) -> Curvature:
    """a**u with a constant base: exp(u*log(a))."""
    low, high = known[id(base)]
    if args[0] is not Curvature.CONSTANT or low <= 0:
        return Curvature.UNKNOWN
    return compose(args[1], 1 if low >= 1 else -1 if high <= 1 else 0, 1)


def _sum_of_squares(base: Node, curvatures: _Curvatures, known: _Ranges) -> bool:
    def square(term: Node) -> bool:
        if curvatures[id(term)] is Curvature.CONSTANT:
            return known[id(term)][0] >= 0
        if term.func is sympy.Mul and curvatures[id(term.args[0])] is Curvature.CONSTANT:
            rest = term.args[1:]
            return len(rest) == 1 and known[id(term.args[0])][0] >= 0 and square(rest[0])
        if term.func is sympy.Mul and len(term.args) == 2 and term.args[0] is term.args[1]:
            return curvatures[id(term.args[0])].is_affine
        two = term.func is sympy.Pow and float_of(term.args[1]) == 2
        return two and curvatures[id(term.args[0])].is_affine

    terms = base.args if base.func is sympy.Add else (base,)
    return all(square(term) for term in terms)


def _from_table(convexity: str, node: Node, args: Sequence[Curvature], known: _Ranges) -> Curvature:
    """By the row's `convexity`, of several arguments (Boyd and Vandenberghe, section 3.1.5).

    convex, concave: in all arguments at once, and rising in each. norm: convex, and rising in each
    where they are positive. convex in x: where the others are constant and not negative.
    """
    match convexity:
        case "norm":
            rising = all(known[id(a)][0] >= 0 for a in node.args)
            convex = all(c.is_affine for c in args) or (rising and all(c.is_convex for c in args))
            return Curvature.CONVEX if convex else Curvature.UNKNOWN
        case "convex":
            return Curvature.CONVEX if all(c.is_convex for c in args) else Curvature.UNKNOWN
        case "concave":
            return Curvature.CONCAVE if all(c.is_concave for c in args) else Curvature.UNKNOWN
    first, *others = args
    fixed = all(c is Curvature.CONSTANT for c in others)
    positive = all(known[id(a)][0] >= 0 for a in node.args[1:])
    return Curvature.CONVEX if first.is_affine and fixed and positive else Curvature.UNKNOWN
