"""Whether a loss is convex: proved, disproved by two points and their midpoint, or unknown."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import sympy

from symgd.analysis.counterexample import MOST_PARAMETERS, Point, counterexample, small
from symgd.calculus.dcp import curvature
from symgd.calculus.intervals import Interval, ranges
from symgd.calculus.polynomial import Polynomial, degree, derivative, inertia, polynomial
from symgd.calculus.stabilize import stabilize
from symgd.formula.functions.table import BY_CLASS, Function
from symgd.formula.nodes import Where, float_of, topological
from symgd.model.loss import Loss


@dataclass(frozen=True)
class Convexity:
    """convex: True (proved), False (disproved) or None. reason: the argument in a sentence.

    points: a and b with L((a + b)/2) > (L(a) + L(b))/2, where it is disproved.
    values: L(a), L(b), L at the midpoint.
    """

    convex: bool | None
    reason: str
    points: tuple[Point, Point] | None = None
    values: tuple[float, float, float] | None = None


def convexity(loss: Loss, hints: Sequence[Sequence[float]] = ()) -> Convexity:
    """What can be said, in bounds of the loss within them.

    hints: points at which curvature below 0 is looked for first.
    """
    if not loss.params:
        return Convexity(True, "it is constant")
    known = loss.internals.ranges
    data = {} if loss.internals.rows is None else loss.internals.rows.ranges([loss.internals.root])
    data = {**data, **known}
    curve = curvature(loss.internals.root, data)
    if not curve.is_convex:
        # of rows the terms themselves, not the moments that may stand for them
        again = (
            loss.internals.stable
            if loss.internals.rows is None
            else stabilize(loss.internals.graph, [loss.internals.root])[0]
        )
        curve = curvature(again, data)
    if curve.is_convex:
        how = "it is affine" if curve.is_affine else "by the rules of composition"
        return Convexity(True, how)
    terms = polynomial(loss.internals.root, loss.internals.leaves)
    if terms is not None and (argument := _of_polynomial(terms, len(loss.params))):
        return Convexity(True, argument)
    found = counterexample(loss, terms, hints)
    if found is not None:
        return Convexity(False, "two points lie below their midpoint", *found)
    if small(loss) and _hessian_proves(loss):
        where = "within the bounds" if known else "everywhere"
        return Convexity(True, f"the Hessian is positive semidefinite {where}, by its ranges")
    return Convexity(None, "neither a proof nor a counterexample was found")


def _of_polynomial(terms: Polynomial, count: int) -> str:
    """The exact argument for a quadratic, or for a polynomial of one parameter, or ""."""
    if degree(terms) <= 2 and count <= MOST_PARAMETERS:
        rows = [[derivative(derivative(terms, i), j) for j in range(count)] for i in range(count)]
        negative, _ = inertia([[entry.get((), Fraction(0)) for entry in row] for row in rows])
        return "" if negative else "its Hessian is constant and positive semidefinite"
    if count == 1 and _never_negative(derivative(derivative(terms, 0), 0)):
        return "its second derivative is a polynomial that is nowhere negative"
    return ""


def _never_negative(terms: Polynomial) -> bool:
    """Whether a polynomial of one variable is >= 0 everywhere, by counting roots (Sturm)."""
    x = sympy.Symbol("x")
    powers = {
        sum(p for _, p in m): sympy.Rational(c.numerator, c.denominator) for m, c in terms.items()
    }
    poly = sympy.Poly.from_dict({(k,): c for k, c in powers.items()}, x)
    if poly.degree() % 2 or poly.LC() < 0:
        return False
    _, factors = poly.sqf_list()
    return all(multiplicity % 2 == 0 or f.count_roots() == 0 for f, multiplicity in factors)


def _hessian_proves(loss: Loss) -> bool:
    """Whether ranges of the Hessian's entries show diagonal dominance (Gershgorin) everywhere."""
    for node in topological([loss.internals.root, loss.internals.stable]):
        row = BY_CLASS.get(node.func)
        if node.func is Where or (row is not None and not _entire(row)):
            return False
        if node.func is sympy.Pow and not _entire_power(node):
            return False
    rows = loss.internals.second_derivatives
    known = ranges([entry for row in rows for entry in row], loss.internals.ranges)
    for i, entries in enumerate(rows):
        others: list[Interval] = [known[id(e)] for j, e in enumerate(entries) if j != i]
        off = sum(max(abs(low), abs(high)) for low, high in others)
        off = math.nextafter(off * (1 + 1e-12), math.inf) if off else 0.0
        if not known[id(entries[i])][0] >= off:
            return False
    return True


def _entire(row: Function) -> bool:
    return row.entire or (row.finite_everywhere and not row.kink)


def _entire_power(node: sympy.Basic) -> bool:
    base, exponent = node.args
    p = float_of(exponent)
    known = ranges([base], {})[id(base)]
    if p is None:
        return known[0] > 0
    return (p == int(p) and p >= 0) or known[0] > 0 or (p == int(p) and known[1] < 0)
