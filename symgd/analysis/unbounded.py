"""Detection of a loss that is unbounded below, by its values along rays.

The length of a ray is doubled again and again. The decreases of a bounded loss sum to a finite
number, so they shrink. A loss that decreases as much with every doubling, like -log(t) or anything
faster, or that reaches -inf, has no minimum along the ray.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Protocol

import numpy as np

from symgd import names
from symgd.solvers.objectives import Box, Objective, Vector

Ray = Callable[[float], Vector]


class RowFunction(Objective, Protocol):
    """An objective whose value is asked far out."""

    def unchecked_value(self, x: Vector) -> float:
        """The value, -inf, inf and nan included."""


_EXPONENTS = (0, 5, *range(10, 20, 2), *range(20, 1000, 10))  # of the lengths along a ray
_LONG_RAY_EXPONENT = 400  # from which a ray is long enough if doubles overflow next
_DECREASE_KEPT = 0.9  # of the decrease per doubling, at least
_IGNORED_EXPONENT = 10  # up to which decreases are not compared
_MOST_COORDINATES = 50  # parameters that are varied alone, at most


def unbounded_direction(
    objective: RowFunction, points: Sequence[Vector], box: Box, params: Sequence[str]
) -> str | None:
    """A sentence about a ray from one of the points along which the loss is unbounded, or None."""
    with np.errstate(all="ignore"):
        for point in points:
            x = box.clip(np.array(point, dtype=np.float64))
            if not np.isfinite(x).all() or np.abs(x).max() > 1e12:
                continue  # a step of length 1 would be lost in rounding
            for ray in _rays(objective, x):
                if (last_point := _last_finite_point(objective, ray, box)) is not None:
                    return _sentence(last_point, x, params)
    return None


def _sentence(last_point: Vector, x: Vector, params: Sequence[str]) -> str:
    changed = [k for k in range(len(x)) if last_point[k] != x[k]]
    places = [f"{names.escape(params[k])} = {last_point[k]:.2g}" for k in changed[:5]]
    listed = ", ".join(places) + (", ..." if len(changed) > 5 else "")
    sentence = f"the loss falls without bound, as far as {listed}: it has no minimum"
    return f"{sentence}; is a term or a sign missing?"


def _last_finite_point(objective: RowFunction, ray: Ray, box: Box) -> Vector | None:
    """The last point of a ray along which the loss is unbounded; None where it may be bounded."""
    last, last_exponent, last_decrease = ray(0.0), 0, 0.0
    last_value = objective.unchecked_value(last)
    for exponent in _EXPONENTS:
        x = ray(2.0**exponent)
        if not np.array_equal(box.clip(x), x):
            return None
        value = objective.unchecked_value(x)
        if value == -np.inf:
            return x
        if not np.isfinite(value):
            return last if last_exponent >= _LONG_RAY_EXPONENT else None
        decrease = (last_value - value) / max(1, exponent - last_exponent)
        kept = decrease > 0 and decrease >= _DECREASE_KEPT * last_decrease
        if exponent > _IGNORED_EXPONENT and not kept:
            return None
        last, last_exponent, last_decrease, last_value = x, exponent, decrease, value
    return last


def _rays(objective: RowFunction, x: Vector) -> Iterator[Ray]:
    """Steepest descent, negative curvature, and each parameter alone: to infinity and to zero."""
    grad = np.array(objective.gradient(x.tolist())[1])
    if np.isfinite(grad).all() and grad.any():
        yield _straight(x, -grad / np.abs(grad).max())
    hess = np.array(objective.hessian(x.tolist()))
    if np.isfinite(hess).all():
        values, vectors = np.linalg.eigh(hess)
        for k in np.flatnonzero(values < 0)[:1]:
            yield _straight(x, vectors[:, k])
            yield _straight(x, -vectors[:, k])
    for k in range(min(len(x), _MOST_COORDINATES)):
        unit = np.zeros(len(x))
        unit[k] = 1.0
        yield _straight(x, unit)
        yield _straight(x, -unit)
        yield _shrinking(x, k)


def _straight(x: Vector, direction: Vector) -> Ray:
    return lambda length: x + length * direction


def _shrinking(x: Vector, k: int) -> Ray:
    """Parameter k from magnitude 1 or more to zero, where log(s) is unbounded."""
    initial = float(x[k]) if abs(x[k]) > 1 else -1.0 if x[k] < 0 else 1.0

    def ray(length: float) -> Vector:
        changed = x.copy()
        changed[k] = initial / max(1.0, length)
        return changed

    return ray
