"""What is known of a loss whose gradient function alone is given: overflow, rise, curvature."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from symgd.solvers import symmetric
from symgd.solvers.symmetric import finite_rows

#: (p0, p1, ...) -> [value, gradient...]; the value is nan where it is not known
Evaluate = Callable[..., list[float]]

# Abscissas and weights of Gauss-Legendre quadrature on [-1, 1] with 8 points, the right half:
# exact for polynomials of degree 15 (Abramowitz & Stegun, table 25.4).
_GAUSS = (
    (0.1834346424956498, 0.3626837833783620),
    (0.5255324099163290, 0.3137066458778873),
    (0.7966664774136267, 0.2223810344533745),
    (0.9602898564975363, 0.1012285362903763),
)
_FAR = 1e6  # parameters beyond it, as `symgd.analysis.diagnosis` has it, ran away
_HUGE = 1e60  # differences of powers of such numbers are inf - inf = nan
_NOISE = 1e-6  # more than the relative error of a curvature from differences
_LARGEST = 60  # parameters up to which a Hessian is formed


def overflows(evaluate: Evaluate, x: Sequence[float]) -> bool:
    """Whether a number grew too large there; a pole is infinite at one point, not beside it."""
    value, *grad = evaluate(*x)
    size = max(map(abs, x))
    if any(map(math.isnan, grad)):
        return size > _HUGE
    if size > _FAR:
        return True
    beside = evaluate(*(v + 1e-6 * (abs(v) or 1.0) for v in x))
    return any(math.isinf(a) and a == b for a, b in zip([value, *grad], beside, strict=True))


def rise(evaluate: Evaluate, start: Sequence[float], end: Sequence[float]) -> float:
    """The loss at `end` minus the loss at `start`: the integral of the gradient between them."""
    way = [b - a for a, b in zip(start, end, strict=True)]
    total = 0.0
    for place, weight in ((sign * p, w) for p, w in _GAUSS for sign in (-1, 1)):
        share = 0.5 * (1 + place)
        _, *grad = evaluate(*(a + share * w for a, w in zip(start, way, strict=True)))
        total += 0.5 * weight * sum(g * w for g, w in zip(grad, way, strict=True))
    return total


def eigenvalues(evaluate: Evaluate, x: Sequence[float]) -> list[float]:
    """Of the Hessian at x, ascending; those below the error of differences are 0."""
    values = symmetric.eigenvalues(hessian(evaluate, x))
    noise = _NOISE * max(map(abs, values), default=0.0)
    return [v if abs(v) > noise else 0.0 for v in values]


def leads_down(evaluate: Evaluate, x: Sequence[float]) -> bool:
    """Whether a short way along the most negative curvature at x the loss falls."""
    steepest, size = symmetric.spectrum(hessian(evaluate, x)).lowest, max(1.0, *map(abs, x))
    for length in (1e-3 * size, -1e-3 * size):
        _, *grad = evaluate(*(v + length * d for v, d in zip(x, steepest, strict=True)))
        if sum(g * length * d for g, d in zip(grad, steepest, strict=True)) < 0:
            return True
    return False


def hessian(evaluate: Evaluate, x: Sequence[float]) -> list[list[float]]:
    """Central differences of the gradient; [] where there are too many or some are not finite."""
    if len(x) > _LARGEST:
        return []
    columns = []
    for k, v in enumerate(x):
        step = 6e-6 * (abs(v) or 1.0)
        right, left = (evaluate(*x[:k], v + d, *x[k + 1 :])[1:] for d in (step, -step))
        columns.append([(a - b) / (2 * step) for a, b in zip(right, left, strict=True)])
    rows = [[0.5 * (columns[i][j] + columns[j][i]) for j in range(len(x))] for i in range(len(x))]
    return rows if finite_rows(rows) else []
