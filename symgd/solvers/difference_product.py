"""Products with a Hessian by differences of exact gradients."""

from __future__ import annotations

from collections.abc import Callable

from symgd._numpy import np
from symgd.solvers.objectives import Vector

Function = Callable[[Vector], tuple[float, Vector]]


def difference_product(function: Function, x: Vector) -> Callable[[Vector], Vector]:
    """v -> H(x) v by central differences of exact gradients: right to about 1e-10 of |H|."""
    step = 6e-6 * max(1.0, float(np.linalg.norm(x)) / max(1.0, len(x) ** 0.5))

    def product(v: Vector) -> Vector:
        length = float(np.abs(v).max())
        if not length:
            return np.zeros_like(v)
        h = step / length
        after, before = function(x + h * v)[1], function(x - h * v)[1]
        quotient: Vector = (after - before) / (2 * h)
        return quotient

    return product
