"""Least squares by Levenberg and Marquardt's method, in the form of Moré.

J. Moré, 1978, The Levenberg-Marquardt algorithm: implementation and theory, in: Numerical
Analysis, Lecture Notes in Mathematics 630, Springer: a trust region in the scaled parameters,
whose radius follows the ratio of the actual to the predicted reduction. The Jacobian is exact. Near
the minimum sums of squares differ only by rounding; Gauss-Newton steps then continue as long as
they shrink, which gives the last digits.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from symgd._numpy import np
from symgd.solvers.objectives import Box, Mask, ReducedSystem, Residuals, Vector

_EPS = 2.0**-52
FACTOR = 100.0  # Moré's value
_POLISH = 120  # final Gauss-Newton steps, at most
_SLOWEST = 0.95  # ratio of their lengths up to which they go on (NIST's Thurber: 0.67)
_PRODUCT_PRECISION = 1e-13  # relative size of a step that J'J and J'r cannot resolve


@dataclass(frozen=True)
class LeastSquaresResult:
    """The last point of the iteration.

    x: (P,). system: the reduced system at x. step: (P,), the Gauss-Newton step from x, an estimate
    of the remaining error. steps: iterations. reason: why it ended early, or "".
    """

    x: Vector
    system: ReducedSystem
    step: Vector
    steps: int
    reason: str = ""


def minimize(
    residuals: Residuals,
    start: Sequence[float],
    box: Box,
    steps: int = 500,
    callback: Callable[[int, Vector, float], None] | None = None,
    factor: float = FACTOR,
    polish: bool = True,
    precision: float = 4 * _EPS,
) -> LeastSquaresResult | None:
    """The end of the iteration from `start`, or None where the start is not finite.

    factor: the first radius, in units of the scaled parameters. callback: called with (step, x,
    rss) after each step. polish: continue with Gauss-Newton steps to the last digits. precision:
    the relative decrease at which the iteration ends.
    """
    with np.errstate(all="ignore"):
        return _minimize(residuals, start, box, steps, callback, factor, polish, precision)


def _minimize(
    residuals: Residuals,
    start: Sequence[float],
    box: Box,
    steps: int,
    callback: Callable[[int, Vector, float], None] | None,
    factor: float,
    polish: bool,
    precision: float,
) -> LeastSquaresResult | None:
    x = box.clip(np.array(start, dtype=np.float64))
    system = residuals.linearize(x.tolist())
    if system is None:
        return None
    scale = np.where(system.scales > 0, system.scales, 1.0)
    radius = factor * (float(np.linalg.norm(scale * x)) or 1.0)
    iteration = 0
    while iteration < steps:
        subproblem = FreeSystem(system, box.free(x, _gradient(system)))
        step, predicted = subproblem.trust_region_step(scale, radius)
        if predicted <= precision * system.rss:
            break
        candidate = box.clip(x + step)
        length = float(np.linalg.norm(scale * (candidate - x)))
        if np.array_equal(candidate, x):
            break
        predicted = max(subproblem.reduction(candidate - x, system.rss), 0.0)
        trial = residuals.linearize(candidate.tolist())
        actual = system.rss - (math.inf if trial is None else trial.rss)
        ratio = actual / predicted if predicted > 0 else 0.0
        radius = _adapt_radius(radius, length, ratio)
        if ratio < 1e-4:
            if radius <= 4 * _EPS * float(np.linalg.norm(scale * x)):
                break
            continue
        assert trial is not None
        x, system, iteration = candidate, trial, iteration + 1
        scale = np.maximum(scale, system.scales)
        if callback is not None:
            callback(iteration, x, system.rss)
    reason = "" if iteration < steps else f"{steps} iterations were not enough"
    if not polish:
        return LeastSquaresResult(x, system, gauss_newton_step(system, box, x), iteration, reason)
    return _polish(residuals, x, system, box, iteration, reason)


def _adapt_radius(radius: float, length: float, ratio: float) -> float:
    if ratio <= 0.25:
        return 0.25 * min(radius, 4.0 * length) if ratio > 0 else 0.1 * min(radius, 10.0 * length)
    return max(radius, 2.0 * length) if ratio >= 0.75 else radius


def _gradient(system: ReducedSystem) -> Vector:
    grad: Vector = system.triangle.T @ system.vector
    return grad


def _polish(
    residuals: Residuals, x: Vector, system: ReducedSystem, box: Box, iteration: int, reason: str
) -> LeastSquaresResult:
    """Gauss-Newton steps as long as each is shorter than the one before."""
    tolerance = 4 * _EPS if residuals.can_refine else _PRODUCT_PRECISION
    if residuals.can_refine:
        system = residuals.linearize(x.tolist(), refine=True) or system
    step = gauss_newton_step(system, box, x)
    for _ in range(_POLISH):
        candidate = box.clip(x + step)
        tiny = bool((np.abs(step) <= tolerance * np.abs(x)).all())
        if tiny or not np.isfinite(candidate).all():
            break
        trial = residuals.linearize(candidate.tolist(), refine=True)
        if trial is None or trial.rss > system.rss * (1 + 1e-9) + 1e-300:
            break
        next_step = gauss_newton_step(trial, box, candidate)
        if not _length(trial, next_step) < _SLOWEST * _length(system, step):
            break
        x, system, step = candidate, trial, next_step
    return LeastSquaresResult(x, system, step, iteration, reason)


def _length(system: ReducedSystem, step: Vector) -> float:
    """|R step|: the norm in which Gauss-Newton steps shrink monotonically near a minimum.

    There each step is M times the previous one with a matrix M that is symmetric in this norm. In
    another norm the first steps may grow although the iteration converges.
    """
    return float(np.linalg.norm(system.triangle @ step))


def gauss_newton_step(system: ReducedSystem, box: Box, x: Vector) -> Vector:
    """The step to the minimum of the linearized problem, for the parameters not at a bound."""
    return FreeSystem(system, box.free(x, _gradient(system))).gauss_newton_step()


class FreeSystem:
    """The reduced system in the parameters that are not at a bound."""

    def __init__(self, system: ReducedSystem, free: Mask) -> None:
        self.free = free
        self.triangle = system.triangle[:, free]
        self.vector = system.vector
        self.scales = system.scales[free]

    def gauss_newton_step(self) -> Vector:
        """The Gauss-Newton step of minimum norm, (P,)."""
        out = np.zeros(len(self.free))
        scale = np.where(self.scales > 0, self.scales, 1.0)
        u, s, vt = np.linalg.svd(self.triangle / scale, full_matrices=False)
        if not len(s):
            return out
        known = s > s[0] * len(s) * _EPS
        with np.errstate(all="ignore"):
            coordinates = (u.T @ self.vector)[known] / s[known]
            out[self.free] = -(vt[known].T @ coordinates) / scale
        return out

    def trust_region_step(self, scale: Vector, radius: float) -> tuple[Vector, float]:
        """The step within the radius in scaled parameters, (P,), and the predicted reduction.

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
                unit = weights / length  # squares of the weights may overflow
                derivative = float(np.sum(unit * unit / denominator))
                if not derivative > 0:
                    break
                par = max(par + (length - radius) / radius / derivative, 0.0)
            else:
                weights = s * c / (s * s + par)
        out[self.free] = -(vt.T @ weights) / d
        remainder = c - s * weights
        return out, float(np.sum(c * c) - np.sum(remainder * remainder))

    def reduction(self, step: Vector, rss: float) -> float:
        """The decrease of the linearized sum of squares by this step."""
        moved = self.triangle @ step[self.free]
        return float(-np.sum(moved * (2 * self.vector + moved)))


def relative_offset(system: ReducedSystem, rows: int) -> float:
    """The convergence criterion of Bates and Watts: the part of r in the tangent plane.

    D. Bates, D. Watts, 1981, A relative offset orthogonality convergence criterion for nonlinear
    least squares, Technometrics 23(2): |Q1'r|/sqrt(P) over |Q2'r|/sqrt(N - P). 0.001 means that
    the estimates are within 0.1 % of a standard error of the minimum.
    """
    inside = float(np.sum(system.vector**2))
    count = len(system.vector)
    outside = max(system.rss - inside, 0.0)
    if inside == 0:
        return 0.0
    if outside == 0 or rows <= count:
        return math.inf
    return math.sqrt(inside / count / (outside / (rows - count)))
