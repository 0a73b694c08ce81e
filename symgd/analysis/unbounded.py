"""Detection of a loss that is unbounded below, by its values along rays.

The length of a ray is doubled again and again. The decreases of a bounded loss sum to a finite
number, so they shrink. A loss that decreases as much with every doubling, like -log(t) or anything
faster, or that reaches -inf, has no minimum along the ray.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import product
from typing import Protocol

from symgd import names
from symgd._numpy import np
from symgd.solvers.objectives import Box, Objective, Vector

Ray = Callable[[float], Vector]


class RowFunction(Objective, Protocol):
    """An objective whose value is asked far out."""

    def value(self, x: Vector, /) -> float:
        """The value, -inf, inf and nan included."""


_EXPONENTS = (0, 5, *range(10, 20, 2), *range(20, 1000, 10))  # of the lengths along a ray
_LONG_RAY_EXPONENT = 400  # from which a ray is long enough if doubles overflow next
_DECREASE_KEPT = 0.9  # of the decrease per doubling, at least
_IGNORED_EXPONENT = 10  # up to which decreases are not compared
_FEW = 4  # parameters that are varied together in every quadrant, at most
_MOST_COORDINATES = 50  # parameters that are varied alone, at most


def unbounded_direction(
    objective: RowFunction, points: Sequence[Vector], box: Box, params: Sequence[str]
) -> str | None:
    """A sentence about a ray from one of the points along which the loss is unbounded, or None."""
    for point in points:
        if (found := unbounded_ray(objective, point, box)) is not None:
            x, last_point = found
            return _sentence(last_point, x, params)
    return None


def unbounded_ray(
    objective: RowFunction, point: Vector | Sequence[float], box: Box, samples: int = 1
) -> tuple[Vector, Vector] | None:
    """A point and the last finite one of a ray from there along which the loss is unbounded.

    samples: points between one length and its double of which the lowest counts, for x*sin(x).
    """
    x = box.clip(np.array(point, dtype=np.float64))
    if not np.isfinite(x).all() or np.abs(x).max(initial=0.0) > 1e12:
        return None  # a step of length 1 would be lost in rounding
    with np.errstate(all="ignore"):
        for ray in _rays(objective, x):
            last_point = _last_finite_point(objective, ray, box, samples)
            if last_point is not None:
                return x, last_point
    return None


def _sentence(last_point: Vector, x: Vector, params: Sequence[str]) -> str:
    changed = [k for k in range(len(x)) if last_point[k] != x[k]]
    places = [f"{names.escape(params[k])} = {last_point[k]:.2g}" for k in changed[:5]]
    listed = ", ".join(places) + (", ..." if len(changed) > 5 else "")
    sentence = f"the loss falls without bound, as far as {listed}: it has no minimum"
    return f"{sentence}; is a term or a sign missing?"


def _last_finite_point(objective: RowFunction, ray: Ray, box: Box, samples: int) -> Vector | None:
    """The last point of a ray along which the loss is unbounded; None where it may be bounded."""
    last, last_exponent, last_decrease = ray(0.0), 0, 0.0
    last_value = objective.value(last)
    for exponent in _EXPONENTS:
        x = ray(2.0**exponent)
        if not np.array_equal(box.clip(x), x):
            return None
        value = objective.value(x)
        for k in range(1, samples):
            there = objective.value(ray(2.0 ** (exponent + k / samples)))
            value = min(value, there) if there == there else there
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
    """Steepest descent, least curvature, each parameter alone, to zero too, and diagonals."""
    grad = np.array(objective.gradient(x.tolist())[1])
    if np.isfinite(grad).all() and grad.any():
        yield _straight(x, -grad / np.abs(grad).max())
    hess = np.array(objective.hessian(x.tolist()))
    if np.isfinite(hess).all():
        values, vectors = np.linalg.eigh(hess)
        if len(values):
            yield _straight(x, vectors[:, 0])
            yield _straight(x, -vectors[:, 0])
    for k in range(min(len(x), _MOST_COORDINATES)):
        unit = np.zeros(len(x))
        unit[k] = 1.0
        yield _straight(x, unit)
        yield _straight(x, -unit)
        yield _shrinking(x, k, 1.0)
        yield _shrinking(x, k, -1.0)
    if 1 < len(x) <= _FEW:
        for signs in product((1.0, -1.0), repeat=len(x)):
            yield _straight(x, np.array(signs))


def _straight(x: Vector, direction: Vector) -> Ray:
    return lambda length: x + length * direction


def _shrinking(x: Vector, k: int, sign: float) -> Ray:
    """Parameter k, of this sign, from magnitude 1 or more to zero, where log(s) is unbounded."""
    initial = sign * max(1.0, abs(float(x[k])))

    def ray(length: float) -> Vector:
        changed = x.copy()
        changed[k] = initial / max(1.0, length)
        return changed

    return ray
