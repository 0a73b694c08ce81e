"""The gamma family on Python floats, in IEEE semantics as `symgd.formula.functions.reference`.

Where Python's math has no such function, mpmath computes it and the result is rounded once.
"""

from __future__ import annotations

import math
from math import copysign, inf, isfinite, nan

from symgd.formula.functions.bessel import MAX_ORDER
from symgd.formula.functions.reference import Scalar


def gamma(x: float) -> float:
    """Gamma(x); an infinity with the sign of the zero at 0, nan at the negative integers."""
    try:
        return math.gamma(x)
    except OverflowError:
        return inf
    except ValueError:
        return copysign(inf, x) if x == 0 else nan


def loggamma(x: float) -> float:
    """log |Gamma(x)|; inf at the poles."""
    try:
        return math.lgamma(x)
    except (ValueError, OverflowError):
        return inf


def _mpmath(name: str, digits: int = 30) -> Scalar:
    """mpmath's function on doubles, computed with `digits` digits and rounded once.

    digits beyond 17 pay for cancellation inside the series; mpmath raises its working precision
    by itself where it sees the need.
    """

    def call(*args: float) -> float:
        import mpmath

        if not all(isfinite(a) for a in args):
            return nan
        with mpmath.workdps(digits):
            try:
                value = getattr(mpmath, name)(*args)
            except (ValueError, ZeroDivisionError):  # a pole
                return nan
            except mpmath.libmp.NoConvergence:
                return nan
        return nan if isinstance(value, mpmath.mpc) and value.imag else float(value.real)

    return call


_psi = _mpmath("psi")
beta = _mpmath("beta")


# Bernoulli numbers B2, B4, ..., B16
BERNOULLI = (1 / 6, -1 / 30, 1 / 42, -1 / 30, 5 / 66, -691 / 2730, 7 / 6, -3617 / 510)


def polygamma(order: float, x: float) -> float:
    """The derivative of digamma of this order; order 0 is digamma itself.

    For x > 0 by recurrence to large x and the asymptotic series (Abramowitz & Stegun 6.4.6 and
    6.4.11), whose terms all have one sign; else mpmath. nan beyond MAX_ORDER and left of -10^4.
    """
    if not (0 <= order <= MAX_ORDER and x > -1e4):
        return digamma(x) if order == 0 else nan
    n = int(order)
    if n != order:
        return nan
    if n == 0:
        return digamma(x)
    sign = 1 if n % 2 else -1
    if x > 1e15:
        return sign * math.factorial(n - 1) * pow(x, -n)
    if x <= 1e-30 or n > 8:
        return _psi(n, x)
    low, high = 0.0, x
    while high < 20 + n:
        low += high ** -(n + 1)
        high += 1.0
    factorial = math.factorial(n)
    tail = math.factorial(n - 1) / high**n + 0.5 * factorial / high ** (n + 1)
    for k, bernoulli in enumerate(BERNOULLI, start=1):
        ratio = math.factorial(2 * k + n - 1) / math.factorial(2 * k)
        tail += bernoulli * ratio / high ** (2 * k + n)
    return sign * (factorial * low + tail)


def digamma(x: float) -> float:
    """The logarithmic derivative of Gamma.

    For x > 0 by recurrence to large x and the asymptotic series (Abramowitz & Stegun 6.3.5 and
    6.3.18); else, and near its zero at 1.4616 where that cancels, mpmath.
    """
    if -inf < x < -1e4:  # reflection (6.3.7); mpmath would use the recurrence step by step
        return nan if x == math.floor(x) else digamma(1.0 - x) - math.pi / math.tan(math.pi * x)
    if not 1e-30 < x < inf:
        return _psi(0, x)
    low, high = 0.0, x
    while high < 20:
        low += 1.0 / high
        high += 1.0
    square = high * high
    tail, power = 0.0, 1.0
    for k, bernoulli in enumerate(BERNOULLI, start=1):
        power *= square
        tail += bernoulli / (2 * k * power)
    value = math.log(high) - 0.5 / high - tail - low
    return value if abs(value) > 0.1 else _psi(0, x)


def betaln(a: float, b: float) -> float:
    """log Beta(a, b) for a, b > 0, without the cancellation of three loggammas."""
    import mpmath

    if not (0 < a < inf and 0 < b < inf):
        return nan
    with mpmath.workdps(40):
        return float(mpmath.loggamma(a) + mpmath.loggamma(b) - mpmath.loggamma(mpmath.mpf(a) + b))
