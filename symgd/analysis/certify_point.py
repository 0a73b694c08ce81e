"""Whether a point that a search found is a critical point, by derivatives without rounding.

In doubles cosh(x)*exp(x) is 1/2 from x = -19 on, and its slope 0; x/x has a slope of 1e-17/x.
Newton's step from exact derivatives is long there: no critical point is near.
"""

from __future__ import annotations

from symgd.analysis.critical_point import CriticalPoint
from symgd.errors import PrecisionError
from symgd.model.loss import Loss
from symgd.solvers.symmetric import all_finite

_FEW = 8  # parameters, and
_SHORT = 300  # operations of a loss whose derivatives are evaluated exactly, in milliseconds
_NEAR = 1e-3  # of the point's size, a step of Newton's method that leaves the point what it is
_STEPS = (1e-5, 1e-9)  # both: a sharp minimum beside a pole of its own is one
_NONE = 1e-13  # a curvature below this part of the largest is none


def refuted(loss: Loss, point: CriticalPoint) -> bool:
    """Whether Newton's method leaves the point, or a minimum is the edge of a pole.

    False where this is not looked at.
    """
    if loss.internals.rows is not None or len(point.x) > _FEW:
        return False
    if point.kind == "minimum" and all(_falls(loss, point, step) for step in _STEPS):
        return True
    if point.kinked:
        return False
    if loss.internals.value_program.operations > _SHORT:
        return False
    import numpy as np

    try:
        grad, hess = loss.exact.grad(point.x), loss.exact.hess(point.x)
    except PrecisionError:  # a number beyond every exponent, or a 0 in disguise
        return False
    if not all_finite([*grad.tolist(), *hess.ravel().tolist()]) or not grad.any():
        return False
    step = np.linalg.lstsq(hess, grad, rcond=_NONE)[0]
    return float(np.abs(step).max()) > _NEAR * (1 + max(map(abs, point.x)))


def _falls(loss: Loss, point: CriticalPoint, step: float) -> bool:
    """Whether the loss is much lower a step away along an axis: 1/y at 0 counts as infinite."""
    much = point.value - 1e-6 * abs(point.value)
    for k, v in enumerate(point.x):
        for there in (v - step * (1 + abs(v)), v + step * (1 + abs(v))):
            x = [*point.x[:k], there, *point.x[k + 1 :]]
            if loss.internals.evaluate_value(*x)[0] < much:
                return True
    return False
