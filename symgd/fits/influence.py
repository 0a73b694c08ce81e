"""What each row does to a fit: residual, leverage, Cook's distance.

The leverage h of a row is the diagonal of J (J'J)**-1 J', its distance r**2 h/(p s**2 (1 - h)**2)
(R. D. Cook, 1977, Detection of influential observation in linear regression, Technometrics 19(1),
https://doi.org/10.2307/1268249); for models that are not linear both are to first order.
"""

from __future__ import annotations

from collections.abc import Sequence

from symgd._numpy import np
from symgd.fits.least_squares_problem import LeastSquaresProblem
from symgd.solvers.objectives import Matrix, Vector


def standard_deviations(problem: LeastSquaresProblem, scale: float) -> Vector | None:
    """scale/sqrt(weight) of every row, (N,): its error bar; None where there are no weights."""
    if problem.model.weight is None:
        return None
    with np.errstate(divide="ignore"):
        return np.asarray(scale / np.sqrt(problem.observed[0].all_rows([])[1]))


def influence(
    problem: LeastSquaresProblem, x: Sequence[float], covariance: Matrix, variance: float
) -> dict[str, Vector]:
    """standardized, leverage and cook of every row: (N,) each; nan where they are unknown.

    Of a second residual of the rows residual_2, standardized_2, .. likewise, and so on. x: (P,).
    covariance: (P, P), of which variance is the factor that (J'J)**-1 has.
    """
    known = np.isfinite(np.diag(covariance))
    inverse = covariance[np.ix_(known, known)] / variance
    each = len(problem.residuals.each)
    parts: list[list[Matrix]] = [[] for _ in range(each)]
    for k, block in enumerate(problem.residuals.matrices(x)):
        jacobian = block[:, :-1][:, known]
        leverage = np.einsum("ij,jk,ik->i", jacobian, inverse, jacobian)
        parts[k % each].append(np.column_stack([block[:, -1], leverage]))
    found: dict[str, Vector] = {}
    for k, part in enumerate(parts[: each - problem.model.penalties]):
        r, h = np.concatenate(part).T
        suffix = f"_{k + 1}" if k else ""
        if k:
            found[f"residual{suffix}"] = -r
        with np.errstate(all="ignore"):
            spread = np.where(h < 1, 1 - h, np.nan) * variance
            found[f"standardized{suffix}"] = -r / np.sqrt(spread)
            found[f"leverage{suffix}"] = h
            found[f"cook{suffix}"] = r * r * h * variance / (spread * spread * max(1, known.sum()))
    return found
