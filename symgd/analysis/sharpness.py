"""The sharpness of a loss, the largest eigenvalue of its Hessian, at a point and along a path."""

from __future__ import annotations

import math
from collections.abc import Sequence

from symgd.analysis.minima import eigenvalues
from symgd.model.history import History
from symgd.model.loss import Loss

_FEW = 60  # parameters of a Hessian that is formed,
_SHORT = 60_000  # and operations of the loss times parameters


def sharpness(loss: Loss, x: Sequence[float]) -> float | None:
    """The largest eigenvalue at x; None where it is not finite, or too expensive.

    J. Cohen et al., 2021, Gradient descent on neural networks typically occurs at the edge of
    stability, ICLR: gradient descent is locally stable where it is below 2/lr.
    """
    count, internals = len(x), loss.internals
    if count <= _FEW and internals.work * count <= _SHORT:
        values = eigenvalues(loss, x)
        return values[-1] if values else None
    from symgd.analysis.large_minima import curvature_ends, most_products

    ends = curvature_ends(loss, x, upper=True) if most_products(loss) else None
    return None if ends is None else ends.high


def along(loss: Loss, history: History, points: int = 6) -> list[tuple[int, float]]:
    """(t, sharpness) at the start, at the end and at some steps between, closer at the start."""
    count = len(history)
    places = sorted({round(count ** (k / (points - 1))) - 1 for k in range(points)})
    rows = [history[k] for k in places if k < count]
    found = [(row.t, sharpness(loss, row.theta)) for row in rows]
    return [(t, value) for t, value in found if value is not None and math.isfinite(value)]
