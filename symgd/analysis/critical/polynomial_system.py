"""All real zeros of a polynomial system, by Groebner bases and the isolation of real roots.

sympy.solve writes the roots of cubics and quartics in radicals, and takes minutes to check them;
roots that have no radicals it leaves out without a word.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import product
from math import prod
from typing import Any

import sympy

_MOST = 500  # zeros; beyond, the system is left alone
_BITS = 250  # of an irrational root, so that a double is left after the polynomials at it


@dataclass(frozen=True)
class Coordinate:
    """One coordinate of a zero. exact: None where it is known by a defining polynomial only."""

    number: Fraction
    exact: sympy.Expr | None


Zero = dict[sympy.Symbol, Coordinate]


def real_zeros(
    system: Sequence[sympy.Expr], symbols: Sequence[sympy.Symbol]
) -> list[list[Coordinate]] | None:
    """The real zeros, each in the order of symbols; None where this cannot find them all.

    That is where they are infinitely many, or where no coordinate tells all zeros of a part of
    the system apart.
    """
    parts = [_part(equations, those) for equations, those in _independent(system, symbols)]
    found: list[list[Zero]] = []
    for part in parts:
        if part is None:
            return None
        found.append(part)
    if prod(map(len, found)) > _MOST:
        return None
    zeros = [{k: v for zero in choice for k, v in zero.items()} for choice in product(*found)]
    return [[zero[s] for s in symbols] for zero in zeros]


def real_roots(poly: sympy.Poly) -> list[Coordinate]:
    """The distinct real roots of a polynomial in one variable, ascending."""
    roots = dict.fromkeys(sympy.real_roots(poly))
    return [Coordinate(_number(r), None if r.has(sympy.CRootOf) else r) for r in roots]


def _independent(
    system: Sequence[sympy.Expr], symbols: Sequence[sympy.Symbol]
) -> Iterator[tuple[list[sympy.Expr], list[sympy.Symbol]]]:
    """The system in parts that share no symbol."""
    left, rest = list(symbols), list(system)
    while left:
        part, equations = {left[0]}, list[sympy.Expr]()
        while new := [e for e in rest if e.free_symbols & part]:
            equations += new
            rest = [e for e in rest if e not in new]
            part = part.union(*(e.free_symbols for e in new))
        yield equations, [s for s in left if s in part]
        left = [s for s in left if s not in part]


def _part(equations: Sequence[sympy.Expr], symbols: Sequence[sympy.Symbol]) -> list[Zero] | None:
    if len(symbols) == 1:
        common = sympy.Poly(sympy.gcd_list(equations), symbols[0])
        if common.is_zero:
            return None  # every number
        return [{symbols[0]: root} for root in real_roots(common)] if common.degree() else []
    radical = list(equations)
    for k, last in enumerate(symbols):
        others = [*symbols[:k], *symbols[k + 1 :]]
        basis = _basis(equations, others, last)
        if basis is None or basis.exprs == [1]:
            return None if basis is None else []
        if (zeros := _by_shape(basis.polys, others, last)) is not None:
            return zeros
        radical.append(sympy.sqf_part(basis.exprs[-1]))
    # Seidenberg: with these the ideal is radical; then a sum that differs at all zeros tells them
    # apart, and all but a few do.
    mixed = sympy.Dummy("mixed", real=True)
    for step in (1, 5, 19):
        total = sum(step**k * s for k, s in enumerate(symbols, start=1))
        basis = _basis([*radical, mixed - total], symbols, mixed)
        if basis is not None and (zeros := _by_shape(basis.polys, symbols, mixed)) is not None:
            return zeros
    return None


def _basis(
    equations: Sequence[sympy.Expr], others: Sequence[sympy.Symbol], last: sympy.Symbol
) -> Any:
    """The lexicographic Groebner basis, None where the zeros are infinitely many."""
    basis = sympy.groebner(equations, *others, last, order="grevlex")
    if basis.exprs == [1]:
        return basis
    return basis.fglm("lex") if basis.is_zero_dimensional else None


def _by_shape(
    basis: Sequence[sympy.Poly], others: Sequence[sympy.Symbol], last: sympy.Symbol
) -> list[Zero] | None:
    """The zeros where the basis is u(last) = 0 and x = p(last) for each other x, else None.

    E. Becker, M. G. Marinari, T. Mora, C. Traverso, 1994, The shape of the shape lemma, ISSAC.
    """
    *rest, eliminant = basis
    tails = {}
    for x, poly in zip(others, rest, strict=False):
        head = poly.coeff_monomial(x)
        tail = sympy.Poly(x - poly.as_expr() / head if head else x, *poly.gens)
        if tail.free_symbols - {last}:
            return None
        tails[x] = sympy.Poly(tail.as_expr(), last)
    if len(tails) != len(others) or len(rest) != len(others):
        return None
    roots = real_roots(sympy.Poly(eliminant.as_expr(), last))
    return [{last: root, **{x: _value(p, root) for x, p in tails.items()}} for root in roots]


def _value(poly: sympy.Poly, at: Coordinate) -> Coordinate:
    """The polynomial at a root."""
    if at.exact is not None:
        exact = sympy.expand(poly.as_expr().subs(poly.gen, at.exact))
        return Coordinate(_number(exact), exact)
    number = Fraction(0)
    for coefficient in poly.all_coeffs():
        number = number * at.number + Fraction(int(coefficient.p), int(coefficient.q))
    return Coordinate(number, None)


def _number(root: sympy.Expr) -> Fraction:
    """A real root to _BITS bits: of its isolating interval the half that holds it, again and again.

    CRootOf.evalf never ends for some roots near others: that of 17*x**13 + 192*x**12 + 36.
    """
    if not isinstance(root, sympy.CRootOf):
        value = sympy.Rational(root.evalf(_BITS * 3 // 10))
        return Fraction(int(value.p), int(value.q))
    coefficients = [int(c) for c in root.poly.all_coeffs()]

    def sign(x: Fraction) -> int:
        p, q = x.numerator, x.denominator
        value, scale = 0, 1
        for c in coefficients:  # q**degree times the polynomial, in integers
            value, scale = value * p + c * scale, scale * q
        return (value > 0) - (value < 0)

    ends, _ = root.poly.intervals()[root.index]
    low, high = (Fraction(int(e.p), int(e.q)) for e in ends)
    at_low = sign(low)
    while (high - low) * (1 << _BITS) > abs(low + high):
        middle = (low + high) / 2
        at_middle = sign(middle)
        if at_middle == 0:
            return middle
        low, high = (middle, high) if at_middle == at_low else (low, middle)
    return (low + high) / 2
