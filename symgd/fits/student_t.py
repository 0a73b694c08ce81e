"""Quantiles of Student's distribution, from its integral (M. Abramowitz, I. Stegun, 26.7)."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache

import numpy as np

from symgd.solvers.objectives import Vector

_DEGREE = 120  # of the quadrature; the integrand is a power of a cosine
_NORMAL = 1e6  # degrees of freedom beyond which the tails are those of the normal distribution


def two_sided(level: float, dof: float) -> float:
    """The q for which P(|t| <= q) = level. level: within (0, 1); dof: above 0, inf the normal."""
    if dof > _NORMAL:
        return _bisect(lambda q: math.erf(q / math.sqrt(2)), level)
    return _bisect(lambda q: inside(q, dof), level)


def inside(q: float, dof: float) -> float:
    """P(|t| <= q): with t = sqrt(dof)*tan(u) an integral of cos(u)**(dof - 1)."""
    nodes, weights = _rule()
    end = math.atan(q / math.sqrt(dof))
    # beyond some standard deviations the power of the cosine is nothing
    near = min(end, 12 / math.sqrt(dof) if dof > 100 else end)
    u = 0.5 * near * (nodes + 1)
    integral = 0.5 * near * float(weights @ np.cos(u) ** (dof - 1))
    log_scale = math.lgamma((dof + 1) / 2) - math.lgamma(dof / 2) - 0.5 * math.log(math.pi)
    return 2 * integral * math.exp(log_scale)


@cache
def _rule() -> tuple[Vector, Vector]:
    """The nodes and weights of Gauss and Legendre on (-1, 1)."""
    nodes, weights = np.polynomial.legendre.leggauss(_DEGREE)
    return nodes, weights


def _bisect(share: Callable[[float], float], level: float) -> float:
    low, high = 0.0, 1.0
    while share(high) < level:
        low, high = high, 2 * high
    for _ in range(60):
        middle = 0.5 * (low + high)
        low, high = (middle, high) if share(middle) < level else (low, middle)
    return 0.5 * (low + high)
