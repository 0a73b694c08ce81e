"""Kinks seen by values: whether a gradient jumps at a point, and a search without gradients."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from symgd.analysis.critical.work import Work
from symgd.model.loss import Loss
from symgd.solvers.symmetric import all_finite

_SIDES = (1e-6, 1e-8)  # on each side of a point, of its size
_JUMPS = 0.3  # of the difference of the slopes, what is left of it at the nearer sides
_LARGE = 1e-6  # of the slopes around, a difference that is no rounding


@dataclass(frozen=True)
class Candidate:
    """A critical point, or a minimum or maximum at a kink (kink: which), with a remark."""

    x: tuple[float, ...]
    kink: str = ""
    note: str = ""


def smooth_at(loss: Loss, x: Sequence[float]) -> bool:
    """Whether the gradients on both sides of x approach each other, along every axis."""
    size = 1 + max(map(abs, x))

    def slope(k: int, h: float) -> float:
        point = (v + h * size * (j == k) for j, v in enumerate(x))
        return loss.internals.evaluate(*point)[1 + k]

    for k in range(len(x)):
        around = max(abs(slope(k, h)) for h in (1e-2, -1e-2))
        wide, near = (abs(slope(k, h) - slope(k, -h)) for h in _SIDES)
        if near > _JUMPS * wide and near > _LARGE * around:
            return False
        if not all_finite([wide, near]):
            return False
    return True


def twice_smooth_at(loss: Loss, x: Sequence[float]) -> bool:
    """Whether the Hessians around x approach that at x: at the tip of a cone it is 0 by convention.

    cos(sqrt(x**2 + y**2)) is smooth at 0, but the formula's second derivative is not its limit.
    """
    size = 1 + max(map(abs, x))

    def rows(h: float) -> list[float]:
        point = [v + h * size * (0.6 + 0.2 * (k % 3)) for k, v in enumerate(x)]
        return [entry for row in loss.internals.hess_rows(point) for entry in row]

    def change(h: float) -> float:
        return max(abs(a - b) for a, b in zip(rows(h), here, strict=True))

    here = rows(0.0)
    around = max(abs(v) for h in (1e-2, -1e-2) for v in rows(h))
    for sign in (1, -1):
        wide, near = (change(sign * h) for h in _SIDES)
        if not all_finite([wide, near]) or (near > _JUMPS * wide and near > _LARGE * around):
            return False
    return True


# -- direct search --------------------------------------------------------------------------


def lowest_points(work: Work, start: Sequence[float]) -> Iterator[list[float]]:
    """Where a search ends that compares values only, from 0 and from the start.

    R. Hooke, T. A. Jeeves, 1961, Direct search, J. ACM 8(2), with random directions added: a kink
    may run askew to the axes.
    """
    chance = random.Random(2)  # noqa: S311
    for origin in ([0.0] * len(start), list(start)):
        x = _compass(work, [v + 0.01 for v in origin], chance)
        near = [round(v, 6) + 0.0 for v in x]
        yield near if work.value(near) <= work.value(x) else x


def _compass(work: Work, x: list[float], chance: random.Random) -> list[float]:
    best, step = work.value(x), 1.0
    spent = 0
    while step > 1e-9 and spent < 20_000 and not work.over:
        for move in directions(len(x), chance):
            new = [v + step * m for v, m in zip(x, move, strict=True)]
            value = work.value(new)
            spent += 1
            if value < best:
                x, best = new, value
                break
        else:
            step *= 0.5
    return x


def directions(count: int, chance: random.Random) -> Iterator[list[float]]:
    """Both directions of every axis, then random ones of length 1."""
    for k in range(count):
        for sign in (1.0, -1.0):
            yield [sign * (j == k) for j in range(count)]
    for _ in range(4 * count):
        move = [chance.gauss(0, 1) for _ in range(count)]
        size = math.hypot(*move)
        yield [m / size for m in move]


def is_lowest(loss: Loss, x: Sequence[float]) -> bool:
    """Whether the loss is larger in every direction that is tried, at three distances."""
    value, chance = loss.internals.evaluate_value, random.Random(3)  # noqa: S311
    best = value(*x)[0]
    for step in (1e-1, 1e-3, 1e-5):
        for move in directions(len(x), chance):
            if not value(*(v + step * m for v, m in zip(x, move, strict=True)))[0] > best:
                return False
    return math.isfinite(best)
