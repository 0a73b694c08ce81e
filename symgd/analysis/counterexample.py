"""Two points that show that a loss is not convex, checked in exact or 50-digit arithmetic."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator, Sequence
from fractions import Fraction
from itertools import combinations, islice
from typing import Any

import mpmath

from symgd.calculus.polynomial import Polynomial, value
from symgd.formula.nodes import topological
from symgd.model.array_internals import ArrayInternals
from symgd.model.loss import Loss
from symgd.solvers.symmetric import finite_rows, spectrum

MOST_PARAMETERS = 30  # parameters up to which the Hessian is looked at
_LONG = 20_000  # operations of the loss times parameters, likewise

Point = tuple[Fraction, ...]  # exact coordinates

_CLEAR = 1e-9  # of the values, a gap that is no rounding,
_ROUNDING = 1e-15  # and one that may be
_TRIED = 8  # of each, how many are looked at exactly
_WORK = 20_000_000  # operations that looking for a counterexample over rows may take, about
_COORDINATE = 200  # operations that a coordinate of a point is worth
_CHECKABLE = 5_000  # nodes of a loss that is evaluated in so many digits


def small(loss: Loss) -> bool:
    """Whether the Hessian is cheap enough to look at."""
    count = len(loss.params)
    return count <= MOST_PARAMETERS and loss.internals.value_program.operations * count <= _LONG


def counterexample(
    loss: Loss, terms: Polynomial | None, hints: Sequence[Sequence[float]]
) -> tuple[tuple[Point, Point], tuple[float, float, float]] | None:
    """Points a, b with L((a + b)/2) > (L(a) + L(b))/2, and L at a, b and between; or None.

    terms: the loss as a polynomial, if it is one. hints: where curvature below 0 is looked for
    first. What is returned has been checked exactly, or in 50 digits; for sums over rows of data
    and over arrays, with a margin of 1e-4 in doubles.
    """
    clear = near = 0
    sums = loss.internals.rows is not None or isinstance(loss.internals, ArrayInternals)
    one = max(1, loss.internals.work + _COORDINATE * len(loss.params))
    most = max(4, _WORK // one) if sums else None
    for a, b in islice(_pairs(loss, hints), most):
        middle = tuple((x + y) / 2 for x, y in zip(a, b, strict=True))
        low = [loss.internals.evaluate_value(*map(float, p))[0] for p in (a, b, middle)]
        gap = low[2] - 0.5 * (low[0] + low[1])
        size = max(map(abs, low))
        if not all(map(math.isfinite, low)) or gap < -_ROUNDING * size:
            continue
        if sums:  # the rounding error of sums is far below this margin
            if gap > 1e-4 * max(map(abs, low)):
                return (a, b), (low[0], low[1], low[2])
            continue
        clear, near = clear + (gap > _CLEAR * size), near + (gap <= _CLEAR * size)
        if near > _TRIED and gap <= _CLEAR * size:
            continue
        exact = [v for p in (a, b, middle) if (v := _exact(loss, terms, p)) is not None]
        if len(exact) == 3 and 2 * exact[2] > exact[0] + exact[1]:
            values = (float(exact[0]), float(exact[1]), float(exact[2]))
            return (a, b), values
        if clear >= _TRIED:
            break
    return None


def _pairs(loss: Loss, hints: Sequence[Sequence[float]]) -> Iterator[tuple[Point, Point]]:
    """Pairs of points with few digits: along the most negative curvature, then on a grid.

    Those outside of bounds are moved into them.
    """
    box = loss.internals.box
    for a, b in _anywhere(loss, hints):
        if box is not None:
            a, b = (tuple(map(Fraction, box.clip(map(float, p)))) for p in (a, b))
        if a != b:
            yield a, b


def _anywhere(loss: Loss, hints: Sequence[Sequence[float]]) -> Iterator[tuple[Point, Point]]:
    count = len(loss.params)
    chance = random.Random(0)  # noqa: S311 - where to look, not a secret
    grid = [Fraction(k, 2) for k in range(-8, 9)]
    if count == 1:
        near = sorted(combinations(grid, 2), key=lambda pair: (pair[1] - pair[0], abs(pair[0])))
        for x, y in near[len(grid) :]:
            yield (x,), (y,)
    if small(loss):
        yield from _along_curvature(loss, hints)
    for _ in range(300):
        point = [chance.choice(grid) for _ in range(count)]
        other = list(point) if chance.random() < 0.5 else [chance.choice(grid) for _ in point]
        other[chance.randrange(count)] = chance.choice(grid)
        if other != point:
            yield tuple(point), tuple(other)


def _along_curvature(loss: Loss, hints: Sequence[Sequence[float]]) -> Iterator[tuple[Point, Point]]:
    count = len(loss.params)
    chance = random.Random(1)  # noqa: S311
    spots = [list(map(float, h)) for h in hints]
    spots += [[float(s)] * count for s in (0, 1, -1, 2, -2)]
    spots += [[chance.gauss(0, 2) for _ in range(count)] for _ in range(10)]
    spots += [[chance.gauss(0, 20) for _ in range(count)] for _ in range(5)]
    for spot in spots:
        direction = _downward(loss, spot)
        if direction is None:
            continue
        size = max(1.0, *map(abs, spot))
        for length in (1.0, 0.1, 0.01, 1e-3):
            center = [_short(v, 1e-3 * size * length) for v in spot]
            offset = [_short(length * size * d, 1e-2 * length * size) for d in direction]
            if any(offset):
                pair = zip(center, offset, strict=True)
                a, b = zip(*((c - o, c + o) for c, o in pair), strict=True)
                yield a, b


def _downward(loss: Loss, spot: Sequence[float]) -> list[float] | None:
    """The direction in which the loss curves down most, or None."""
    rows = loss.internals.hess_rows(spot)
    if not finite_rows(rows):
        return None
    split = spectrum(rows)
    return split.lowest if split.values[0] < 0 else None


def _short(x: float, within: float) -> Fraction:
    """A number of few digits near x."""
    if x == 0 or not math.isfinite(x):
        return Fraction(0)
    places = max(0, -math.floor(math.log10(within)))
    return Fraction(repr(round(x, min(places, 300))))


def _exact(loss: Loss, terms: Polynomial | None, x: Point) -> Any:
    """The loss at rational x: exact for a polynomial, else in 50 digits; None if not real."""
    if terms is not None:
        return value(terms, x)
    if len(topological([loss.internals.root])) > _CHECKABLE:
        return None
    found = loss.exact.in_digits(x)
    return found if mpmath.isfinite(found) else None
