"""Quantiles of Student's t distribution by quadrature (M. Abramowitz, I. Stegun, 1964, 26.7)."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache, lru_cache

from symgd._numpy import np
from symgd.solvers.objectives import Vector

_DEGREE = 120  # of the quadrature; the integrand is a power of a cosine
_NORMAL_FROM = 1e6  # degrees of freedom from which the distribution is taken as normal


@lru_cache(maxsize=64)
def two_sided_quantile(level: float, dof: float) -> float:
    """The q with P(|t| <= q) = level. level: in (0, 1). dof: above 0; inf: the normal quantile."""
    if dof > _NORMAL_FROM:
        return _bisect(lambda q: math.erf(q / math.sqrt(2)), level)
    return _bisect(lambda q: two_sided_probability(q, dof), level)


def two_sided_probability(q: float, dof: float) -> float:
    """P(|t| <= q): with t = sqrt(dof)*tan(u) an integral of cos(u)**(dof - 1)."""
    nodes, weights = _gauss_legendre()
    end = math.atan(q / math.sqrt(dof))
    # beyond 12 standard deviations the power of the cosine is negligible
    upper_limit = min(end, 12 / math.sqrt(dof) if dof > 100 else end)
    u = 0.5 * upper_limit * (nodes + 1)
    integral = 0.5 * upper_limit * float(weights @ np.cos(u) ** (dof - 1))
    log_scale = math.lgamma((dof + 1) / 2) - math.lgamma(dof / 2) - 0.5 * math.log(math.pi)
    return 2 * integral * math.exp(log_scale)


@cache
def _gauss_legendre() -> tuple[Vector, Vector]:
    """The nodes and weights of Gauss-Legendre quadrature on (-1, 1)."""
    nodes, weights = np.polynomial.legendre.leggauss(_DEGREE)
    return nodes, weights


def _bisect(probability: Callable[[float], float], level: float) -> float:
    low, high = 0.0, 1.0
    while probability(high) < level:
        low, high = high, 2 * high
    for _ in range(60):
        middle = 0.5 * (low + high)
        low, high = (middle, high) if probability(middle) < level else (low, middle)
    return 0.5 * (low + high)
