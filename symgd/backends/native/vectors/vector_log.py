"""Vector functions log and log1p, as in FreeBSD's msun (e_log.c, s_log1p.c; Sun Microsystems).

x = 2**k*m with m from sqrt(1/2) to sqrt(2), f = m - 1, s = f/(2 + f):
log(m) = f - (f**2/2 - s*(f**2/2 + R(s**2))).
"""

from __future__ import annotations

import math
from typing import NamedTuple

from symgd.backends.native.ir import Value
from symgd.backends.native.translate import Emitter
from symgd.backends.native.vectors.vector_bits import (
    bits_of,
    double_of,
    horner,
    zero_kept,
)
from symgd.backends.native.vectors.vector_exp import LOG2_HIGH, LOG2_LOW

_R = (
    6.666666666666735130e-01, 3.999999999940941908e-01, 2.857142874366239149e-01,
    2.222219843214978396e-01, 1.818357216161805012e-01, 1.531383769920937332e-01,
    1.479819860511658591e-01,
)  # fmt: skip
_ROOT_HALF = 0x3FE6A09E667F3BCD  # the bits of sqrt(1/2)
_ONE = 0x3FF0000000000000
_FRACTION = (1 << 52) - 1
_WHOLE = 0x4330000000000000  # the bits of 2**52: a whole number in the lowest ones is added to it


class Split(NamedTuple):
    """x = 2**k*m."""

    k: Value
    m: Value


def split(e: Emitter, x: Value) -> Split:
    """k and m of positive normal numbers."""
    moved = e.integer("add", bits_of(e, x), _ONE - _ROOT_HALF)
    exponent = e.integer("or", e.integer("lshr", moved, 52), _WHOLE)
    k = e.sub(double_of(e, exponent), e.number(2.0**52 + 1023))
    m = double_of(e, e.integer("add", e.integer("and", moved, _FRACTION), _ROOT_HALF))
    return Split(k, m)


def _log_of(e: Emitter, f: Value, k: Value, more: Value | None = None) -> Value:
    """log(1 + f) + k*log(2) + more, which is small."""
    s = e.div(f, e.add(e.number(2.0), f))
    z = e.mul(s, s)
    w = e.mul(z, z)
    odd, even = horner(e, w, _R[::2]), horner(e, w, _R[1::2])
    r = e.multiply_add(w, even, e.mul(z, odd))
    half = e.mul(e.mul(e.number(0.5), f), f)
    low = e.mul(k, e.number(LOG2_LOW))
    if more is not None:
        low = e.add(low, more)
    inner = e.sub(half, e.multiply_add(s, e.add(half, r), low))
    return e.sub(e.mul(k, e.number(LOG2_HIGH)), e.sub(inner, f))


def normal(e: Emitter, x: Value) -> Value:
    """Where `log` is right: at normal positive numbers."""
    return _between(e, e.compare("oge", x, e.number(2.0**-1022)), x)


def beyond_pole(e: Emitter, x: Value) -> Value:
    """Where `log1p` is right: at finite numbers above -1."""
    return _between(e, e.compare("ogt", x, e.number(-1.0)), x)


def _between(e: Emitter, above: Value, x: Value) -> Value:
    return e.logic("and", above, e.compare("olt", x, e.number(math.inf)))


def log(e: Emitter, x: Value) -> Value:
    """The natural logarithm."""
    k, m = split(e, x)
    return _log_of(e, e.sub(m, e.number(1.0)), k)


def log1p(e: Emitter, x: Value) -> Value:
    """log(1 + x): that of u, which is 1 + x rounded, and what the rounding took, over u."""
    one = e.number(1.0)
    u = e.add(one, x)
    back = e.sub(u, one)
    lost = e.add(e.sub(one, e.sub(u, back)), e.sub(x, back))
    k, m = split(e, u)
    near = e.compare("oeq", k, e.number(0.0))
    f = e.select(near, x, e.sub(m, one))
    more = e.select(near, e.number(0.0), e.div(lost, u))
    return zero_kept(e, x, _log_of(e, f, k, more))
