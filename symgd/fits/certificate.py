"""What may be called converged: rank, and a next step that would move nothing."""

from __future__ import annotations

import math

import numpy as np

from symgd import names
from symgd.fits import statistics
from symgd.fits.least_squares_problem import Squares
from symgd.fits.regression_model import Model
from symgd.fits.wording import times
from symgd.model.result import Status
from symgd.solvers import levenberg_marquardt
from symgd.solvers.newton import Found
from symgd.solvers.objectives import Box, Linear, Mask, Vector

CLOSE = 1e-6  # of the last step: relative to a parameter or its standard error


def certificate(squares: Squares, ended: levenberg_marquardt.Ended) -> tuple[Status, str]:
    """Whether the end is a minimum as near as is claimed, and the sentence about it.

    Converged: the Jacobian has full rank, and the Gauss-Newton step from here would move no
    parameter by more than 1e-6 of it or of its standard error.
    """
    linear, rows = ended.linear, squares.residuals.size
    free = squares.box.free(ended.x, linear.triangle.T @ linear.vector)
    inverse, _, unknown = statistics.inverse_gram(linear.triangle, free)
    if unknown:
        listed = ", ".join(names.escape(squares.model.params[k]) for k in unknown)
        return Status.STALLED, f"the data do not determine {listed} here: no minimum is certified"
    if _perfect(squares, linear, free):
        told = f"converged after {times(ended.steps, 'step')}: what is left are rounding errors"
        return Status.CONVERGED, told
    dof = rows - int(free.sum())
    spread = linear.rss / dof if dof > 0 else 0.0
    errors = np.sqrt(np.diag(inverse)[free] * spread)
    worst = share(ended.step[free], np.abs(ended.x[free]))
    if worst > CLOSE and _shrinks(squares, ended):
        # where steps do not shrink, a huge standard error is that of a flat tail
        worst = share(ended.step[free], np.maximum(np.abs(ended.x[free]), errors))
    offset = levenberg_marquardt.relative_offset(_restricted(linear, free), rows)
    told = f"relative offset {offset:.2g}, last step {worst:.2g} of a parameter"
    if worst <= CLOSE:
        return Status.CONVERGED, f"converged after {times(ended.steps, 'step')}: {told}"
    if ended.reason:
        return Status.MAX_STEPS, f"{ended.reason}: {told}"
    return Status.STALLED, f"no minimum is certified after {times(ended.steps, 'step')}: {told}"


def _perfect(squares: Squares, linear: Linear, free: Mask) -> bool:
    """Whether the residuals, and what a next step would take from them, are rounding errors."""
    response = squares.totals.about_zero
    inside = float(np.sum(_restricted(linear, free).vector ** 2))
    return statistics.perfect(linear.rss, response) and statistics.perfect(inside, response)


def share(step: Vector, size: Vector) -> float:
    """The largest part of its size that any entry of the step is."""
    return float(np.max(np.abs(step) / np.where(size > 0, size, 1e-300), initial=0.0))


def _shrinks(squares: Squares, ended: levenberg_marquardt.Ended) -> bool:
    """Whether the Gauss-Newton step after the next one is at most half as long."""
    x, scale = ended.x + ended.step, ended.linear.scales
    there = squares.residuals.linear(squares.box.clip(x).tolist())
    if there is None:
        return False
    then = levenberg_marquardt.gauss_newton(there, squares.box, squares.box.clip(x))
    length = float(np.linalg.norm(scale * ended.step))
    rounding = 1e-12 * math.sqrt(ended.linear.rss)  # steps that only shake do not shrink
    return float(np.linalg.norm(scale * then)) <= max(0.5 * length, rounding)


def _restricted(linear: Linear, free: Mask) -> Linear:
    """The system in the free parameters alone, its vector in their tangent plane."""
    if free.all():
        return linear
    q, r = np.linalg.qr(linear.triangle[:, free])
    inside = q.T @ linear.vector
    return Linear(r, inside, linear.rss, linear.scales[free])


def newton_certificate(model: Model, found: Found, box: Box) -> tuple[Status, str]:
    """Converged: the Hessian is positive definite and Newton's step is negligible."""
    free = box.free(found.x, found.gradient)
    largest = float(np.max(np.abs(found.gradient[free]), initial=0.0))
    if not found.definite:
        return Status.STALLED, f"the curvature vanishes or is negative here; max|g| = {largest:.3g}"
    inverse, _ = statistics.inverse_hessian(found.hessian, free)
    errors = statistics.standard_errors(inverse)[free]
    size = np.abs(found.x[free])
    if found.shrinks:  # where steps do not, a huge standard error is that of a flat tail
        size = np.maximum(size, np.where(np.isnan(errors), 0.0, errors))
    worst = share(found.step[free], size)
    told = f"max|g| = {largest:.3g}, last step {worst:.2g} of a parameter"
    if worst <= CLOSE and not np.isnan(errors).any():
        return Status.CONVERGED, f"converged after {times(found.steps, 'step')}: {told}"
    if found.reason:
        return Status.MAX_STEPS, f"{found.reason}: {told}"
    return Status.STALLED, f"no minimum is certified after {times(found.steps, 'step')}: {told}"
