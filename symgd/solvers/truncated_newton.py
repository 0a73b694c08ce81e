"""A minimum of a loss of many parameters: Newton's method, its steps by conjugate gradients.

T. Steihaug, 1983, The conjugate gradient method and trust regions in large scale optimization, SIAM
J. Numer. Anal. 20(3); J. Nocedal, S. Wright, 2006, Numerical Optimization, algorithm 7.1. In bounds
the steps are those of the parameters that no bound holds, projected onto the box: D. Bertsekas,
1982, Projected Newton methods, SIAM J. Control Optim. 20(2).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Literal

from symgd._numpy import np
from symgd.solvers.objectives import Box, Mask, Vector, dot

Function = Callable[[Vector], tuple[float, Vector]]

_STEPS = 200
_HALVINGS = 40
_NEGLIGIBLE = 1e-12  # of the value: a predicted decrease below this is rounding


def difference_product(function: Function, x: Vector) -> Callable[[Vector], Vector]:
    """v -> H(x) v by central differences of exact gradients: right to about 1e-10 of |H|."""
    step = 6e-6 * max(1.0, _norm(x) / max(1.0, len(x) ** 0.5))

    def product(v: Vector) -> Vector:
        length = float(np.abs(v).max())
        if not length:
            return np.zeros_like(v)
        h = step / length
        after, before = function(x + h * v)[1], function(x - h * v)[1]
        quotient: Vector = (after - before) / (2 * h)
        return quotient

    return product


def minimize(
    function: Function,
    start: Vector,
    products: Callable[[Vector], Callable[[Vector], Vector]],
    most: int = 4_000,
    box: Box | None = None,
) -> tuple[Vector, float] | None:
    """Where the steps end, and the norm of the gradient there; None where the start is not finite.

    products: x -> (v -> H(x) v). most: so many products, about. box: then the gradient is that of
    the parameters that no bound holds.
    """
    x = np.array(start, dtype=np.float64) if box is None else box.clip(start)
    value, grad = function(x)
    free = _free(box, x, grad)
    size = first = _norm(grad * free)
    if not np.isfinite(value) or not np.isfinite(first):
        return None
    before = np.inf
    for _ in range(_STEPS):
        if size == 0 or most <= 0:
            break
        product = _restricted(products(x), free)
        step, used = _step(product, grad * free, min(0.1, (size / first) ** 0.5), most)
        most -= used
        negligible = -dot(grad, step) <= _NEGLIGIBLE * (abs(value) + 1e-300)
        if negligible and size > 0.5 * before:
            break
        moved = _backtracked(function, (x, value, grad), step, negligible, box)
        if moved is None:
            break
        before = size
        x, value, grad = moved
        free = _free(box, x, grad)
        size = _norm(grad * free)
    return x, size


def _norm(v: Vector) -> float:
    return math.sqrt(dot(v, v))


def _free(box: Box | None, x: Vector, grad: Vector) -> Mask | Literal[1]:
    return 1 if box is None else box.free(x, grad)


def _restricted(
    product: Callable[[Vector], Vector], free: Mask | Literal[1]
) -> Callable[[Vector], Vector]:
    """The product in the free parameters; vectors are 0 in the others."""
    return lambda v: product(v) * free


def _step(
    product: Callable[[Vector], Vector], grad: Vector, tolerance: float, most: int
) -> tuple[Vector, int]:
    """Conjugate gradients for H p = -g, ended by curvature below 0; and how many products."""
    p, r = np.zeros_like(grad), grad
    d = -r
    for k in range(1, most + 1):
        hd = product(d)
        curvature = dot(d, hd)
        if not curvature > 1e-12 * dot(d, d):
            return (p if k > 1 else -grad), k
        before = dot(r, r)
        alpha = before / curvature
        p, r = p + alpha * d, r + alpha * hd
        after = dot(r, r)
        if after**0.5 <= tolerance * _norm(grad):
            return p, k
        d = -r + after / before * d
    return p, most


def _backtracked(
    function: Function,
    current: tuple[Vector, float, Vector],
    step: Vector,
    negligible: bool,
    box: Box | None,
) -> tuple[Vector, float, Vector] | None:
    """The first x + step/2**k that decreases the value enough (Armijo), if that can be seen."""
    x, value, grad = current
    fraction, free = 1.0, _free(box, x, grad)
    for _ in range(_HALVINGS):
        new = x + fraction * step if box is None else box.clip(x + fraction * step)
        there, new_grad = function(new)
        lower = negligible or there <= value + 1e-4 * min(0.0, dot(grad, new - x))
        if fraction == 1 and there <= value + 1e-8 * (1 + abs(value)):  # values may be rounding
            lower |= _norm(new_grad * free) <= 0.1 * _norm(grad * free)
        if lower and np.isfinite(new_grad).all():
            return new, there, new_grad
        fraction *= 0.5
    return None
