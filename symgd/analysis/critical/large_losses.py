"""A minimum of a loss of many parameters, and its curvatures from the least to the largest."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import numpy as np

from symgd.analysis.critical.critical_point import CriticalPoint, CriticalPoints
from symgd.model.loss import Loss
from symgd.solvers.lanczos import Extremes, extreme_eigenvalues
from symgd.solvers.truncated_newton import Function, hessian_product, minimize

_NOISE = 1e-8  # of the largest curvature, what products of differences leave open


def extreme_curvatures(loss: Loss, x: Sequence[float]) -> Extremes | None:
    """The least and the largest eigenvalue of the Hessian at x, by Lanczos' method."""
    product = hessian_product(_function(loss), np.array(x, dtype=np.float64))
    return extreme_eigenvalues(product, len(x))


def _function(loss: Loss) -> Function:
    return cast("Function", loss.compiled)  # which takes arrays as well as sequences


def near_start(loss: Loss, start: Sequence[float]) -> CriticalPoints:
    """The minimum downhill of the start, if one is reached."""
    count = len(loss.params)
    note = f"of {count:,} parameters only a minimum near the start was looked for"
    x = minimize(_function(loss), np.array(start, dtype=np.float64))
    ends = None if x is None else extreme_curvatures(loss, x.tolist())
    if x is None or ends is None:
        return CriticalPoints((), "numeric", False, note=f"none found: {note}")
    noise = _NOISE * max(abs(ends.low), abs(ends.high)) + ends.low_error
    kind = "minimum" if ends.low > noise else "saddle" if ends.low < -noise else "degenerate"
    sentence = "curvatures of both ends by Lanczos' method"
    if kind == "degenerate":
        sentence = "a minimum as far as products with the Hessian show"
    level = loss.compiled(x.tolist())[0]
    point = CriticalPoint(tuple(x.tolist()), level, kind, (ends.low, ends.high), note=sentence)
    return CriticalPoints((point,), "numeric", False, note=note)
