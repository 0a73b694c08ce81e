"""Least squares by Levenberg and Marquardt's method, in the form of Moré.

J. Moré, 1978, The Levenberg-Marquardt algorithm: implementation and theory, in: Numerical
Analysis, Lecture Notes in Mathematics 630, Springer: a trust region in the scaled parameters,
whose radius follows the ratio of the actual to the predicted reduction. The Jacobian is exact. At
the end, where sums of squares no longer differ by more than their rounding, Gauss-Newton steps go
on as long as they shrink: the last digits.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from symgd.solvers.objectives import Box, Linear, Mask, Residuals, Vector

_EPS = 2.0**-52
FACTOR = 100.0  # Moré's own
_POLISH = 120  # Gauss-Newton steps at the end, at most
_SHORTER = 0.95  # of the step before: where they shrink no faster, they end (NIST's Thurber: 0.67)
_SETTLED = 1e-13  # of every parameter: a step below which sums of products say no more


@dataclass(frozen=True)
class Ended:
    """Where the iteration ended.

    x: (P,); linear: the reduced system there; step: (P,) the Gauss-Newton step from there, whose
    size tells the remaining error; steps: iterations; reason: "", or why it could not go on.
    """

    x: Vector
    linear: Linear
    step: Vector
    steps: int
    reason: str = ""


def minimize(
    residuals: Residuals,
    start: Sequence[float],
    box: Box,
    steps: int = 500,
    watch: Callable[[int, Vector, float], None] | None = None,
    factor: float = FACTOR,
    polish: bool = True,
) -> Ended | None:
    """The end of the iteration from `start`, or None where not even the start is finite.

    factor: the first radius, in units of the scaled parameters. polish: to the last digits.
    """
    with np.errstate(all="ignore"):
        return _minimize(residuals, start, box, steps, watch, factor, polish)


def _minimize(
    residuals: Residuals,
    start: Sequence[float],
    box: Box,
    steps: int,
    watch: Callable[[int, Vector, float], None] | None,
    factor: float,
    polish: bool,
) -> Ended | None:
    x = box.clip(np.array(start, dtype=np.float64))
    linear = residuals.linear(x.tolist())
    if linear is None:
        return None
    scale = np.where(linear.scales > 0, linear.scales, 1.0)
    radius = factor * (float(np.linalg.norm(scale * x)) or 1.0)
    taken = 0
    while taken < steps:
        system = Subsystem(linear, box.free(x, _slope(linear)))
        step, predicted = system.step(scale, radius)
        if predicted <= 4 * _EPS * linear.rss:
            break
        new = box.clip(x + step)
        length = float(np.linalg.norm(scale * (new - x)))
        if np.array_equal(new, x):
            break
        predicted = max(system.reduction(new - x, linear.rss), 0.0)
        there = residuals.linear(new.tolist())
        actual = linear.rss - (math.inf if there is None else there.rss)
        ratio = actual / predicted if predicted > 0 else 0.0
        radius = _adapted(radius, length, ratio)
        if ratio < 1e-4:
            if radius <= 4 * _EPS * float(np.linalg.norm(scale * x)):
                break
            continue
        assert there is not None
        x, linear, taken = new, there, taken + 1
        scale = np.maximum(scale, linear.scales)
        if watch is not None:
            watch(taken, x, linear.rss)
    reason = "" if taken < steps else f"{steps} iterations were not enough"
    if not polish:
        return Ended(x, linear, gauss_newton(linear, box, x), taken, reason)
    return _polish(residuals, x, linear, box, taken, reason)


def _adapted(radius: float, length: float, ratio: float) -> float:
    if ratio <= 0.25:
        return 0.25 * min(radius, 4.0 * length) if ratio > 0 else 0.1 * min(radius, 10.0 * length)
    return max(radius, 2.0 * length) if ratio >= 0.75 else radius


def _slope(linear: Linear) -> Vector:
    slope: Vector = linear.triangle.T @ linear.vector
    return slope


def _polish(
    residuals: Residuals, x: Vector, linear: Linear, box: Box, taken: int, reason: str
) -> Ended:
    """Gauss-Newton steps as long as each is shorter than the one before."""
    least = 4 * _EPS if residuals.refines else _SETTLED
    if residuals.refines:
        linear = residuals.linear(x.tolist(), careful=True) or linear
    step = gauss_newton(linear, box, x)
    for _ in range(_POLISH):
        new = box.clip(x + step)
        tiny = bool((np.abs(step) <= least * np.abs(x)).all())
        if tiny or not np.isfinite(new).all():
            break
        there = residuals.linear(new.tolist(), careful=True)
        if there is None or there.rss > linear.rss * (1 + 1e-9) + 1e-300:
            break
        then = gauss_newton(there, box, new)
        if not _length(there, then) < _SHORTER * _length(linear, step):
            break
        x, linear, step = new, there, then
    return Ended(x, linear, step, taken, reason)


def _length(linear: Linear, step: Vector) -> float:
    """In the norm in which Gauss-Newton steps shrink near a minimum: of the change of the model.

    There each is M times the one before, of a matrix M that is symmetric in this norm; in another
    one the first steps may grow although the iteration converges.
    """
    return float(np.linalg.norm(linear.triangle @ step))


def gauss_newton(linear: Linear, box: Box, x: Vector) -> Vector:
    """The full step to the minimum of the linearized problem, held at the bounds."""
    return Subsystem(linear, box.free(x, _slope(linear))).full()


class Subsystem:
    """The reduced system in the parameters that may move."""

    def __init__(self, linear: Linear, free: Mask) -> None:
        self.free = free
        self.triangle = linear.triangle[:, free]
        self.vector = linear.vector
        self.scales = linear.scales[free]

    def full(self) -> Vector:
        """The Gauss-Newton step; directions that the data say nothing about stay."""
        out = np.zeros(len(self.free))
        scale = np.where(self.scales > 0, self.scales, 1.0)
        u, s, vt = np.linalg.svd(self.triangle / scale, full_matrices=False)
        if not len(s):
            return out
        known = s > s[0] * len(s) * _EPS
        with np.errstate(all="ignore"):
            inner = (u.T @ self.vector)[known] / s[known]
            out[self.free] = -(vt[known].T @ inner) / scale
        return out

    def step(self, scale: Vector, radius: float) -> tuple[Vector, float]:
        """The step within the radius in scaled parameters, and the reduction it predicts.

        min |R p + z| with |D p| <= radius: p = -(R'R + par*D**2)**-1 R'z; par is found by Newton's
        method on 1/|D p| - 1/radius, which converges from the left (Moré, section 5).
        """
        out = np.zeros(len(self.free))
        d = scale[self.free]
        u, s, vt = np.linalg.svd(self.triangle / d, full_matrices=False)
        c = u.T @ self.vector
        known = s > (s[0] if len(s) else 0.0) * len(s) * _EPS
        s, c, vt = s[known], c[known], vt[known]
        if not len(s):
            return out, 0.0
        par = 0.0
        weights = c / s
        if np.linalg.norm(weights) > 1.1 * radius:
            for _ in range(60):
                denominator = s * s + par
                weights = s * c / denominator
                length = float(np.linalg.norm(weights))
                if abs(length - radius) <= 0.1 * radius:
                    break
                unit = weights / length  # squares of the weights themselves may be beyond doubles
                curve = float(np.sum(unit * unit / denominator))
                if not curve > 0:
                    break
                par = max(par + (length - radius) / radius / curve, 0.0)
            else:
                weights = s * c / (s * s + par)
        out[self.free] = -(vt.T @ weights) / d
        left = c - s * weights
        return out, float(np.sum(c * c) - np.sum(left * left))

    def reduction(self, step: Vector, rss: float) -> float:
        """By how much the linearized sum of squares falls with this step."""
        moved = self.triangle @ step[self.free]
        return float(-np.sum(moved * (2 * self.vector + moved)))


def relative_offset(linear: Linear, rows: int) -> float:
    """The convergence criterion of Bates and Watts: what of r lies in the tangent plane.

    D. Bates, D. Watts, 1981, A relative offset orthogonality convergence criterion for nonlinear
    least squares, Technometrics 23(2): |Q1'r|/sqrt(P) over |Q2'r|/sqrt(N - P). 0.001 means that
    the estimates are within 0.1 % of a standard error of the minimum.
    """
    inside = float(np.sum(linear.vector**2))
    count = len(linear.vector)
    outside = max(linear.rss - inside, 0.0)
    if inside == 0:
        return 0.0
    if outside == 0 or rows <= count:
        return math.inf
    return math.sqrt(inside / count / (outside / (rows - count)))
