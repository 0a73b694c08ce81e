"""A minimum of a loss of many parameters: Newton's method, its steps by conjugate gradients.

T. Steihaug, 1983, The conjugate gradient method and trust regions in large scale optimization, SIAM
J. Numer. Anal. 20(3); J. Nocedal, S. Wright, 2006, Numerical Optimization, algorithm 7.1.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from symgd.solvers.objectives import Vector

Function = Callable[[Vector], tuple[float, Vector]]

_STEPS = 200
_PRODUCTS = 4_000  # Hessian-vector products in all
_HALVINGS = 40
_DONE = 1e-10  # of the first gradient, one that is none


def hessian_product(function: Function, x: Vector) -> Callable[[Vector], Vector]:
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


def minimize(function: Function, start: Vector) -> Vector | None:
    """Where the gradient vanishes downhill of the start; None where the work was not enough."""
    x = np.array(start, dtype=np.float64)
    value, grad = function(x)
    first, left = float(np.linalg.norm(grad)), _PRODUCTS
    if not np.isfinite(value) or not np.isfinite(first):
        return None
    for _ in range(_STEPS):
        size = float(np.linalg.norm(grad))
        if size <= _DONE * first:
            return x
        step, used = _step(hessian_product(function, x), grad, min(0.5, (size / first) ** 0.5))
        left -= used
        moved = _backtracked(function, x, value, grad, step)
        if moved is None:
            return x if size <= 1e-5 * first else None
        x, value, grad = moved
        if left <= 0:
            break
    return x if float(np.linalg.norm(grad)) <= 1e-5 * first else None


def _step(
    product: Callable[[Vector], Vector], grad: Vector, tolerance: float
) -> tuple[Vector, int]:
    """Conjugate gradients for H p = -g, ended by curvature below 0; and how many products."""
    p, r = np.zeros_like(grad), grad
    d, most = -r, min(len(grad), 300)
    for k in range(1, most + 1):
        hd = product(d)
        curvature = float(d @ hd)
        if not curvature > 1e-12 * float(d @ d):
            return (p if k > 1 else -grad), k
        before = float(r @ r)
        alpha = before / curvature
        p, r = p + alpha * d, r + alpha * hd
        after = float(r @ r)
        if after**0.5 <= tolerance * float(np.linalg.norm(grad)):
            return p, k
        d = -r + after / before * d
    return p, most


def _backtracked(
    function: Function, x: Vector, value: float, grad: Vector, step: Vector
) -> tuple[Vector, float, Vector] | None:
    """The first x + step/2**k that decreases the value enough (Armijo)."""
    slope, fraction = float(grad @ step), 1.0
    for _ in range(_HALVINGS):
        new = x + fraction * step
        there, new_grad = function(new)
        if there <= value + 1e-4 * fraction * slope and np.isfinite(new_grad).all():
            return new, there, new_grad
        fraction *= 0.5
    return None
