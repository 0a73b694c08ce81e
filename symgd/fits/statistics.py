"""Statistics of a fit: covariances, standard errors, information criteria, warnings.

Least squares: covariance = sigma**2 * (J'J)**-1 with sigma**2 = rss/(n - p), from the singular
values of the Jacobian with columns of unit length. Likelihoods (the loss is -log L): the inverse
Hessian. Robust losses: the sandwich H**-1 (sum g g') H**-1 * n/(n - p) (P. Huber, 1967, The
behavior of maximum likelihood estimates under nonstandard conditions, Proc. 5th Berkeley Symp. 1).
AIC = 2k - 2 log L and BIC = k log n - 2 log L (H. Akaike, 1974; G. Schwarz, 1978), where for least
squares log L = -n/2*(log(2*pi*rss/n) + 1) + sum(log w)/2 and k counts sigma, too, as in R.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from symgd._numpy import np
from symgd.solvers.objectives import Mask, Matrix, Vector

_EPS = 2.0**-52
_EXACT = 32 * _EPS  # of the norm of the response: residuals up to this are rounding errors


def inverse_gram(triangle: Matrix, free: Mask) -> tuple[Matrix, float, list[int]]:
    """(J'J)**-1 in the free parameters from J's triangle, nan elsewhere.

    Also the condition number of J with columns of unit length, and the parameters in the null
    space of J; with a null space there is no inverse, and all is nan.
    """
    count = len(free)
    out = np.full((count, count), math.nan)
    places = np.flatnonzero(free)
    if not len(places):
        return out, 1.0, []
    part = triangle[:, free]
    lengths = np.linalg.norm(part, axis=0)
    if not (lengths > 0).all():
        return out, math.inf, [int(k) for k in places[lengths == 0]]
    _, s, vt = np.linalg.svd(part / lengths, full_matrices=False)
    condition = float(s[0] / s[-1]) if s[-1] > 0 and len(s) == len(places) else math.inf
    unknown = s <= s[0] * 10 * len(places) * _EPS
    if len(s) < len(places) or unknown.any():
        null = vt[unknown] if unknown.any() else np.ones((1, len(places)))
        in_null_space = np.abs(null).max(axis=0) > 0.1
        return out, math.inf, [int(k) for k in places[in_null_space]]
    with np.errstate(all="ignore"):
        root = (vt.T / s) / lengths[:, None]
        out[np.ix_(free, free)] = root @ root.T
    return out, condition, []


def inverse_hessian(hessian: Matrix, free: Mask) -> tuple[Matrix, float]:
    """The inverse of a positive definite Hessian in the free parameters, and its condition."""
    count = len(free)
    out = np.full((count, count), math.nan)
    part = hessian[np.ix_(free, free)]
    if not part.size:
        return out, 1.0
    diagonal = np.diag(part)
    if not (np.isfinite(part).all() and (diagonal > 0).all()):
        return out, math.inf
    scale = np.sqrt(diagonal)
    values, vectors = np.linalg.eigh(part / np.outer(scale, scale))
    if not values[0] > 10 * len(values) * _EPS * values[-1]:
        return out, math.inf
    with np.errstate(all="ignore"):  # an infinite variance is possible
        out[np.ix_(free, free)] = ((vectors / values) @ vectors.T) / np.outer(scale, scale)
        return out, float(values[-1] / values[0])


def large_relative_errors(x: Vector, errors: Vector) -> list[int]:
    """The parameters whose standard errors are more than 1000 times their values."""
    # Python's floats overflow to inf without a warning
    pairs = zip(x.tolist(), errors.tolist(), strict=True)
    return [k for k, (v, e) in enumerate(pairs) if e > 1000 * abs(v) > 0]


def standard_errors(covariance: Matrix) -> Vector:
    """(P,): the square roots of the diagonal, nan where it is nan or negative."""
    with np.errstate(invalid="ignore"):
        errors: Vector = np.sqrt(np.diag(covariance))
    return errors


def correlations(covariance: Matrix) -> Matrix:
    """The covariance with unit diagonal; nan where a parameter has no error."""
    errors = standard_errors(covariance)
    with np.errstate(invalid="ignore", divide="ignore"):
        out: Matrix = np.clip(covariance / np.outer(errors, errors), -1.0, 1.0)
    known = np.isfinite(np.diag(out))
    out[known, known] = 1.0
    return out


def gaussian_log_likelihood(
    rss: float, rows: int, log_weights: float, absolute: bool
) -> float | None:
    """log L of least squares; None for an exact fit, whose likelihood is unbounded.

    log_weights: the sum of log w. absolute: the weights are 1/sigma**2 of known sigma.
    """
    if rows == 0 or (rss <= 0 and not absolute):
        return None
    if absolute:
        return -0.5 * (rows * math.log(2 * math.pi) + rss - log_weights)
    return -0.5 * (rows * (math.log(2 * math.pi * rss / rows) + 1) - log_weights)


def residual_standard_error(rss: float | None, dof: int) -> float | None:
    """sqrt(rss/dof), or None."""
    return math.sqrt(rss / dof) if rss is not None and dof > 0 else None


def is_exact(rss: float, response: float) -> bool:
    """Whether residuals are rounding errors. response: its sum of squares about zero."""
    return rss <= _EXACT**2 * response


def precision_warning(rss: float, response: float) -> str:
    """A warning where residuals are as small as rounding, or "". Arguments as of `is_exact`."""
    if is_exact(rss, response):
        return "the model fits to the last digits: its standard errors, AIC and BIC mean nothing"
    if rss <= (1e4 * _EPS) ** 2 * response:
        return (
            "the residuals are hardly larger than the rounding of the data to doubles: "
            "standard errors have fewer than 4 digits"
        )
    return ""


def undetermined(hessian: Matrix, free: Mask) -> list[int]:
    """The free parameters in directions along which a Hessian is not positive definite."""
    places = np.flatnonzero(free)
    part = hessian[np.ix_(free, free)]
    diagonal = np.sqrt(np.abs(np.diag(part)))
    if not (np.isfinite(part).all() and (diagonal > 0).all()):
        return [int(k) for k, d in zip(places, diagonal, strict=True) if not d > 0] or [
            int(k) for k in places
        ]
    values, vectors = np.linalg.eigh(part / np.outer(diagonal, diagonal))
    null = vectors[:, values <= 16 * len(values) * _EPS * np.abs(values).max()]
    if not null.size:
        return [int(k) for k in places]
    return [int(k) for k in places[np.abs(null).max(axis=1) > 0.1]]


def warnings(
    names: Sequence[str],
    at_bound: Sequence[int],
    unknown: Sequence[int],
    condition: float,
    correlation: Matrix,
    dof: int,
    precision: str,
    diverging: Sequence[int],
    remedy: str = "",
) -> list[str]:
    """Sentences about what limits the standard errors. Indices are of `names`.

    unknown: parameters that the data do not determine; remedy: what was found about them.
    diverging: those whose errors are many times their values at an end that is no minimum.
    precision: that of `precision_warning`.
    """
    found = []
    if precision and dof > 0 and not unknown:
        found.append(precision)
    if unknown:
        listed = ", ".join(names[k] for k in unknown)
        alone = "it has no effect here, as where it ran away"
        why = remedy or (alone if len(unknown) == 1 else "their effects are one here")
        found.append(f"the data do not determine {listed}: {why} (non-identifiable)")
    for k in at_bound:
        others = "; the standard errors of the others hold it there" if len(names) > 1 else ""
        found.append(f"{names[k]} is at its bound{others}")
    if diverging and not unknown:
        listed = ", ".join(names[k] for k in diverging)
        found.append(
            f"{listed}: errors of over 1000 times the value; the data hardly tell, or it runs away"
        )
    if not unknown and condition > 1e8:
        few = "; standard errors may have fewer than 4 digits" if condition * _EPS > 1e-4 else ""
        sentence = f"ill-conditioned: condition number {condition:.2g} of the scaled Jacobian"
        found.append(sentence + few)
    if dof <= 0:
        found.append("there are no more rows than parameters, so there are no standard errors")
    for i in range(len(names)):
        for j in range(i):
            if abs(correlation[i, j]) > 0.9999:
                found.append(
                    f"{names[j]} and {names[i]} are nearly one: correlation {correlation[i, j]:.6f}"
                )
    return found
