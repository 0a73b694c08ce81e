"""Minima and curvatures of losses of many parameters, by products of the Hessian with vectors."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import cast

from symgd._numpy import np
from symgd.analysis.minima import Minimum, held_at, rises_inward, solver_box
from symgd.backends.dispatch import machine_code
from symgd.model.array_internals import ArrayInternals
from symgd.model.loss import Loss
from symgd.solvers.lanczos import Extremes, extreme_eigenvalues
from symgd.solvers.objectives import Mask, Vector
from symgd.solvers.truncated_newton import Function, difference_product, minimize

_EPS = 2.0**-52
# operations of value and gradient
_EXACT = 6_000  # of a loss whose products are exact: of longer ones they are differences
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


def function_of(loss: Loss) -> Function:
    """x -> (value, gradient), of arrays."""
    return cast("Function", loss.compiled)


def products(loss: Loss) -> Callable[[Vector], Callable[[Vector], Vector]]:
    """x -> (v -> H(x) v)."""
    if isinstance(loss.internals, ArrayInternals):
        return loss.internals.functions.product_at
    if loss.internals.program.operations <= _EXACT:
        return lambda x: lambda v: loss.internals.product(x, v)
    return lambda x: difference_product(function_of(loss), x)


def curvature_ends(loss: Loss, x: Sequence[float], upper: bool = False) -> Extremes | None:
    """The least and the largest eigenvalue of the Hessian at x, by Lanczos' method.

    In the parameters that no bound holds; None where there are none of them. upper: only the
    largest is wanted.
    """
    with np.errstate(all="ignore"):  # of a run that has diverged, numbers overflow
        point = np.array(x, dtype=np.float64)
        product, count = products(loss)(point), len(x)
        box = solver_box(loss)
        if box is not None:
            free = box.free(point, function_of(loss)(point)[1])
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


def descend(loss: Loss, start: Sequence[float]) -> tuple[Vector, float] | None:
    """Where truncated Newton steps downhill end, and the norm of the gradient there.

    In bounds, of the projected gradient.
    """
    x = np.array(start, dtype=np.float64)
    with np.errstate(all="ignore"):
        return minimize(function_of(loss), x, products(loss), most_products(loss), solver_box(loss))


def certified(loss: Loss, start: Sequence[float]) -> Minimum | None:
    """The minimum downhill of a point, with both ends of the spectrum of its Hessian.

    Its error is at most about the norm of the gradient over the least curvature. In bounds as in
    `symgd.analysis.minima`.
    """
    found = descend(loss, start)
    if found is None:
        return None
    x, slope = found
    held = held_at(loss, x.tolist(), function_of(loss)(x)[1].tolist())
    error, values = 0.0, list[float]()
    if not held or not all(held):
        ends = curvature_ends(loss, x.tolist())
        if ends is None or not ends.low > noise(ends):
            return None
        error, values = slope / (ends.low - ends.low_error), [ends.low, ends.high]
    size, origin = float(np.linalg.norm(x)), math.hypot(*start)
    if size > _FAR * (1 + origin) or not error <= _CLOSE * max(size, origin):
        return None
    if any(held) and not rises_inward(loss, x.tolist(), held, max(size, origin) or 1.0):
        return None
    return Minimum(x.tolist(), values, error + 4 * _EPS * size, held)
