"""The gamma family and its derivatives on Python floats, in IEEE semantics.

As in `symgd.formula.functions.reference`: floats in, floats out, inf and nan instead of exceptions.
Where Python's math has no such function, mpmath computes it and the result is rounded once.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from math import copysign, inf, isfinite, nan
from typing import Any

from symgd.formula.functions import reference
from symgd.formula.functions.reference import Scalar

#: The largest order of a Bessel function or polygamma: beyond, mpmath takes seconds to hours.
MAX_ORDER = 110.0


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


def by_mpmath(compute: Callable[..., Any], inside: Callable[..., bool], digits: int = 30) -> Scalar:
    """compute(mpmath, arguments...) with this many digits, rounded once to a double.

    nan outside of `inside`, at a pole, where the value is complex, and without convergence. digits
    beyond 17 pay for cancellation inside the series; mpmath raises its working precision by itself
    where it sees the need.
    """

    def call(*args: float) -> float:
        import mpmath

        if not inside(*args):
            return nan
        with mpmath.workdps(digits):
            try:
                value = mpmath.mpmathify(compute(mpmath, *args))
            except (ValueError, ZeroDivisionError, mpmath.libmp.NoConvergence):
                return nan
        return nan if isinstance(value, mpmath.mpc) and value.imag else float(value.real)

    return call


def _are_finite(*args: float) -> bool:
    return all(map(isfinite, args))


_psi = by_mpmath(lambda mp, order, x: mp.psi(order, x), _are_finite)
beta = by_mpmath(lambda mp, x, y: mp.beta(x, y), _are_finite)


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


betaln = by_mpmath(
    lambda mp, a, b: mp.loggamma(a) + mp.loggamma(b) - mp.loggamma(mp.mpf(a) + b),
    lambda a, b: 0 < a < inf and 0 < b < inf,
    digits=40,  # without the cancellation of three loggammas
)


def _fall(x: float, y: float, power: int) -> float:
    """x**-power - (x + y)**-power for x > 0, y >= 0, without cancellation."""
    return -math.expm1(-power * math.log1p(y / x)) * reference.pow(x, -float(power))


def digamma_difference(x: float, y: float) -> float:
    """digamma(x) - digamma(x + y), without cancellation where x > 0 and y >= 0."""
    return polygamma_difference(0.0, x, y)


def polygamma_difference(order: float, x: float, y: float) -> float:
    """polygamma(order, x) - polygamma(order, x + y).

    For x > 0, y >= 0 the recurrence and the asymptotic series (Abramowitz & Stegun 6.4.6, 6.4.11)
    are subtracted term by term; all terms that count have one sign. Else the plain difference.
    """
    inside = 1e-30 < x < 1e300 and 0.0 <= y < 1e300 and order in _SERIES_ORDERS
    if not inside:
        return polygamma(order, x) - polygamma(order, x + y)
    n = int(order)
    low, high = 0.0, x
    while high < 20 + n:
        low += _fall(high, y, n + 1)
        high += 1.0
    factorial = math.factorial(n)
    lead = math.factorial(n - 1) * _fall(high, y, n) if n else math.log1p(y / high)
    tail = lead + 0.5 * factorial * _fall(high, y, n + 1)
    for k, bernoulli in enumerate(BERNOULLI, start=1):
        ratio = math.factorial(2 * k + n - 1) / math.factorial(2 * k)
        tail += bernoulli * ratio * _fall(high, y, 2 * k + n)
    return (1 if n % 2 else -1) * (factorial * low + tail)


_SERIES_ORDERS = frozenset(map(float, range(9)))


def _beta_mixed_derivative(mp: Any, x: float, y: float) -> object:
    """beta times (a product of two digamma differences minus polygamma(1, x + y)).

    The two cancel where x or y is small: computed with correspondingly more digits.
    """
    lost = max(0.0, -2.0 * math.log10(min(abs(x), abs(y))))
    with mp.workdps(40 + int(lost)):
        p, q = mp.mpf(x), mp.mpf(y)
        both = mp.digamma(p + q)
        product = (mp.digamma(p) - both) * (mp.digamma(q) - both)
        return mp.beta(p, q) * (product - mp.polygamma(1, p + q))


beta_mixed_derivative = by_mpmath(
    _beta_mixed_derivative, lambda x, y: _are_finite(x, y) and min(x, y) > -1e4 and x != 0 != y
)


def lambertw(x: float) -> float:
    """The w >= -1 with w*exp(w) = x; nan left of -1/e.

    Steps of order four (F. Fritsch, R. Shafer, W. Crowley, 1973, Algorithm 443, Comm. ACM 16(2),
    https://doi.org/10.1145/361952.361970) from approximations that err by less than 2 %.
    """
    if not x >= -1 / math.e:
        return nan
    if abs(x) < 1e-9 or x == inf:
        return x * (1 - x) if x < inf else x
    if x < -0.25:  # the series at the branch, where e*x + 1 cancels
        p = math.sqrt(max(2 * ((math.e * x + 1) + E_REST * x), 0.0))
        w = -1 + p * (1 - p * (1 / 3 - p * (11 / 72 - p * (43 / 540 - p * (769 / 17280)))))
        if p < 1e-3:
            return w
    else:  # R. Iacono, J. Boyd, 2017, Adv. Comput. Math. 43, https://doi.org/10.1007/s10444-017-9530-3
        power = math.log1p(x)
        w = power * (1 - math.log1p(power) / (2 + power))
    for _ in range(2):
        z = math.log(x / w) - w
        q = 2 * (1 + w) * (1 + w + 2 * z / 3)
        w += w * z / (1 + w) * (q - z) / (q - 2 * z)
    return w


E_REST = 1.4456468917292502e-16  # e less the nearest double


def _voigt_y(mp: Any, x: float, y: float, z: float) -> Any:
    """-(V + x V_x + z V_z)/y, which cancels."""
    width = mp.sqrt(2) * abs(mp.mpf(y))
    u, v = x / width, abs(mp.mpf(z)) / width
    w = mp.exp(-(mp.mpc(u, v) ** 2)) * mp.erfc(mp.mpc(v, -u))
    slope = mp.mpc(0, 2 / mp.sqrt(mp.pi)) - 2 * mp.mpc(u, v) * w
    return -(w.real + u * slope.real - v * slope.imag) / (mp.sqrt(mp.pi) * width * y)


_voigt_y_near = by_mpmath(_voigt_y, _are_finite, digits=60)


def voigt_y(x: float, y: float, z: float) -> float:
    """The derivative of voigt in y, its second one in x times y; far out that of a Lorentzian."""
    far = max(abs(x), abs(z))
    if not 1e8 * abs(y) <= far < inf:
        return nan if y == 0 else _voigt_y_near(x, y, z)
    if far == 0:
        return nan
    a, b = x / far, abs(z) / far
    return (y / far) / far / far * b / math.pi * (6 * a * a - 2 * b * b) / (a * a + b * b) ** 3
