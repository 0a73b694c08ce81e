"""Whether a loss falls without bound: followed along rays, as far as doubles go.

Along a ray whose length doubles, a loss that has a bound gains less and less, for what it gains
adds up to a finite sum. One that gains as much with every doubling, as log(t) and all that falls
faster do, or that ends at -inf, has no minimum there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np

from symgd import names
from symgd.fits.objective import Objective
from symgd.solvers.objectives import Box, Vector

Ray = Callable[[float], Vector]

_EXPONENTS = (0, 5, *range(10, 20, 2), *range(20, 1000, 10))  # of the lengths along a ray
_FAR = 400  # the exponent from which a ray is long enough, should doubles end
_KEPT = 0.9  # of the gain per doubling, at least
_BEGINNING = 10  # doublings that say nothing yet
_DIRECTIONS = 50  # most parameters that are followed alone


def falls(
    objective: Objective, points: Sequence[Vector], box: Box, params: Sequence[str]
) -> str | None:
    """A sentence about a ray from one of the points along which the loss has no bound, or None."""
    with np.errstate(all="ignore"):
        for point in points:
            x = box.clip(np.array(point, dtype=np.float64))
            if not np.isfinite(x).all() or np.abs(x).max() > 1e12:
                continue  # where steps of length 1 are rounding
            for ray in _rays(objective, x):
                if (end := _end(objective, ray, box)) is not None:
                    return _sentence(end, x, params)
    return None


def _sentence(end: Vector, x: Vector, params: Sequence[str]) -> str:
    moved = [k for k in range(len(x)) if end[k] != x[k]]
    places = [f"{names.escape(params[k])} = {end[k]:.2g}" for k in moved[:5]]
    listed = ", ".join(places) + (", ..." if len(moved) > 5 else "")
    told = f"the loss falls without bound, as far as {listed}: it has no minimum"
    return f"{told}; is a term or a sign missing?"


def _end(objective: Objective, ray: Ray, box: Box) -> Vector | None:
    """The last point of a ray along which the loss has no bound; None where it may have one."""
    last, gain, before, reached = objective.raw(ray(0.0)), 0.0, 0, ray(0.0)
    for exponent in _EXPONENTS:
        x = ray(2.0**exponent)
        if not np.array_equal(box.clip(x), x):
            return None
        value = objective.raw(x)
        if value == -np.inf:
            return x
        if not np.isfinite(value):
            return reached if before >= _FAR else None
        fall = (last - value) / max(1, exponent - before)
        if exponent > _BEGINNING and not (fall > 0 and fall >= _KEPT * gain):
            return None
        last, gain, before, reached = value, fall, exponent, x
    return reached


def _rays(objective: Objective, x: Vector) -> Iterator[Ray]:
    """Downhill, along negative curvature, and every parameter alone: to infinity and to zero."""
    _, slope = objective.gradient(x)
    if np.isfinite(slope).all() and slope.any():
        yield _straight(x, -slope / np.abs(slope).max())
    curve = objective.hessian(x)
    if np.isfinite(curve).all():
        values, vectors = np.linalg.eigh(curve)
        for k in np.flatnonzero(values < 0)[:1]:
            yield _straight(x, vectors[:, k])
            yield _straight(x, -vectors[:, k])
    for k in range(min(len(x), _DIRECTIONS)):
        unit = np.zeros(len(x))
        unit[k] = 1.0
        yield _straight(x, unit)
        yield _straight(x, -unit)
        yield _shrinking(x, k)


def _straight(x: Vector, direction: Vector) -> Ray:
    return lambda length: x + length * direction


def _shrinking(x: Vector, k: int) -> Ray:
    """Parameter k from 1 or beyond towards zero: where log(s) has no bound."""
    begin = float(x[k]) if abs(x[k]) > 1 else -1.0 if x[k] < 0 else 1.0

    def ray(length: float) -> Vector:
        moved = x.copy()
        moved[k] = begin / max(1.0, length)
        return moved

    return ray
