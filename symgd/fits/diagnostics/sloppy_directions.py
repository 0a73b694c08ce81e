"""Directions that the data hardly determine, in words, and the remedy that was tried.

A parameter is sloppy where it has a large error that would vanish with the others known (M.
Transtrum, B. Machta, J. Sethna, 2010, Why are nonlinear fits to data so challenging?, Phys. Rev.
Lett. 104, 060201); what it makes with another one may be known well.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from symgd import names
from symgd._numpy import np
from symgd.fits import statistics
from symgd.fits.certificate import certificate
from symgd.fits.least_squares_problem import LeastSquaresProblem
from symgd.fits.starts.steps import held
from symgd.model.result import Status
from symgd.solvers.levenberg_marquardt import LeastSquaresResult, minimize
from symgd.solvers.objectives import Matrix, Vector

_LARGE = 0.3  # of the value: an error from which a parameter is poorly known
_INFLATION = 10.0  # of its error by not knowing the others
_KNOWN = 0.3  # of the larger relative error of two: that of what they make together
_WORSE = 0.1  # of the sum of squares: a remedy that costs more is none


def sloppy_directions(
    problem: LeastSquaresProblem, result: LeastSquaresResult, covariance: Matrix
) -> Iterator[str]:
    """A sentence about parameters that are known together only. covariance: (P, P)."""
    x, found = result.x, _sloppy(result.x, covariance)
    if len(found) < 2:
        return
    errors = np.sqrt(np.diag(covariance))
    first = max(found, key=lambda k: errors[k] / abs(x[k]))
    together = [
        text for k in found if k != first and (text := _together(problem, x, covariance, first, k))
    ]
    remedy = _held(problem, result, first, found)
    if not together and not remedy:
        return
    listed = [names.escape(problem.model.params[k]) for k in found]
    known = f", but together: {', '.join(together)}" if together else ""
    yield (
        f"{', '.join(listed[:-1])} and {listed[-1]} are hardly determined one by one{known}{remedy}"
    )


def _sloppy(x: Vector, covariance: Matrix) -> list[int]:
    """The parameters whose large errors come from those of others."""
    known = np.isfinite(np.diag(covariance)) & (np.diag(covariance) > 0)
    if known.sum() < 2:
        return []
    places = np.flatnonzero(known)
    errors = np.sqrt(np.diag(covariance)[known])
    correlation = covariance[np.ix_(known, known)] / np.outer(errors, errors)
    with np.errstate(all="ignore"):
        alone = 1 / np.sqrt(np.abs(np.diag(np.linalg.pinv(correlation, rcond=1e-15))))
    poorly = (errors > _LARGE * np.abs(x[known])) & (np.abs(x[known]) > 0)
    return [int(k) for k in places[poorly & (alone * _INFLATION < 1)]]


def _together(
    problem: LeastSquaresProblem, x: Vector, covariance: Matrix, i: int, j: int
) -> str | None:
    """What two parameters make together that is known, or None."""
    a, b = (names.escape(problem.model.params[k]) for k in sorted((i, j)))
    i, j = sorted((i, j))
    p, q = float(x[i]), float(x[j])
    forms = {
        f"{a}*{b}": (p * q, q, p),
        f"{a}/{b}": (p / q, 1 / q, -p / q**2),
        f"{a} + {b}": (p + q, 1.0, 1.0),
        f"{a} - {b}": (p - q, 1.0, -1.0),
    }
    block = covariance[np.ix_([i, j], [i, j])]
    relative = max(math.sqrt(block[0, 0]) / abs(p), math.sqrt(block[1, 1]) / abs(q))
    best, text = _KNOWN * relative, None
    for form, (value, *slope) in forms.items():
        error = math.sqrt(max(float(np.array(slope) @ block @ np.array(slope)), 0.0))
        if value and error < best * abs(value):
            best, text = error / abs(value), f"{form} = {value:.4g} +- {error:.2g}"
    if text is None:  # the combination that is known best, as the height of a line amid its rows
        r = float(f"{-block[0, 1] / block[0, 0]:.4g}")
        value, error = q + r * p, math.sqrt(max(float(np.array([r, 1]) @ block @ [r, 1]), 0.0))
        if error < _KNOWN * min(abs(value), math.sqrt(block[1, 1])):
            sign = "+" if r > 0 else "-"
            text = f"{b} {sign} {abs(r):.4g}*{a} = {value:.4g} +- {error:.2g}"
    return text


def _held(
    problem: LeastSquaresProblem, result: LeastSquaresResult, k: int, found: Sequence[int]
) -> str:
    """What becomes of the fit with parameter k held, or "" where that is worse."""
    start = result.x.copy()
    start[k] = value = float(f"{result.x[k]:.1g}")
    pinned = held(problem, [k], start)
    again = minimize(problem.residuals, problem.box.clip(start).tolist(), pinned.box)
    if again is None or certificate(pinned, again)[0] is not Status.CONVERGED:
        return ""
    change = again.system.rss / result.system.rss - 1
    if not change < _WORSE:
        return ""
    free = pinned.box.free(again.x, again.system.triangle.T @ again.system.vector)
    inverse, *_ = statistics.inverse_gram(again.system.triangle, free)
    variance = again.system.rss / max(problem.response_summary.counted - int(free.sum()), 1)
    params = problem.model.params
    values = ", ".join(
        f"{names.escape(params[j])} = {again.x[j]:.4g} +- {math.sqrt(inverse[j, j] * variance):.2g}"
        for j in found
        if free[j]
    )
    share = f"{100 * max(change, 0.0):.2g} %"
    return (
        f"; with {names.escape(params[k])} = {value:g} held the sum of squares is {share} larger"
        f" and {values}"
    )
