"""Minima and curvatures of losses of many parameters, by products of the Hessian with vectors."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from symgd._numpy import np
from symgd._threads import one_blas_thread
from symgd.analysis.minima import Minimum, held_at, rises_inward, solver_box
from symgd.analysis.smooth_loss import SmoothLoss, work_of
from symgd.backends.dispatch import machine_code
from symgd.model.loss import Loss
from symgd.solvers import trust_region
from symgd.solvers.banded import BandedHessian
from symgd.solvers.lanczos import Extremes, extreme_eigenvalues
from symgd.solvers.objectives import Mask, Vector

_EPS = 2.0**-52
# operations of value and gradient
_LONGEST = 600_000  # of a loss that is compiled to look at its curvature
_WORK, _INTERPRETED = 10**9, 10**7  # for a minimum, with machine code and without
_FEWEST, _MOST = 100, 10_000  # products, below which it is not worth beginning, and at most
_SOLVE = 4  # products, as what a factored system counts: it is more than a product costs
_NOISE = 1e-8  # of the largest curvature, what differences leave open
FAR, _CLOSE = 1e8, 1e-9  # as in `symgd.analysis.minima`


def most_products(loss: Loss) -> int:
    """How many products with the Hessian a minimum may take; 0 where it is not worth beginning."""
    most = (_WORK if machine_code() else _INTERPRETED) // (2 * work_of(loss) + 1)
    nests = (loss.indexed or loss).arrays is not None
    compiles = nests or loss.internals.program.operations <= _LONGEST
    return min(_MOST, most) if most >= _FEWEST and compiles else 0


def curvature_ends(loss: Loss, x: Sequence[float], upper: bool = False) -> Extremes | None:
    """The least and the largest eigenvalue of the Hessian at x, by Lanczos' method.

    In the parameters that no bound holds; None where there are none of them. upper: only the
    largest is wanted.
    """
    with np.errstate(all="ignore"):  # of a run that has diverged, numbers overflow
        point = np.array(x, dtype=np.float64)
        function = SmoothLoss(loss)
        product, count = function.products(point), len(x)
        box = solver_box(loss)
        if box is not None:
            free = box.free(point, function.gradient(point)[1])
            product, count = _restricted(product, free), int(free.sum())
        return extreme_eigenvalues(product, count, upper=upper) if count else None


def _restricted(product: Callable[[Vector], Vector], free: Mask) -> Callable[[Vector], Vector]:
    """The product as a function of the free parameters alone."""

    def part(v: Vector) -> Vector:
        whole = np.zeros(len(free))
        whole[free] = v
        return product(whole)[free]

    return part


def noise(ends: Extremes) -> float:
    """A smallest curvature that is none, as far as is known."""
    return _NOISE * max(abs(ends.low), abs(ends.high)) + ends.low_error


def descend(loss: Loss, start: Sequence[float] | Vector) -> tuple[Vector, float] | None:
    """Where Newton steps in a trust region end, and the norm of the gradient there.

    In bounds, of the projected gradient. None where the start is not finite.
    """
    function, box, found = _Counted(loss), solver_box(loss), BandedHessian(len(start))
    begin = np.array(start, dtype=np.float64)
    with np.errstate(all="ignore"):
        for here in trust_region.iterate(function, begin, box, found=found):
            if not (np.isfinite(here.value) and np.isfinite(here.gradient).all()):
                return None
            if function.left <= _SOLVE * found.solved:
                break
        free = 1.0 if box is None else box.free(here.x, here.gradient)
        return here.x, math.hypot(*(here.gradient * free).tolist())  # squares may underflow


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


@one_blas_thread()
def certified(loss: Loss, start: Sequence[float] | Vector) -> Minimum | None:
    """The minimum downhill of a point, with both ends of the spectrum of its Hessian.

    Its error is at most about the norm of the gradient over the least curvature. In bounds as in
    `symgd.analysis.minima`.
    """
    found = descend(loss, start)
    if found is None:
        return None
    x, slope = found
    held = held_at(loss, x.tolist(), SmoothLoss(loss).gradient(x)[1].tolist())
    error, values = 0.0, list[float]()
    if not held or not all(held):
        ends = curvature_ends(loss, x.tolist())
        if ends is None or not ends.low > noise(ends):
            return None
        error, values = slope / (ends.low - ends.low_error), [ends.low, ends.high]
    size, origin = float(np.linalg.norm(x)), math.hypot(*start)
    if size > FAR * (1 + origin) or not error <= _CLOSE * max(size, origin):
        return None
    if any(held) and not rises_inward(loss, x.tolist(), held, max(size, origin) or 1.0):
        return None
    return Minimum(x.tolist(), values, error + 4 * _EPS * size, held)
