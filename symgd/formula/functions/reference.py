"""Operations and functions on Python floats, in IEEE semantics: inf and nan, no exceptions.

The operations that the formulas of the table use, and the functions without a formula: the
reference that every backend must reproduce.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from math import copysign, inf, isfinite, isinf, isnan, nan
from typing import Any

Scalar = Callable[..., float]


def add(*terms: float) -> float:
    """The terms summed from left to right, as Python's + does."""
    total = terms[0]
    for term in terms[1:]:
        total += term
    return total


def mul(*factors: float) -> float:
    """The factors multiplied from left to right."""
    product = factors[0]
    for factor in factors[1:]:
        product *= factor
    return product


def div(a: float, b: float) -> float:
    """a/b with IEEE's signed infinities and 0/0 = nan."""
    try:
        return a / b
    except ZeroDivisionError:
        return nan if a == 0 or isnan(a) else copysign(inf, a) * copysign(1.0, b)


def pow(a: float, b: float) -> float:  # noqa: A001 - the operation's name in every table
    """C's pow on the reals: nan for a negative base with a fractional exponent."""
    if b == 2.0:
        return a * a  # correctly rounded, which libm's pow does not promise
    try:
        return math.pow(a, b)
    except OverflowError:
        return -inf if a < 0 and b % 2 == 1 else inf
    except ValueError:
        if a == 0:
            return copysign(inf, a) if b % 2 == 1 else inf
        return nan


#: The whole exponents for which every backend multiplies, x*x*x for x**3: they agree to the bit.
MULTIPLIED = range(2, 9)


def whole_power(a: float, n: int) -> float:
    """a to the power n, one of MULTIPLIED: the power n//2 times itself, times a where n is odd."""
    if n == 1:
        return a
    half = whole_power(a, n // 2)
    return half * half * a if n % 2 else half * half


def constant_power(a: float, b: float) -> float:
    """a to a power that is a number of the formula."""
    return whole_power(a, int(b)) if b in MULTIPLIED else pow(a, b)


def _total(f: Scalar, over: float = nan) -> Scalar:
    """f with OverflowError as `over` and every other domain error as nan."""

    def total(*args: float) -> float:
        try:
            return f(*args)
        except OverflowError:
            return over
        except (ValueError, ZeroDivisionError):
            return nan

    return total


exp = _total(math.exp, inf)
expm1 = _total(math.expm1, inf)
sqrt = _total(math.sqrt)
sin, cos, tan = _total(math.sin), _total(math.cos), _total(math.tan)
asin, acos, atan, atan2 = _total(math.asin), _total(math.acos), math.atan, math.atan2
tanh, asinh, acosh = math.tanh, math.asinh, _total(math.acosh)
erf, erfc = math.erf, math.erfc
fmod = _total(math.fmod)


def _pole_log(f: Scalar, zero: float) -> Scalar:
    """A logarithm f: -inf at `zero`, nan to the left of it, and exact for float arguments."""

    def log(x: float) -> float:
        if x == zero:
            return -inf
        return f(x) if x > zero else nan

    return log


log, log10, log2 = (_pole_log(f, 0.0) for f in (math.log, math.log10, math.log2))
log1p = _pole_log(math.log1p, -1.0)


def sinh(x: float) -> float:
    """sinh, infinite with the sign of x beyond the range."""
    try:
        return math.sinh(x)
    except OverflowError:
        return copysign(inf, x)


cosh = _total(math.cosh, inf)


def atanh(x: float) -> float:
    """atanh, with its poles at -1 and 1."""
    if abs(x) == 1.0:
        return copysign(inf, x)
    return math.atanh(x) if abs(x) < 1.0 else nan


def cbrt(x: float) -> float:
    """The real cube root; one Newton step makes cubes exact, which some C libraries miss."""
    root = math.cbrt(x)
    cube = root * root * root
    return root - (cube - x) / (3.0 * root * root) if 1e-100 < abs(cube) < 1e300 else root


def floor(x: float) -> float:
    """The largest whole number <= x."""
    return float(math.floor(x)) if isfinite(x) else x


def ceil(x: float) -> float:
    """The smallest whole number >= x."""
    return float(math.ceil(x)) if isfinite(x) else x


def maximum(*args: float) -> float:
    """The largest argument, of any number type; nan if any is nan."""
    best = args[0]
    for x in args[1:]:
        best = x if x != x or x > best else best
    return best


def minimum(*args: float) -> float:
    """The smallest argument, of any number type; nan if any is nan."""
    best = args[0]
    for x in args[1:]:
        best = x if x != x or x < best else best
    return best


def hypot(*args: float) -> float:
    """sqrt of the sum of squares without overflow or underflow."""
    return math.hypot(*args)


def logsumexp(*args: float) -> float:
    """log(exp(a) + exp(b) + ...) without overflow: the largest argument is taken out."""
    if any(isnan(x) for x in args):
        return nan
    top = max(args)
    if isinf(top):
        return top
    at = args.index(top)
    rest = math.fsum(math.exp(x - top) for k, x in enumerate(args) if k != at)
    return top + math.log1p(rest)


# Softmax: terms of a sum of exponentials, as fractions of it


def _two_difference(x: float, y: float) -> tuple[float, float]:
    """x - y and its rounding error (Knuth's two-sum)."""
    d = x - y
    if not isfinite(d):
        return d, 0.0
    back = d + y
    return d, (x - back) - (y - (back - d))


def softmax2(x: float, y: float) -> float:
    """exp(x)/(exp(x) + exp(y)) = sigmoid(x - y), with no digit of x - y lost."""
    d, error = _two_difference(x, y)
    if d > 0.0 or isnan(d):
        return 1.0 / (1.0 + math.exp(-d))  # errors of a small exponential do not matter
    e = math.exp(d) * (1.0 + error)
    return e / (1.0 + e)


def exp_sum(*args: float) -> float:
    """The sum of exp(a - largest): from 1 to the number of arguments."""
    top = maximum(*args)
    return math.fsum(softmax_term(a, top, 1.0) for a in args)


def softmax_term(x: float, top: float, total: float) -> float:
    """exp(x - top)/total, with no digit of x - top lost."""
    d, error = _two_difference(x, top)
    return div(exp(d) * (1.0 + error), total)


def softmax(*args: float) -> float:
    """exp(a)/(exp(a) + exp(b) + ...) of a, b, ..."""
    return softmax_term(args[0], maximum(*args), exp_sum(*args))


def softmax_complement(*args: float) -> float:
    """1 - softmax(a, b, ...), also where that is nearly 0."""
    top = maximum(*args)
    return math.fsum(softmax_term(a, top, 1.0) for a in args[1:]) / exp_sum(*args)


def where(condition: bool, a: float, b: float) -> float:
    """a where the condition holds, else b."""
    return a if condition else b


COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "==": operator.eq,
    "!=": operator.ne,
}
