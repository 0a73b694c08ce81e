"""Derivative rows without a formula, on Python floats, in IEEE semantics, at full accuracy.

As in `symgd.formula.functions.reference`: floats in, floats out, inf and nan instead of exceptions.
"""

from __future__ import annotations

import math
from math import isfinite, isnan, nan

from symgd.formula.functions import reference, special
from symgd.formula.functions.reference import div, exp

# Shares of a sum of exponentials


def _gap(x: float, y: float) -> tuple[float, float]:
    """x - y and its rounding error (Knuth's two-sum)."""
    d = x - y
    if not isfinite(d):
        return d, 0.0
    back = d + y
    return d, (x - back) - (y - (back - d))


def softmax2(x: float, y: float) -> float:
    """exp(x)/(exp(x) + exp(y)) = sigmoid(x - y), with no digit of x - y lost."""
    d, error = _gap(x, y)
    if d > 0.0 or isnan(d):
        return 1.0 / (1.0 + math.exp(-d))  # errors of a small exponential do not matter
    e = math.exp(d) * (1.0 + error)
    return e / (1.0 + e)


def largest(*args: float) -> float:
    """The largest argument; nan if any is nan."""
    return reference.maximum(*args)


def exp_sum(*args: float) -> float:
    """The sum of exp(a - largest): from 1 to the number of arguments."""
    top = reference.maximum(*args)
    return math.fsum(softmax(a, top, 1.0) for a in args)


def softmax(x: float, top: float, total: float) -> float:
    """exp(x - top)/total, with no digit of x - top lost."""
    d, error = _gap(x, top)
    return div(exp(d) * (1.0 + error), total)


def portion(*args: float) -> float:
    """exp(a)/(exp(a) + exp(b) + ...) of a, b, ..."""
    return softmax(args[0], reference.maximum(*args), exp_sum(*args))


def complement(*args: float) -> float:
    """1 - portion(a, b, ...), also where that is nearly 0."""
    top = reference.maximum(*args)
    return math.fsum(softmax(a, top, 1.0) for a in args[1:]) / exp_sum(*args)


# Gamma and Bessel families


def _fall(x: float, y: float, power: int) -> float:
    """x**-power - (x + y)**-power for x > 0, y >= 0, without cancellation."""
    return -math.expm1(-power * math.log1p(y / x)) * reference.pow(x, -float(power))


def digamma_gap(x: float, y: float) -> float:
    """digamma(x) - digamma(x + y), without cancellation where x > 0 and y >= 0."""
    return polygamma_gap(0.0, x, y)


def polygamma_gap(order: float, x: float, y: float) -> float:
    """polygamma(order, x) - polygamma(order, x + y).

    For x > 0, y >= 0 the recurrence and the asymptotic series (Abramowitz & Stegun 6.4.6, 6.4.11)
    are subtracted term by term; all terms that count have one sign. Else the plain difference.
    """
    inside = 1e-30 < x < 1e300 and 0.0 <= y < 1e300 and order in _SERIES_ORDERS
    if not inside:
        return special.polygamma(order, x) - special.polygamma(order, x + y)
    n = int(order)
    low, high = 0.0, x
    while high < 20 + n:
        low += _fall(high, y, n + 1)
        high += 1.0
    factorial = math.factorial(n)
    lead = math.factorial(n - 1) * _fall(high, y, n) if n else math.log1p(y / high)
    tail = lead + 0.5 * factorial * _fall(high, y, n + 1)
    for k, bernoulli in enumerate(special.BERNOULLI, start=1):
        ratio = math.factorial(2 * k + n - 1) / math.factorial(2 * k)
        tail += bernoulli * ratio * _fall(high, y, 2 * k + n)
    return (1 if n % 2 else -1) * (factorial * low + tail)


_SERIES_ORDERS = frozenset(map(float, range(9)))


def beta_mixed(x: float, y: float) -> float:
    """The derivative of beta(x, y) in x and y.

    beta times (a product of two digamma gaps minus polygamma(1, x + y)), which cancel where x or
    y is small: computed with correspondingly more digits.
    """
    import mpmath

    if not (isfinite(x) and isfinite(y) and min(x, y) > -1e4) or x == 0 or y == 0:
        return nan
    lost = max(0.0, -2.0 * math.log10(min(abs(x), abs(y))))
    with mpmath.workdps(40 + int(lost)):
        try:
            p, q = mpmath.mpf(x), mpmath.mpf(y)
            both = mpmath.digamma(p + q)
            gaps = (mpmath.digamma(p) - both) * (mpmath.digamma(q) - both)
            value = mpmath.beta(p, q) * (gaps - mpmath.polygamma(1, p + q))
        except (ValueError, ZeroDivisionError):  # a pole
            return nan
    return float(value)
