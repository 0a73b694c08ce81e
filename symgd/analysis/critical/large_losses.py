"""A minimum of a loss of many parameters, and its curvatures from the least to the largest."""

from __future__ import annotations

from collections.abc import Sequence

from symgd._numpy import np
from symgd.analysis.critical.critical_point import CriticalPoint, CriticalPoints
from symgd.analysis.large_minima import certified, curvature_ends, descend, noise
from symgd.analysis.smooth_loss import SmoothLoss
from symgd.model.loss import Loss

_STATIONARY = 1e-5  # of the gradient at the start, one that is none


def near_start(loss: Loss, start: Sequence[float]) -> CriticalPoints:
    """The minimum downhill of the start, if one is reached."""
    note = f"of {len(loss.params):,} parameters only a minimum near the start was looked for"
    point = _minimum(loss, start) or _stationary(loss, start)
    if point is None:
        return CriticalPoints((), "numeric", False, note=f"none found: {note}")
    return CriticalPoints((point,), "numeric", False, note=note)


def _minimum(loss: Loss, start: Sequence[float]) -> CriticalPoint | None:
    found = certified(loss, start)
    if found is None:
        return None
    level = loss.compiled(found.x)[0]
    note = "curvatures of both ends by Lanczos' method" if found.eigenvalues else ""
    if count := sum(found.held):
        held = f"at {count:,} bound{'s' * (count > 1)}, where the gradient points out of the box"
        note = f"{held}; {note}" if note else held
    values, shape = tuple(found.eigenvalues), "bound" if count else "smooth"
    return CriticalPoint(tuple(found.x), level, "minimum", values, note=note, shape=shape)


def _stationary(loss: Loss, start: Sequence[float]) -> CriticalPoint | None:
    found = descend(loss, start)
    at = np.array(start if loss.internals.box is None else loss.internals.box.clip(start), float)
    first = np.linalg.norm(SmoothLoss(loss).gradient(at)[1])
    if found is None or not found[1] <= _STATIONARY * first:
        return None
    x = found[0].tolist()
    ends = curvature_ends(loss, x)
    if ends is None:
        return None
    kind = "saddle" if ends.low < -noise(ends) else "degenerate"
    note = "a minimum as far as products with the Hessian show" if kind == "degenerate" else ""
    return CriticalPoint(tuple(x), loss.compiled(x)[0], kind, (ends.low, ends.high), note=note)
