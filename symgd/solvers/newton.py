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
class NewtonResult:
    """The last point of the iteration.

    x, gradient: (P,). hessian: (P, P). step: (P,), Newton's step from x. definite: whether the
    Hessian is positive definite in the parameters not at a bound. steps: iterations. reason: why it
    ended early, or "". shrinks: whether the step is much shorter than the previous one, as near a
    minimum; where the curvature vanishes, as at 0 of x**3, each is half as long. nonsmooth: whether
    the objective has kinks.
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
    nonsmooth: bool = False


def minimize(
    objective: Objective,
    start: Sequence[float],
    box: Box,
    steps: int = 200,
    callback: Callable[[int, Vector, float], None] | None = None,
) -> NewtonResult | None:
    """The end of the iteration from `start`, or None where the start is not finite.

    callback: called with (step, x, value) after each step.
    """
    with np.errstate(all="ignore"):
        return _minimize(objective, start, box, steps, callback)


def _minimize(
    objective: Objective,
    start: Sequence[float],
    box: Box,
    steps: int,
    callback: Callable[[int, Vector, float], None] | None,
) -> NewtonResult | None:
    x = box.clip(np.array(start, dtype=np.float64))
    value, grad = objective.gradient(x)
    hess = objective.hessian(x)
    if not (math.isfinite(value) and np.isfinite(grad).all() and np.isfinite(hess).all()):
        return None
    previous_length, iteration, reason = math.inf, 0, f"{steps} iterations were not enough"
    previous_step: Vector | None = None
    while iteration < steps:
        step, definite = _step(hess, grad, box.free(x, grad))
        decrease = float(-grad @ step)
        scale = np.sqrt(np.abs(np.diag(hess)))
        length = float(np.linalg.norm(scale * step))
        # less than rounding
        negligible = decrease <= 1e-13 * (abs(value) + 1e-300)
        if negligible and (not definite or not length < 0.5 * previous_length):
            reason = ""
            break
        new = _backtrack(objective, box, x, value, step, decrease, negligible)
        if new is None or np.array_equal(new, x):
            reason = ""
            break
        new_value, new_grad = objective.gradient(new)
        new_hess = objective.hessian(new)
        if not (np.isfinite(new_grad).all() and np.isfinite(new_hess).all()):
            reason = "the derivatives are not finite there"
            break
        previous_step = new - x
        x, value, grad, hess = new, new_value, new_grad, new_hess
        previous_length, iteration = length, iteration + 1
        if callback is not None:
            callback(iteration, x, value)
    step, definite = _step(hess, grad, box.free(x, grad))
    scale = np.sqrt(np.abs(np.diag(hess)))
    shrinks = previous_step is not None and bool(
        np.linalg.norm(scale * step) <= 0.4 * np.linalg.norm(scale * previous_step)
    )
    return NewtonResult(x, value, grad, hess, step, definite, iteration, reason, shrinks)


def evaluate_at(objective: Objective, x: Vector, box: Box, steps: int) -> NewtonResult:
    """The result for a point x that another method reached in so many steps."""
    with np.errstate(all="ignore"):
        value, grad = objective.gradient(x)
        hess = objective.hessian(x)
        step, definite = _step(hess, grad, box.free(x, grad))
    return NewtonResult(x, value, grad, hess, step, definite, steps)


def _backtrack(
    objective: Objective,
    box: Box,
    x: Vector,
    value: float,
    step: Vector,
    decrease: float,
    negligible: bool,
) -> Vector | None:
    """Backtracking: the first of x + step/2**k that lowers the loss enough (Armijo), or None."""
    fraction = 1.0
    for _ in range(60):
        new = box.clip(x + fraction * step)
        if negligible or objective.value(new) <= value - 1e-4 * fraction * decrease:
            return new
        fraction *= 0.5
    return None


def _step(hess: Matrix, grad: Vector, free: Mask) -> tuple[Vector, bool]:
    """Newton's step in the free parameters, and whether the Hessian is positive definite there."""
    out = np.zeros(len(grad))
    if not free.any():
        return out, True
    part = hess[np.ix_(free, free)]
    diagonal = np.sqrt(np.abs(np.diag(part)))
    scale = np.where(diagonal > 0, diagonal, 1.0)
    values, vectors = np.linalg.eigh(part / np.outer(scale, scale))
    floor = len(values) * _EPS * max(abs(values[0]), abs(values[-1]))
    definite = bool(values[0] > 16 * floor)
    sizes = np.maximum(np.abs(values), max(1e-8 * abs(values).max(), 1e-300))
    if definite:
        sizes = values
    out[free] = -(vectors @ ((vectors.T @ (grad[free] / scale)) / sizes)) / scale
    return out, definite
