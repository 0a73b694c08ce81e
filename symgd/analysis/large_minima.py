"""Minima and curvatures of losses of many parameters, by products of the Hessian with vectors."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np

from symgd.analysis.minima import Minimum
from symgd.analysis.smooth_loss import SmoothLoss
from symgd.backends.dispatch import machine_code
from symgd.model.array_internals import ArrayInternals
from symgd.model.loss import Loss
from symgd.solvers import trust_region
from symgd.solvers.lanczos import Extremes, extreme_eigenvalues
from symgd.solvers.objectives import Vector

_EPS = 2.0**-52
# operations of value and gradient
_LONGEST = 600_000  # of a loss that is compiled to look at its curvature
_WORK, _INTERPRETED = 10**9, 10**7  # for a minimum, with machine code and without
_FEWEST = 100  # products, below which it is not worth beginning
_NOISE = 1e-8  # of the largest curvature, what differences leave open
_FAR, _CLOSE = 1e8, 1e-9  # as in `symgd.analysis.minima`


def most_products(loss: Loss) -> int:
    """How many products with the Hessian a minimum may take; 0 where it is not worth beginning."""
    operations, table = loss.internals.program.operations, loss.table
    rows = table.rows if table is not None and loss.internals.program.loops else 1
    most = (_WORK if machine_code() else _INTERPRETED) // (2 * operations * rows + 1)
    compiles = operations <= _LONGEST or isinstance(loss.internals, ArrayInternals)
    return min(4_000, most) if most >= _FEWEST and compiles else 0


def curvature_ends(loss: Loss, x: Sequence[float], upper: bool = False) -> Extremes | None:
    """The least and the largest eigenvalue of the Hessian at x, by Lanczos' method.

    upper: only the largest is wanted.
    """
    with np.errstate(all="ignore"):  # of a run that has diverged, numbers overflow
        point = np.array(x, dtype=np.float64)
        return extreme_eigenvalues(SmoothLoss(loss).products(point), len(x), upper=upper)


def noise(ends: Extremes) -> float:
    """A smallest curvature that is none, as far as is known."""
    return _NOISE * max(abs(ends.low), abs(ends.high)) + ends.low_error


def descend(loss: Loss, start: Sequence[float]) -> tuple[Vector, float] | None:
    """Where Newton steps in a trust region end, and the norm of the gradient there.

    None where the start is not finite.
    """
    function = _Counted(loss)
    with np.errstate(all="ignore"):
        for here in trust_region.iterate(function, np.array(start, dtype=np.float64)):
            if not (np.isfinite(here.value) and np.isfinite(here.gradient).all()):
                return None
            if function.left <= 0:
                break
        return here.x, float(np.linalg.norm(here.gradient))


class _Counted(SmoothLoss):
    """A loss, and how many more products with its Hessian a minimum may take."""

    def __init__(self, loss: Loss) -> None:
        super().__init__(loss)
        self.left, products = most_products(loss), self.products

        def counted(x: Vector) -> Callable[[Vector], Vector]:
            product = products(x)

            def call(v: Vector) -> Vector:
                self.left -= 1
                return product(v)

            return call

        self.products = counted


def certified(loss: Loss, start: Sequence[float]) -> Minimum | None:
    """The minimum downhill of a point, with both ends of the spectrum of its Hessian.

    Its error is at most about the norm of the gradient over the least curvature.
    """
    found = descend(loss, start)
    ends = None if found is None else curvature_ends(loss, found[0].tolist())
    if found is None or ends is None or not ends.low > noise(ends):
        return None
    x, slope = found
    size, origin = float(np.linalg.norm(x)), math.hypot(*start)
    error = slope / (ends.low - ends.low_error)
    if size > _FAR * (1 + origin) or not error <= _CLOSE * max(size, origin):
        return None
    return Minimum(x.tolist(), [ends.low, ends.high], error + 4 * _EPS * size)
