"""Vector functions exp, expm1, sinh, cosh, ...: all derived from one exponential.

x = k*log(2) + r with |r| <= log(2)/2 (W. J. Cody and W. Waite, 1980, Software Manual for the
Elementary Functions, chapter 6); exp(r) - 1 is r + r**2*q(r), q being the polynomial of least
error, which is below 2**-64. 2**k is the product of two powers of two, so that results that are
subnormal or infinite are so in the last multiplication.
"""

from __future__ import annotations

from typing import NamedTuple

from symgd.backends.native.ir import Value
from symgd.backends.native.translate import Emitter
from symgd.backends.native.vectors.vector_bits import (
    at_least,
    at_most,
    bits_of,
    double_of,
    estrin,
    zero_kept,
)

LOG2_HIGH = float.fromhex("0x1.62e42fee00000p-1")  # 32 bits: its product with k is exact
LOG2_LOW = float.fromhex("0x1.a39ef35793c76p-33")
_PER_LOG2 = float.fromhex("0x1.71547652b82fep+0")

_BIAS = 1023
_ROUND = 1.5 * 2.0**52 + 2 * _BIAS  # what is added to it becomes whole, in its lowest bits
_Q = (
    0.5, 0.16666666666666685, 0.04166666666666673, 0.008333333333316739, 0.0013888888888858428,
    0.00019841269897059863, 2.4801587373702355e-05, 2.7557234236107333e-06,
    2.7557233416056126e-07, 2.5112240020425072e-08, 2.092692288803174e-09,
)  # fmt: skip
_LEAST, _MOST = -746.0, 712.0  # beyond them exp is 0, and infinite even where it is halved
_FAR = 38.0  # from here on exp(x) - 1 is exp(x)


class Exponential(NamedTuple):
    """exp(x) = (1 + rest)*first*second, the last two powers of two."""

    rest: Value
    first: Value
    second: Value


def exponential(
    e: Emitter, x: Value, low: Value | None = None, full_precision: bool = False
) -> Exponential:
    """The parts of exp(x + low), low being a rounding error of x.

    full_precision: `rest` is right to its last place, for those who subtract 1.
    """
    x = at_least(e, at_most(e, x, _MOST), _LEAST)
    shifted = e.multiply_add(x, e.number(_PER_LOG2), e.number(_ROUND))
    k = e.sub(shifted, e.number(_ROUND))
    r = e.multiply_add(k, e.number(-LOG2_HIGH), x)
    high, r = r, e.multiply_add(k, e.number(-LOG2_LOW), r)
    if low is not None:
        r = e.add(r, low)
    lost = e.multiply_add(k, e.number(-LOG2_LOW), e.sub(high, r)) if full_precision else None
    curved = e.mul(e.mul(r, r), estrin(e, r, _Q))
    rest = e.add(r, curved if lost is None else e.add(curved, lost))
    bits = bits_of(e, shifted)  # k + 2*_BIAS is in the lowest of them
    half = e.integer("lshr", bits, 1)
    powers = (double_of(e, e.integer("shl", b, 52)) for b in (half, e.integer("sub", bits, half)))
    return Exponential(rest, *powers)


def scaled(e: Emitter, value: Value, parts: Exponential) -> Value:
    """The value times the power of two."""
    return e.mul(e.mul(value, parts.first), parts.second)


def exp(e: Emitter, x: Value) -> Value:
    """e to the power x."""
    parts = exponential(e, x)
    return scaled(e, e.add(e.number(1.0), parts.rest), parts)


def _minus_one(e: Emitter, parts: Exponential) -> Value:
    """exp(x) - 1 where x <= _FAR; 2**k - 1 is exact there, or rounds to what it is."""
    unit = e.mul(parts.first, parts.second)
    return e.multiply_add(unit, parts.rest, e.sub(unit, e.number(1.0)))


def expm1(e: Emitter, x: Value) -> Value:
    """exp(x) - 1."""
    parts = exponential(e, x, full_precision=True)
    far = scaled(e, e.add(e.number(1.0), parts.rest), parts)
    near = zero_kept(e, x, _minus_one(e, parts))
    return e.select(e.compare("ogt", x, e.number(_FAR)), far, near)


class _Down(NamedTuple):
    """s = exp(-2*|x|) and 1 + s: what tanh and its slope have in common."""

    parts: Exponential
    small: Value
    bottom: Value


def _down(e: Emitter, x: Value) -> _Down:
    parts = exponential(e, e.mul(e.number(-2.0), e.intrinsic("fabs", x)), full_precision=True)
    small = scaled(e, e.add(e.number(1.0), parts.rest), parts)
    return _Down(parts, small, e.add(e.number(1.0), small))


def tanh(e: Emitter, x: Value) -> Value:
    """(1 - s)/(1 + s) for s > 1/3, where 1 - s is -(exp(-2*|x|) - 1); 1 - 2*s/(1 + s) below."""
    parts, small, bottom = _down(e, x)
    near = e.compare("ogt", small, e.number(1.0 / 3.0))
    top = e.select(near, e.neg(_minus_one(e, parts)), e.mul(e.number(2.0), small))
    share = e.div(top, bottom)
    size = e.select(near, share, e.sub(e.number(1.0), share))
    return e.intrinsic("copysign", size, x)


def sech_squared(e: Emitter, x: Value) -> Value:
    """1 - tanh(x)**2 = 4*s/(1 + s)**2."""
    _, small, bottom = _down(e, x)
    return e.div(e.mul(e.number(4.0), small), e.mul(bottom, bottom))


def _half(e: Emitter, parts: Exponential) -> Value:
    """exp(x)/2, finite where exp(x) just is not."""
    second = e.mul(parts.second, e.number(0.5))
    return scaled(e, e.add(e.number(1.0), parts.rest), parts._replace(second=second))


def sinh(e: Emitter, x: Value) -> Value:
    """(2*t - t**2/(t + 1))/2 for |x| < 1, (t + t/(t + 1))/2 beyond, t = exp(|x|) - 1."""
    one, half, size = e.number(1.0), e.number(0.5), e.intrinsic("fabs", x)
    parts = exponential(e, size, full_precision=True)
    t = _minus_one(e, parts)
    share = e.div(t, e.add(t, one))
    near = e.sub(t, e.mul(half, e.mul(t, share)))
    middle = e.mul(half, e.add(t, share))
    inner = e.select(e.compare("olt", size, one), near, middle)
    far = e.compare("ogt", size, e.number(_FAR))
    return e.intrinsic("copysign", e.select(far, _half(e, parts), inner), x)


def cosh(e: Emitter, x: Value) -> Value:
    """h + 1/(4*h), h = exp(|x|)/2."""
    half = _half(e, exponential(e, e.intrinsic("fabs", x)))
    return e.add(half, e.div(e.number(0.25), half))
