"""The slopes of the table (`derivatives`) on Python floats, in IEEE semantics, at full accuracy.

As in `symgd.formula.functions.reference`: floats in, floats out, inf and nan instead of exceptions.
"""

from __future__ import annotations

import math
from math import isfinite, isnan, nan

from symgd.formula.functions import reference, special
from symgd.formula.functions.reference import div, exp, sigmoid, sign, sqrt

# Inverse functions. (1 - x)*(1 + x), never 1 - x*x, which loses digits near 1.


def asin_slope(x: float) -> float:
    """1/sqrt(1 - x**2)."""
    return div(1.0, sqrt((1.0 - x) * (1.0 + x)))


def acosh_slope(x: float) -> float:
    """1/sqrt(x**2 - 1) for x >= 1."""
    return div(1.0, sqrt(x - 1.0) * sqrt(x + 1.0))


def asec_slope(x: float) -> float:
    """1/(|x|*sqrt(x**2 - 1))."""
    a = abs(x)
    return div(1.0, a * sqrt(a - 1.0) * sqrt(a + 1.0))


def asech_slope(x: float) -> float:
    """-1/(x*sqrt(1 - x**2))."""
    return div(-1.0, x * sqrt((1.0 - x) * (1.0 + x)))


def atanh_slope(x: float) -> float:
    """1/(1 - x**2)."""
    return div(1.0, (1.0 - x) * (1.0 + x))


def acsch_slope(x: float) -> float:
    """-1/(|x|*sqrt(1 + x**2))."""
    return div(-1.0, abs(x) * math.hypot(1.0, x))


def atan2_slope(y: float, x: float) -> float:
    """x/(x**2 + y**2), without overflow: the derivative of the angle of (x, y) in y."""
    length = math.hypot(y, x)
    return div(div(x, length), length)


def bell(x: float) -> float:
    """exp(-x**2). x is split at a multiple of 1/16, so that no digit of x**2 is lost (Cody)."""
    if abs(x) > 40.0:
        return 0.0
    if isnan(x):
        return x
    high = math.floor(16.0 * x) / 16.0
    return math.exp(-high * high) * math.exp(-(x - high) * (x + high))


# What max, min, clip and huber pass on


def share(amount: float, x: float, y: float) -> float:
    """amount where x > y, half of it at a tie, else 0; nan if x or y is."""
    if x > y:
        return amount
    if x == y:
        return 0.5 * amount
    return 0.0 if x < y else nan


def share_inside(amount: float, x: float, low: float, high: float) -> float:
    """amount where clip(x, low, high) is x."""
    if isnan(x) or isnan(low) or isnan(high):
        return nan
    return amount if low <= x <= high else 0.0


def share_low(amount: float, x: float, low: float, high: float) -> float:
    """amount where clip(x, low, high) is low and not x."""
    if isnan(x) or isnan(low) or isnan(high):
        return nan
    return amount if x < low <= high else 0.0


def share_high(amount: float, x: float, low: float, high: float) -> float:
    """amount where clip(x, low, high) is high and neither of the others."""
    if isnan(x) or isnan(low) or isnan(high):
        return nan
    return amount if max(x, low) > high else 0.0


def huber_slope(r: float, delta: float) -> float:
    """r for |r| <= delta, delta with the sign of r beyond."""
    return r if abs(r) <= delta else sign(r) * delta


def huber_excess(r: float, delta: float) -> float:
    """How far |r| is above delta, or 0: the derivative of huber in delta."""
    return 0.0 if abs(r) <= delta else abs(r) - delta


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
        return sigmoid(d)  # 1/(1 + e): errors of a small e do not matter
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


def beta_slope(x: float, y: float) -> float:
    """The derivative of beta(x, y) in x."""
    return special.beta(x, y) * digamma_gap(x, y)


def beta_mixed(x: float, y: float) -> float:
    """The derivative of beta(x, y) in x and y.

    beta times (a product of two digamma gaps minus polygamma(1, x + y)), which cancel where x or
    y is small: computed with so many more digits.
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
