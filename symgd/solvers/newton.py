"""Newton's method with the exact Hessian, for losses that are not sums of squares.

The Hessian is scaled to a unit diagonal; where it is not positive definite, its eigenvalues are
taken by magnitude; steps are halved until the loss falls enough (Armijo). J. Nocedal, S. Wright,
2006, Numerical Optimization, 2nd ed., Springer, sections 3.3 and 3.4.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from symgd.solvers.objectives import Box, Mask, Matrix, Objective, Vector

_EPS = 2.0**-52


@dataclass(frozen=True)
class Found:
    """Where the iteration ended.

    x, gradient, step: (P,), the latter Newton's from there; hessian: (P, P); definite: whether it
    is positive definite in the parameters that are free to move. shrinks: whether the last steps
    were each much shorter than the one before, as at a minimum they are; where the curvature
    vanishes, as at 0 of x**3, each is half as long.
    """

    x: Vector
    value: float
    gradient: Vector
    hessian: Matrix
    step: Vector
    definite: bool
    steps: int
    reason: str = ""
    shrinks: bool = False
    kinked: bool = False


def minimize(
    objective: Objective,
    start: Sequence[float],
    box: Box,
    steps: int = 200,
    watch: Callable[[int, Vector, float], None] | None = None,
) -> Found | None:
    """The end of the iteration from `start`, or None where not even the start is finite."""
    with np.errstate(all="ignore"):
        return _minimize(objective, start, box, steps, watch)


def _minimize(
    objective: Objective,
    start: Sequence[float],
    box: Box,
    steps: int,
    watch: Callable[[int, Vector, float], None] | None,
) -> Found | None:
    x = box.clip(np.array(start, dtype=np.float64))
    value, slope = objective.gradient(x)
    curve = objective.hessian(x)
    if not (math.isfinite(value) and np.isfinite(slope).all() and np.isfinite(curve).all()):
        return None
    last, taken, reason = math.inf, 0, f"{steps} iterations were not enough"
    before: Vector | None = None
    while taken < steps:
        step, definite = _step(curve, slope, box.free(x, slope))
        fall = float(-slope @ step)
        scale = np.sqrt(np.abs(np.diag(curve)))
        length = float(np.linalg.norm(scale * step))
        quiet = fall <= 1e-13 * (abs(value) + 1e-300)  # rounding hides what is left to gain
        if quiet and (not definite or not length < 0.5 * last):
            reason = ""
            break
        new = _search(objective, box, x, value, step, fall, quiet)
        if new is None or np.array_equal(new, x):
            reason = ""
            break
        new_value, new_slope = objective.gradient(new)
        new_curve = objective.hessian(new)
        if not (np.isfinite(new_slope).all() and np.isfinite(new_curve).all()):
            reason = "the derivatives are not finite there"
            break
        before = new - x
        x, value, slope, curve = new, new_value, new_slope, new_curve
        last, taken = length, taken + 1
        if watch is not None:
            watch(taken, x, value)
    step, definite = _step(curve, slope, box.free(x, slope))
    scale = np.sqrt(np.abs(np.diag(curve)))
    shrinks = before is not None and bool(
        np.linalg.norm(scale * step) <= 0.4 * np.linalg.norm(scale * before)
    )
    return Found(x, value, slope, curve, step, definite, taken, reason, shrinks)


def at(objective: Objective, x: Vector, box: Box, steps: int) -> Found:
    """The point x as the end of some other iteration."""
    with np.errstate(all="ignore"):
        value, slope = objective.gradient(x)
        curve = objective.hessian(x)
        step, definite = _step(curve, slope, box.free(x, slope))
    return Found(x, value, slope, curve, step, definite, steps)


def _search(
    objective: Objective,
    box: Box,
    x: Vector,
    value: float,
    step: Vector,
    fall: float,
    quiet: bool,
) -> Vector | None:
    """The first of the step, its half, its quarter, ... that lowers the loss enough."""
    share = 1.0
    for _ in range(60):
        new = box.clip(x + share * step)
        if quiet or objective.value(new) <= value - 1e-4 * share * fall:
            return new
        share *= 0.5
    return None


def _step(curve: Matrix, slope: Vector, free: Mask) -> tuple[Vector, bool]:
    """Newton's step in the free parameters, and whether the Hessian is positive definite there."""
    out = np.zeros(len(slope))
    if not free.any():
        return out, True
    part = curve[np.ix_(free, free)]
    diagonal = np.sqrt(np.abs(np.diag(part)))
    scale = np.where(diagonal > 0, diagonal, 1.0)
    values, vectors = np.linalg.eigh(part / np.outer(scale, scale))
    least = len(values) * _EPS * max(abs(values[0]), abs(values[-1]))
    definite = bool(values[0] > 16 * least)
    sizes = np.maximum(np.abs(values), max(1e-8 * abs(values).max(), 1e-300))
    if definite:
        sizes = values
    out[free] = -(vectors @ ((vectors.T @ (slope[free] / scale)) / sizes)) / scale
    return out, definite
