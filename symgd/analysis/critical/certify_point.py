"""Whether a point that a search found is a critical point, where exactly, and of what kind.

By Newton's method in many digits where the loss is short enough, else by what the rounding of the
Hessian's entries leaves open.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from symgd.analysis.critical.critical_point import CriticalPoint
from symgd.analysis.critical.curvature_signs import curvatures_in_doubles
from symgd.analysis.critical.degenerate_point import neighborhood
from symgd.analysis.critical.multiprecision_newton import Refined, refinable, refined
from symgd.model.loss import Loss

_SMALL = 1e-3  # of the slopes around a point, those at a critical point
_STEPS = (1e-5, 1e-9)  # both: a sharp minimum beside a pole of its own is one


def certified(loss: Loss, x: Sequence[float]) -> CriticalPoint | None:
    """The critical point at or next to x, or None where there is none."""
    found = refined(loss, x) if refinable(loss) else True
    if not found:
        return None
    if isinstance(found, Refined):
        at, curvatures = found.x, found.curvatures
    else:
        size = max(map(abs, x))
        at = tuple(float(v) if abs(v) > 1e-15 * size else 0.0 for v in x)
        curvatures = curvatures_in_doubles(loss, at)
    level = loss.internals.evaluate_value(*at)[0] + 0.0
    if not math.isfinite(level) or not _stationary(loss, at):
        return None
    shape, note = "smooth", ""
    if curvatures.kind == "degenerate" and curvatures.values:
        shape, note = neighborhood(loss, at, curvatures)
    point = CriticalPoint(at, level, curvatures.kind, curvatures.values, note=note, shape=shape)
    return None if at_pole(loss, point) else point


def _stationary(loss: Loss, x: Sequence[float]) -> bool:
    """Whether the slopes in doubles at x are small beside those around: at 1e300 sin has none."""
    here = max(map(abs, loss.internals.evaluate(*x)[1:]))
    size = max(1e-3, *map(abs, x))
    around = 0.0
    for k in range(len(x)):
        for away in (1e-3, -1e-3, 1e-5, -1e-5):
            there = (v + away * size * (j == k) for j, v in enumerate(x))
            slopes = loss.internals.evaluate(*there)[1:]
            around = max([around, *(abs(s) for s in slopes if math.isfinite(s))])
    return here <= _SMALL * around


def at_pole(loss: Loss, point: CriticalPoint) -> bool:
    """Whether a minimum is the edge of a pole: 1/y at 0 counts as infinite."""
    if point.kind != "minimum" or loss.internals.rows is not None:
        return False
    return all(_falls(loss, point, step) for step in _STEPS)


def _falls(loss: Loss, point: CriticalPoint, step: float) -> bool:
    """Whether the loss is much lower a step away along an axis."""
    much = point.value - 1e-6 * abs(point.value)
    for k, v in enumerate(point.x):
        for there in (v - step * (1 + abs(v)), v + step * (1 + abs(v))):
            x = [*point.x[:k], there, *point.x[k + 1 :]]
            if loss.internals.evaluate_value(*x)[0] < much:
                return True
    return False
