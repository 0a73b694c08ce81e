"""Minima by Newton's method, and which way a stationary point curves."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from symgd.model.loss import Loss

_EPS = 2.0**-52


@dataclass(frozen=True)
class Minimum:
    """A point with vanishing gradient and positive definite Hessian, and its eigenvalues."""

    x: list[float]
    eigenvalues: list[float]


def find_minimum(
    loss: Loss, x: Sequence[float], careful: bool = False, iterations: int = 60
) -> Minimum | None:
    """The minimum that Newton's method reaches from x, if it goes downhill all the way.

    careful: flip the sign of negative curvatures and shorten steps, for distant starts.
    """
    point = [float(v) for v in x]
    value, *grad = loss.internals.evaluate(*point)
    before = math.inf
    for _ in range(iterations):
        if not all_finite([value, *grad]):
            return None
        step = _newton(loss.internals.hess_rows(point), grad, careful)
        if step is None:
            return None
        length, size = math.hypot(*step), math.hypot(*point)
        close = length <= 1e-9 * max(size, 1e-9 * math.hypot(*x))
        if close or length == 0:
            # Newton's steps shrink superlinearly at a minimum, but only by a constant factor where
            # the curvature vanishes with the gradient (x**4 at 0): that is none to linearize at.
            values = eigenvalues(loss, point)
            good = bool(values) and values[0] > 1e-12 * abs(values[-1])
            return Minimum(point, values) if good and length <= 0.05 * before else None
        for _ in range(40 if careful else 1):
            new = [p - s for p, s in zip(point, step, strict=True)]
            new_value, *grad = loss.internals.evaluate(*new)
            downhill = new_value <= value + abs(value) * 1e-12
            if downhill:
                break
            step = [0.5 * s for s in step]
        if not downhill:
            return None
        point, value, before = new, new_value, length
    return None


def _newton(rows: list[list[float]], grad: Sequence[float], careful: bool) -> list[float] | None:
    """The Newton step; None where it is not finite or the Hessian not positive definite."""
    if not all_finite([v for row in rows for v in row]):
        return None
    if len(rows) == 1:
        curvature = abs(rows[0][0]) if careful else rows[0][0]
        return [grad[0] / curvature] if curvature > 0 else None
    import numpy as np

    values, vectors = np.linalg.eigh(np.array(rows))
    if careful:
        values = np.maximum(np.abs(values), 1e-10 * np.abs(values).max())
    if not values[0] > 0:
        return None
    with np.errstate(all="ignore"):  # a curvature of 1e-300 makes an infinite step
        step: list[float] = (vectors @ ((vectors.T @ np.array(grad)) / values)).tolist()
    return step if all_finite(step) else None


def eigenvalues(loss: Loss, x: Sequence[float]) -> list[float]:
    """Of the Hessian at x, ascending; [] where it is not finite."""
    rows = loss.internals.hess_rows(x)
    return spectrum(rows) if all_finite([v for row in rows for v in row]) else []


def spectrum(rows: list[list[float]]) -> list[float]:
    """The eigenvalues of a symmetric matrix, ascending."""
    if len(rows) == 1:
        return [rows[0][0]]
    import numpy as np

    return [float(v) for v in np.linalg.eigvalsh(np.array(rows))]


def steepest_curve(loss: Loss, x: Sequence[float]) -> list[float]:
    """The unit vector along which the Hessian at x curves down most; its largest entry is > 0."""
    if len(x) == 1:
        return [1.0]
    import numpy as np

    vector = np.linalg.eigh(np.array(loss.internals.hess_rows(x)))[1][:, 0]
    vector = vector * np.sign(vector[np.argmax(np.abs(vector))])
    return [float(v) if abs(v) > 1e-12 else 0.0 for v in vector]


def leads_down(loss: Loss, x: Sequence[float], value: float) -> bool:
    """Whether a short way along the most negative curvature the loss is really smaller."""
    direction = steepest_curve(loss, x)
    size = max(1.0, *map(abs, x))
    for length in (1e-4 * size, 1e-3 * size, 1e-2 * size, -1e-4 * size, -1e-3 * size, -1e-2 * size):
        there = loss.internals.evaluate_value(
            *(v + length * d for v, d in zip(x, direction, strict=True))
        )[0]
        if there < value - 4 * _EPS * abs(value):
            return True
    return False


def all_finite(values: Sequence[float]) -> bool:
    """Whether every number is finite."""
    return all(map(math.isfinite, values))
