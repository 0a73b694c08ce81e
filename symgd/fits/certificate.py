"""Convergence certificates: full rank, and a negligible next step."""

from __future__ import annotations

import math

from symgd import names
from symgd._numpy import np
from symgd.fits import statistics
from symgd.fits.least_squares_problem import LeastSquaresProblem
from symgd.model.result import Status
from symgd.solvers.levenberg_marquardt import LeastSquaresResult, gauss_newton_step, relative_offset
from symgd.solvers.newton import NewtonResult
from symgd.solvers.objectives import Box, Mask, ReducedSystem, Vector

STEP_TOLERANCE = 1e-6  # relative to a parameter or its standard error


def certificate(problem: LeastSquaresProblem, result: LeastSquaresResult) -> tuple[Status, str]:
    """The status at the end of least squares, and a sentence about it.

    Converged: the Jacobian has full rank, and the next Gauss-Newton step changes no parameter by
    more than 1e-6 of its value or of its standard error.
    """
    system, rows = result.system, problem.residuals.size
    free = problem.box.free(result.x, system.triangle.T @ system.vector)
    inverse, _, unknown = statistics.inverse_gram(system.triangle, free)
    if unknown:
        listed = ", ".join(names.escape(problem.model.params[k]) for k in unknown)
        return Status.STALLED, f"the data do not determine {listed} here: no minimum is certified"
    if _is_exact(problem, system, free):
        steps = names.counted(result.steps, "step")
        return Status.CONVERGED, f"converged after {steps}: what is left are rounding errors"
    dof = rows - int(free.sum())
    variance = system.rss / dof if dof > 0 else 0.0
    errors = np.sqrt(np.diag(inverse)[free] * variance)
    step_ratio = largest_ratio(result.step[free], np.abs(result.x[free]))
    if step_ratio > STEP_TOLERANCE and _shrinks(problem, result):
        # if steps do not shrink, a huge standard error comes from a flat tail of the loss
        step_ratio = largest_ratio(result.step[free], np.maximum(np.abs(result.x[free]), errors))
    offset = relative_offset(_restricted(system, free), rows)
    facts = f"relative offset {offset:.2g}, last step {step_ratio:.2g} of a parameter"
    return _status(step_ratio <= STEP_TOLERANCE, result.steps, result.reason, facts)


def _status(converged: bool, steps: int, reason: str, facts: str) -> tuple[Status, str]:
    if converged:
        return Status.CONVERGED, f"converged after {names.counted(steps, 'step')}: {facts}"
    if reason:
        return Status.MAX_STEPS, f"{reason}: {facts}"
    return Status.STALLED, f"no minimum is certified after {names.counted(steps, 'step')}: {facts}"


def _is_exact(problem: LeastSquaresProblem, system: ReducedSystem, free: Mask) -> bool:
    """Whether the residuals, and the reduction by a further step, are rounding errors."""
    response = problem.response_summary.about_zero
    inside = float(np.sum(_restricted(system, free).vector ** 2))
    return statistics.is_exact(system.rss, response) and statistics.is_exact(inside, response)


def largest_ratio(step: Vector, scale: Vector) -> float:
    """The largest of |step|/scale."""
    return float(np.max(np.abs(step) / np.where(scale > 0, scale, 1e-300), initial=0.0))


def _shrinks(problem: LeastSquaresProblem, result: LeastSquaresResult) -> bool:
    """Whether the Gauss-Newton step after the next one is at most half as long."""
    x, scale = result.x + result.step, result.system.scales
    trial = problem.residuals.linearize(problem.box.clip(x).tolist())
    if trial is None:
        return False
    next_step = gauss_newton_step(trial, problem.box, problem.box.clip(x))
    length = float(np.linalg.norm(scale * result.step))
    rounding = 1e-12 * math.sqrt(result.system.rss)  # the length of a step of rounding errors
    return float(np.linalg.norm(scale * next_step)) <= max(0.5 * length, rounding)


def _restricted(system: ReducedSystem, free: Mask) -> ReducedSystem:
    """The system in the free parameters, its vector projected onto their tangent plane."""
    if free.all():
        return system
    q, r = np.linalg.qr(system.triangle[:, free])
    inside = q.T @ system.vector
    return ReducedSystem(r, inside, system.rss, system.scales[free])


def newton_certificate(result: NewtonResult, box: Box) -> tuple[Status, str]:
    """Converged: the Hessian is positive definite and Newton's step is negligible."""
    free = box.free(result.x, result.gradient)
    largest = float(np.max(np.abs(np.array(result.gradient)[free]), initial=0.0))
    if not result.definite:
        return Status.STALLED, f"the curvature vanishes or is negative here; max|g| = {largest:.3g}"
    inverse, _ = statistics.inverse_hessian(np.array(result.hessian), free)
    errors = statistics.standard_errors(inverse)[free]
    scale = np.abs(np.array(result.x)[free])
    if result.moved < math.inf and result.shrinks(0.4):
        scale = np.maximum(scale, np.where(np.isnan(errors), 0.0, errors))
    step_ratio = largest_ratio(np.array(result.step)[free], scale)
    facts = f"max|g| = {largest:.3g}, last step {step_ratio:.2g} of a parameter"
    converged = step_ratio <= STEP_TOLERANCE and not bool(np.isnan(errors).any())
    return _status(converged, result.steps, result.reason, facts)
