"""Vector function x**y = exp(y*log(x)), with the logarithm to about 68 bits.

x = 2**k*(1 + f), s = f/(2 + f): log(1 + f) = 2*s + s**3*(2/3 + s**2*P(s**2)), of which the sum,
s**2 and the bracket are kept as high + low (T. J. Dekker, 1971); P is the polynomial of least
error, below 2**-73 of the logarithm. Valid for positive normal x and |y| < LARGEST; other
arguments are computed by the C library.
"""

from __future__ import annotations

from symgd.backends.native.ir import Value
from symgd.backends.native.translate import Emitter
from symgd.backends.native.vectors.vector_bits import horner, product_error
from symgd.backends.native.vectors.vector_exp import LOG2_HIGH, LOG2_LOW, exponential, scaled
from symgd.backends.native.vectors.vector_log import normal, split

LARGEST = 2.0**64

_P = (
    0.3999999999999998, 0.2857142857144515, 0.22222222217527085, 0.18181818871469874,
    0.15384556791923837, 0.13336320470544907, 0.11674756385350996, 0.11989531943610872,
)  # fmt: skip
_THIRD = (float.fromhex("0x1.5555555555555p-1"), float.fromhex("0x1.5555555555555p-55"))  # 2/3
_PAST = 1000.0  # where exp is 0 or infinite, whatever the low part


def usual(e: Emitter, x: Value, y: Value) -> Value:
    """Where `pow` is right."""
    small = e.compare("olt", e.intrinsic("fabs", y), e.number(LARGEST))
    return e.logic("and", normal(e, x), small)


def pow(e: Emitter, x: Value, y: Value) -> Value:  # noqa: A001 - the table's name
    """x to the power y."""
    high, low = _log(e, x)
    top = e.mul(y, high)
    rest = e.multiply_add(y, low, product_error(e, y, high, top))
    near = e.compare("olt", e.intrinsic("fabs", top), e.number(_PAST))
    parts = exponential(e, top, e.select(near, rest, e.number(0.0)))
    return scaled(e, e.add(e.number(1.0), parts.rest), parts)


def _log(e: Emitter, x: Value) -> tuple[Value, Value]:
    """(high, low) of log(x)."""
    one = e.number(1.0)
    k, m = split(e, x)
    f, bottom = e.sub(m, one), e.add(m, one)
    bottom_low = e.sub(m, e.sub(bottom, one))
    inverse = e.div(one, bottom)
    s = e.mul(f, inverse)
    p = e.mul(s, bottom)
    left = e.sub(e.sub(f, p), product_error(e, s, bottom, p))
    s_low = e.mul(e.sub(left, e.mul(s, bottom_low)), inverse)

    z = e.mul(s, s)
    twice = e.mul(e.number(2.0), e.mul(s, s_low))
    z_low = e.add(product_error(e, s, s, z), twice)
    tail = e.mul(z, horner(e, z, _P))
    c = e.add(e.number(_THIRD[0]), tail)
    c_low = e.add(e.add(e.sub(e.number(_THIRD[0]), c), tail), e.number(_THIRD[1]))
    w, w_low = _product(e, (z, z_low), (c, c_low))
    cube, cube_low = _product(e, (s, s_low), (w, w_low))

    double = e.mul(e.number(2.0), s)
    high = e.add(double, cube)
    low = e.add(e.sub(double, high), cube)
    low = e.add(low, e.multiply_add(e.number(2.0), s_low, cube_low))
    whole = e.mul(k, e.number(LOG2_HIGH))
    total = e.add(whole, high)
    low = e.add(low, e.mul(k, e.number(LOG2_LOW)))
    low = e.add(e.add(e.sub(whole, total), high), low)
    result = e.add(total, low)
    return result, e.add(e.sub(total, result), low)


_Pair = tuple[Value, Value]


def _product(e: Emitter, a: _Pair, b: _Pair) -> _Pair:
    high = e.mul(a[0], b[0])
    cross = e.multiply_add(a[0], b[1], e.mul(a[1], b[0]))
    return high, e.add(product_error(e, a[0], b[0], high), cross)
