"""Where a gradient vanishes: Newton's method on |g| from many starts, to saddles and maxima too."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator, Sequence
from itertools import pairwise

from symgd.analysis.critical.work import Work
from symgd.model.bounds import ParameterBox
from symgd.solvers import newton
from symgd.solvers.symmetric import all_finite, finite_rows, spectrum

_ITERATIONS = 80


def starts(
    start: Sequence[float], most: int, box: ParameterBox | None = None
) -> Iterator[list[float]]:
    """The given point and round ones, then random ones at growing distance, or all over a box."""
    chance = random.Random(0)  # noqa: S311 - where to look, not a secret
    count = len(start)
    fixed = [list(start), [0.0] * count, [1.0] * count, [-1.0] * count]
    yield from (p if box is None else box.clip(p) for p in fixed[:most])
    for k in range(most - len(fixed)):
        spread = (0.5, 1.5, 4.0, 12.0)[k % 4]
        point = [chance.gauss(0, spread) for _ in range(count)]
        yield point if box is None else _into(point, box, chance)


def _into(point: list[float], box: ParameterBox, chance: random.Random) -> list[float]:
    """The point where the box is open, else one between both ends, or beyond the only one."""
    found = []
    for v, low, high in zip(point, box.low, box.high, strict=True):
        if math.isfinite(low) and math.isfinite(high):
            v = low + (high - low) * chance.random()
        elif math.isfinite(low) or math.isfinite(high):
            v = low + abs(v) if math.isfinite(low) else high - abs(v)
        found.append(v)
    return found


def vanishing(work: Work, point: Sequence[float]) -> list[float] | None:
    """Where the gradient vanishes, by Newton's method on |g|, or None.

    Where the curvature vanishes with the gradient its steps shrink by a constant factor only; their
    limit is returned.
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
