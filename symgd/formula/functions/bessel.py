"""The Bessel functions on Python floats, and their derivatives in x.

mpmath computes them and the result is rounded once; K of an ordinary x comes from its integral,
where mpmath takes up to a fifth of a second for one number.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from symgd.formula.functions.reference import Scalar
from symgd.formula.functions.special import MAX_ORDER, by_mpmath

_TINY = 1e-12  # K is even in its order: such a one changes no digit
_LEAST, _MOST = 1e-3, 746.0  # the integral is short from the one on; K is 0 from the other on


def in_range(order: float, x: float) -> bool:
    """Whether the functions are implemented for these arguments; they are nan elsewhere."""
    return abs(order) <= MAX_ORDER and abs(x) <= 1e100


def _bessel(name: str, combine: Callable[..., object]) -> Scalar:
    """What `combine` makes of mpmath's function of the order, n -> f(n, x), and the order."""

    def compute(mp: Any, order: float, x: float) -> object:
        return combine(lambda n: getattr(mp, name)(_order(name, n), x), order)

    is_complex_left_of_0 = name in ("bessely", "besselk")
    return by_mpmath(compute, lambda n, x: in_range(n, x) and not (is_complex_left_of_0 and x < 0))


def _order(name: str, order: float) -> float:
    if name == "besselk" and abs(order) < _TINY:
        return 0.0  # mpmath takes a second for 1e-300
    # I(-n, x) = I(n, x) for whole n, and mpmath hangs on the left side near 0
    return abs(order) if name == "besseli" and order == int(order) else order


besselj, bessely, besseli, _besselk = (
    _bessel(f"bessel{kind}", lambda f, n: f(n)) for kind in "jyik"
)
besselj_derivative = _bessel("besselj", lambda f, n: (f(n - 1) - f(n + 1)) / 2)
bessely_derivative = _bessel("bessely", lambda f, n: (f(n - 1) - f(n + 1)) / 2)
besseli_derivative = _bessel("besseli", lambda f, n: (f(n - 1) + f(n + 1)) / 2)
_besselk_derivative = _bessel("besselk", lambda f, n: -(f(n - 1) + f(n + 1)) / 2)


def besselk(order: float, x: float) -> float:
    """K of a real order."""
    if not (in_range(order, x) and x >= _LEAST):
        return _besselk(order, x)
    return _integral(abs(order), x)


def besselk_derivative(order: float, x: float) -> float:
    """The derivative of K in x: both terms of its formula have one sign."""
    if not (in_range(order, x) and x >= _LEAST):
        return _besselk_derivative(order, x)
    return -(_integral(abs(order - 1), x) + _integral(abs(order + 1), x)) / 2


def _integral(order: float, x: float) -> float:
    """K, order >= 0, to a few units in the last place and two more for each whole order.

    K(v, x) = exp(-x) times the integral of exp(-2 x sinh(t/2)**2) cosh(v t) over t > 0 (DLMF
    10.32.9): nothing cancels, and sums of equal steps h err by less than exp(-pi**2/h) for small x,
    exp(-2 pi**2/(x h**2)) for large. From the two orders next to 0 on by the recurrence (10.29.1),
    which has one sign too.
    """
    if x > _MOST:
        return 0.0
    step = 0.125
    while x * step * step > 0.25:
        step /= 2
    whole = math.floor(order + 0.5)
    rest = order - whole  # exact
    low, high, t, weight = 0.5, 0.5, 0.0, 1.0
    while weight * math.cosh((rest + 1) * t) > 1e-17 * high:
        t += step
        weight = math.exp(-2 * x * math.sinh(t / 2) ** 2)
        low += weight * math.cosh(rest * t)
        high += weight * math.cosh((rest + 1) * t)
    half = math.exp(-x / 2)  # exp(-x) itself may be too small for all its digits
    low, high = (step * s * half * half for s in (low, high))
    for k in range(1, whole + 1):
        low, high = high, low + 2 * (rest + k) / x * high
    return low
