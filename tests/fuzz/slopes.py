"""Textbook functions in mpmath: name -> (value, first and second derivative) for one argument.

An entry is (value(x), slopes(x, f)). The value is nan outside the real domain; what divides by zero
is a pole. Nothing here comes from symgd: the derivatives are those of Abramowitz and Stegun.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mpmath import mp

Real = Any  # mpmath.mpf
Slopes = tuple[Real, Real]

nan = mp.nan


def on(holds: bool, value: Callable[[], Real]) -> Real:
    """The value where it is real, else nan."""
    return value() if holds else nan


def _tan(x: Real, f: Real) -> Slopes:
    return 1 + f * f, 2 * f * (1 + f * f)


def _cot(x: Real, f: Real) -> Slopes:
    return -(1 + f * f), 2 * f * (1 + f * f)


def _sec(x: Real, f: Real) -> Slopes:
    t = mp.tan(x)
    return f * t, f * (1 + 2 * t * t)


def _csc(x: Real, f: Real) -> Slopes:
    t = 1 / mp.tan(x)
    return -f * t, f * (1 + 2 * t * t)


def _asin(x: Real, f: Real) -> Slopes:
    slope = 1 / mp.sqrt(1 - x * x)
    return slope, x * slope**3


def _acos(x: Real, f: Real) -> Slopes:
    first, second = _asin(x, f)
    return -first, -second


def _atan(x: Real, f: Real) -> Slopes:
    slope = 1 / (1 + x * x)
    return slope, -2 * x * slope * slope


def _acot(x: Real, f: Real) -> Slopes:
    first, second = _atan(x, f)
    return -first, -second


def _asec(x: Real, f: Real) -> Slopes:
    slope = 1 / (abs(x) * mp.sqrt(x * x - 1))
    return slope, -slope * (1 / x + x / (x * x - 1))


def _acsc(x: Real, f: Real) -> Slopes:
    first, second = _asec(x, f)
    return -first, -second


def _asinh(x: Real, f: Real) -> Slopes:
    slope = 1 / mp.sqrt(1 + x * x)
    return slope, -x * slope**3


def _acosh(x: Real, f: Real) -> Slopes:
    slope = 1 / mp.sqrt(x * x - 1)
    return slope, -x * slope**3


def _atanh(x: Real, f: Real) -> Slopes:
    slope = 1 / (1 - x * x)
    return slope, 2 * x * slope * slope


def _asech(x: Real, f: Real) -> Slopes:
    slope = -1 / (x * mp.sqrt(1 - x * x))
    return slope, slope * (2 * x * x - 1) / (x * (1 - x * x))


def _acsch(x: Real, f: Real) -> Slopes:
    slope = -1 / (abs(x) * mp.sqrt(1 + x * x))
    return slope, -slope * (1 / x + x / (1 + x * x))


def _coth(x: Real, f: Real) -> Slopes:
    return 1 - f * f, -2 * f * (1 - f * f)


def _sech(x: Real, f: Real) -> Slopes:
    t = mp.tanh(x)
    return -f * t, f * (2 * t * t - 1)


def _csch(x: Real, f: Real) -> Slopes:
    c = 1 / mp.tanh(x)
    return -f * c, f * (2 * c * c - 1)


def _erf(x: Real, f: Real) -> Slopes:
    slope = 2 / mp.sqrt(mp.pi) * mp.exp(-x * x)
    return slope, -2 * x * slope


def _erfc(x: Real, f: Real) -> Slopes:
    first, second = _erf(x, f)
    return -first, -second


def _sinc(x: Real, f: Real) -> Slopes:
    if not x:
        return x, -mp.mpf(1) / 3
    first = (mp.cos(x) - f) / x
    return first, -f - 2 * first / x


def _bell(x: Real) -> Real:
    return mp.exp(-x * x / 2) / mp.sqrt(2 * mp.pi)


def _ndtr(x: Real) -> Real:
    return mp.erfc(-x / mp.sqrt(2)) / 2


def _log_ndtr(x: Real, f: Real) -> Slopes:
    first = _bell(x) / _ndtr(x)
    return first, -first * (x + first)


def _logit(x: Real, f: Real) -> Slopes:
    variance = x * (1 - x)
    return 1 / variance, (2 * x - 1) / (variance * variance)


def _gamma(x: Real, f: Real) -> Slopes:
    d = mp.psi(0, x)
    return f * d, f * (d * d + mp.psi(1, x))


def _logarithm(base: int) -> tuple[Callable[..., Real], Callable[..., Slopes]]:
    def value(x: Real) -> Real:
        return on(x >= 0, lambda: mp.log(x) / mp.log(base))

    return value, lambda x, f: (1 / (x * mp.log(base)), -1 / (x * x * mp.log(base)))


def _expit(x: Real) -> Real:
    return 1 / (1 + mp.exp(-x))


UNARY: dict[str, tuple[Callable[[Real], Real], Callable[[Real, Real], Slopes]]] = {
    "exp": (mp.exp, lambda x, f: (f, f)),
    "log": (lambda x: on(x >= 0, lambda: mp.log(x)), lambda x, f: (1 / x, -1 / (x * x))),
    "log10": _logarithm(10),
    "log2": _logarithm(2),
    "log1p": (
        lambda x: on(x >= -1, lambda: mp.log1p(x)),
        lambda x, f: (1 / (1 + x), -1 / (1 + x) ** 2),
    ),
    "expm1": (mp.expm1, lambda x, f: (mp.exp(x), mp.exp(x))),
    "sqrt": (
        lambda x: on(x >= 0, lambda: mp.sqrt(x)),
        lambda x, f: (1 / (2 * f), -1 / (4 * x * f)),
    ),
    "cbrt": (
        lambda x: mp.sign(x) * mp.cbrt(abs(x)),
        lambda x, f: (f / (3 * x), -2 * f / (9 * x * x)),
    ),
    "sin": (mp.sin, lambda x, f: (mp.cos(x), -f)),
    "cos": (mp.cos, lambda x, f: (-mp.sin(x), -f)),
    "tan": (mp.tan, _tan),
    "cot": (lambda x: 1 / mp.tan(x), _cot),
    "sec": (lambda x: 1 / mp.cos(x), _sec),
    "csc": (lambda x: 1 / mp.sin(x), _csc),
    "asin": (lambda x: on(abs(x) <= 1, lambda: mp.asin(x)), _asin),
    "acos": (lambda x: on(abs(x) <= 1, lambda: mp.acos(x)), _acos),
    "atan": (mp.atan, _atan),
    "acot": (lambda x: mp.atan(1 / x), _acot),  # at the jump the sign of a zero decides
    "asec": (lambda x: on(abs(x) >= 1, lambda: mp.acos(1 / x)), _asec),
    "acsc": (lambda x: on(abs(x) >= 1, lambda: mp.asin(1 / x)), _acsc),
    "sinh": (mp.sinh, lambda x, f: (mp.cosh(x), f)),
    "cosh": (mp.cosh, lambda x, f: (mp.sinh(x), f)),
    "tanh": (mp.tanh, lambda x, f: (mp.sech(x) ** 2, -2 * f * mp.sech(x) ** 2)),
    "coth": (lambda x: 1 / mp.tanh(x), lambda x, f: (-(mp.csch(x) ** 2), 2 * f * mp.csch(x) ** 2)),
    "sech": (mp.sech, _sech),
    "csch": (mp.csch, _csch),
    "asinh": (mp.asinh, _asinh),
    "acosh": (lambda x: on(x >= 1, lambda: mp.acosh(x)), _acosh),
    "atanh": (lambda x: on(abs(x) <= 1, lambda: mp.atanh(x)), _atanh),
    "acoth": (lambda x: on(abs(x) >= 1, lambda: mp.atanh(1 / x)), _atanh),
    "asech": (lambda x: on(0 <= x <= 1, lambda: mp.acosh(1 / x)), _asech),
    "acsch": (lambda x: mp.asinh(1 / x), _acsch),
    "erf": (mp.erf, _erf),
    "erfc": (mp.erfc, _erfc),
    "sinc": (lambda x: mp.sin(x) / x if x else mp.mpf(1), _sinc),
    "ndtr": (_ndtr, lambda x, f: (_bell(x), -x * _bell(x))),
    "log_ndtr": (lambda x: mp.log(_ndtr(x)), _log_ndtr),
    "logit": (lambda x: on(0 <= x <= 1, lambda: mp.log(x / (1 - x))), _logit),
    "sigmoid": (_expit, lambda x, f: (f * _expit(-x), f * _expit(-x) * (1 - 2 * f))),
    "softplus": (lambda x: mp.log1p(mp.exp(x)), lambda x, f: (_expit(x), _expit(x) * _expit(-x))),
    "logcosh": (lambda x: mp.log(mp.cosh(x)), lambda x, f: (mp.tanh(x), mp.sech(x) ** 2)),
    "gamma": (mp.gamma, _gamma),
    "loggamma": (lambda x: mp.re(mp.loggamma(x)), lambda x, f: (mp.psi(0, x), mp.psi(1, x))),
    "digamma": (lambda x: mp.psi(0, x), lambda x, f: (mp.psi(1, x), mp.psi(2, x))),
    "lambertw": (
        lambda x: on(x >= -mp.exp(-1), lambda: mp.re(mp.lambertw(x))),
        lambda x, f: (
            mp.exp(-f) / (1 + f),
            -mp.exp(-2 * f) * (2 + f) / (1 + f) ** 3,
        ),
    ),
}


#: What takes numbers of any size; the others may take forever from 2**1000 on.
FAR = frozenset({"log", "log10", "log2", "log1p", "sqrt", "cbrt", "abs"})


def bessel(kind: str, order: Real) -> tuple[Callable[[Real], Real], Callable[..., Slopes]]:
    """A Bessel function of this order: half the sum or difference of its neighbors (A&S 9, 9.6)."""
    function = getattr(mp, f"bessel{kind}")
    sign = 1 if kind in "ik" else -1
    outer = -1 if kind == "k" else 1

    def at(n: Real, x: Real) -> Real:
        if kind == "i" and mp.isint(n):
            n = abs(n)  # equal, and mpmath takes forever for the other near 0
        found = function(n, x)
        return nan if isinstance(found, mp.mpc) else found

    def slopes(x: Real, f: Real) -> Slopes:
        first = outer * (at(order - 1, x) + sign * at(order + 1, x)) / 2
        return first, (at(order - 2, x) + sign * 2 * f + at(order + 2, x)) / 4

    return lambda x: at(order, x), slopes


def polygamma(order: int) -> tuple[Callable[[Real], Real], Callable[..., Slopes]]:
    """The n-th derivative of digamma."""
    return (
        lambda x: mp.psi(order, x),
        lambda x, f: (mp.psi(order + 1, x), mp.psi(order + 2, x)),
    )
