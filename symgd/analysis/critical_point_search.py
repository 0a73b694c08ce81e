"""Critical points by search: sign changes of a derivative, and damped Newton from many starts."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator, Sequence
from itertools import pairwise

from symgd.analysis.minima import Minimum, find_minimum
from symgd.analysis.nonsmooth import Candidate, has_kinks, lowest_kinks, smooth_at
from symgd.analysis.work import Work
from symgd.model.loss import Loss
from symgd.solvers import newton
from symgd.solvers.symmetric import all_finite, finite_rows, spectrum

_LINE = 24_000_000  # operations that looking for changes of sign may take, some four seconds,
_NEWTON = 6_000_000  # Newton's method,
_DIRECT = 12_000_000  # and the search by values alone
_ITERATIONS = 80


def search(loss: Loss, start: Sequence[float]) -> list[Candidate]:
    """The critical points that are found, in no order. Operations are counted, not seconds."""
    found = list(_on_a_line(Work(loss, _LINE), start[0])) if len(start) == 1 else []
    found += _by_newton(Work(loss, _NEWTON), start)
    if has_kinks(loss):
        found = [f for f in found if f.kink or smooth_at(loss, f.x)]
        if 1 < len(start) <= 20:
            found += lowest_kinks(Work(loss, _DIRECT), start)
    return found


# -- one parameter ------------------------------------------------------------------------


def _on_a_line(work: Work, start: float) -> Iterator[Candidate]:
    """Where the derivative changes its sign, between neighbors of a grid out to 1000.

    What is nearest to the start comes first, for the work may end before all is looked at.
    """

    def from_start(x: float) -> float:
        return abs(x - start)

    grid = {math.sinh(k / 40) for k in range(-304, 305)} | {start}
    known: list[tuple[float, float]] = []
    for place in sorted(grid, key=from_start):
        if 2 * work.left < _LINE:
            break
        # moved off round numbers, which are often roots; those are tested separately
        x = place * 1.000123 + 1.7e-4
        known.append((x, work.slope(x)))
    known.sort()
    changes = [(a, b, at) for (a, at), (b, at_b) in pairwise(known) if at * at_b < 0]
    for a, b, at_a in sorted(changes, key=lambda change: from_start(change[0])):
        if work.over:
            return
        yield from _bisected(work, a, b, at_a)


def _bisected(work: Work, a: float, b: float, at_a: float) -> Iterator[Candidate]:
    slope = work.slope
    falls = at_a > 0  # the derivative goes from + to -: a maximum
    first = max(abs(at_a), abs(slope(b)))
    for _ in range(200):
        middle = 0.5 * (a + b)
        if not a < middle < b:
            break
        here = slope(middle)
        if here == 0:
            a = b = middle
            break
        if not math.isfinite(here):
            return  # a pole
        if (here > 0) == falls:
            a = middle
        else:
            b = middle
    root = a if a == b or abs(slope(a)) <= abs(slope(b)) else b
    left, right = slope(a - 1e-7 * (1 + abs(a))), slope(b + 1e-7 * (1 + abs(b)))
    jump = abs(left - right)
    values = [work.value([x]) for x in (a - 1e-9, a, b, b + 1e-9)]
    if not all_finite([*values, left, right]) or abs(slope(root)) > 1e3 * first:
        return
    if jump <= 1e-3 * first or (abs(slope(root)) <= 1e-9 * first and jump < 1e-2 * first):
        yield Candidate((root,))
    elif max(values) - min(values) <= 1e-6 * (1 + first):
        yield Candidate((_round_number(work, root),), "maximum" if falls else "minimum")


def _round_number(work: Work, x: float) -> float:
    """The number of few digits next to x, where the loss is as low or high as at x."""
    near = round(x, 9) + 0.0
    here, there = work.value([x]), work.value([near])
    return near if abs(there - here) <= 1e-8 * (1 + abs(here)) else x


# -- any number of parameters ---------------------------------------------------------------


def _by_newton(work: Work, start: Sequence[float]) -> list[Candidate]:
    first = _minimum(work, start, 300)
    found = [] if first is None else [Candidate(tuple(first.x))]
    for point in _starts(start, 50):
        x = _vanishing(work, point)
        if x is None and (lowest := _minimum(work, point, 40)) is not None:
            x = lowest.x
        if x is not None:
            found.append(Candidate(tuple(x)))
        if work.over:
            break
    return found


def _minimum(work: Work, x: Sequence[float], most: int) -> Minimum | None:
    return find_minimum(
        work.loss, x, careful=True, iterations=work.iterations(most), objective=work
    )


def _starts(start: Sequence[float], most: int) -> Iterator[list[float]]:
    """The given point and round ones, then random ones at growing distance."""
    chance = random.Random(0)  # noqa: S311 - where to look, not a secret
    count = len(start)
    fixed = [list(start), [0.0] * count, [1.0] * count, [-1.0] * count]
    yield from fixed[:most]
    for k in range(most - len(fixed)):
        spread = (0.5, 1.5, 4.0, 12.0)[k % 4]
        yield [chance.gauss(0, spread) for _ in range(count)]


def _vanishing(work: Work, point: Sequence[float]) -> list[float] | None:
    """Where the gradient vanishes, by Newton's method on |g|, or None.

    Unlike a descent it goes to saddles and maxima as well. Where the curvature vanishes with the
    gradient its steps shrink by a constant factor only; their limit is returned.
    """
    sizes, last, first = list[float](), list(point), math.nan
    for count, (x, grad) in enumerate(newton.to_zero_gradient(work, point)):
        if count == 0:
            first = math.hypot(*grad)
        else:
            sizes.append(math.dist(x, last))
            if sizes[-1] <= 1e-12 * (1e-3 + math.hypot(*x)):
                return _settled(work, x, sizes, first)
        if count == _ITERATIONS:
            return _limit(work, x, sizes, first)
        if not all_finite(grad) or work.over:
            return None
        if not any(grad):
            return x if sizes or _bends(work, x) else None
        last = x
    return None


def _settled(work: Work, x: list[float], sizes: list[float], first: float) -> list[float] | None:
    """x where an undamped step is short too, and no slope is left where there is no curvature."""
    grad, rows = work.grad(x), work.hessian(x)
    if not finite_rows(rows):
        return None
    split = spectrum(rows)
    floor = 1e-14 * max(map(abs, split.values))
    flat = [v for value, v in zip(split.values, split.vectors, strict=True) if abs(value) <= floor]
    slopes = [sum(a * g for a, g in zip(v, grad, strict=True)) for v in flat]
    if any(abs(slope) > 1e-12 * first for slope in slopes) or not _bends(work, x):
        return None
    step = split.apply([1 / v if abs(v) > floor else 0.0 for v in split.values], grad)
    if math.hypot(*step) <= 1e-7 * (1e-3 + math.hypot(*x)):
        return x
    return _limit(work, x, sizes, first)


def _limit(work: Work, x: list[float], sizes: list[float], first: float) -> list[float] | None:
    """The limit of steps that shrink by a constant factor below 0.9, or None."""
    ratios = [b / a for a, b in pairwise(sizes[-7:]) if a]
    if len(ratios) < 6 or max(ratios) > 0.95:
        return None
    if sizes[-1] > 1e-5 * (1 + math.hypot(*x)):
        return None
    near = [round(v, 5) + 0.0 for v in x]
    there, here = math.hypot(*work.grad(near)), math.hypot(*work.grad(x))
    if not here <= 1e-8 * first:
        return None  # a smallest slope, but not 0
    return near if there <= here else x


def _bends(work: Work, x: Sequence[float]) -> bool:
    """Whether the Hessian is not all 0: far out on a plateau gradients underflow to 0."""
    return any(v for row in work.hessian(x) for v in row) or any(
        work.grad([v + 1e-3 * (1 + abs(v)) * (j == k) for j, v in enumerate(x)])[k]
        for k in range(len(x))
    )
