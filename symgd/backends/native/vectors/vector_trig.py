"""Vector functions sin and cos; for one argument both share reduction and polynomials.

x = n*pi/2 + y, |y| <= pi/4: pi/2 is the sum of three numbers of 33 bits, whose products with n are
exact, and a fourth; where their subtraction cancels it is exact, too. The polynomials are those of
FreeBSD's msun (k_sin.c, k_cos.c; Sun Microsystems). Arguments beyond LIMIT are computed by
the C library.
"""

from __future__ import annotations

from typing import NamedTuple

from symgd.backends.native.ir import Value
from symgd.backends.native.translate import Emitter
from symgd.backends.native.vectors.vector_bits import (
    bits_of,
    double_of,
    horner,
    zero_kept,
)

LIMIT = 800_000.0  # n then has 19 bits

_PER_QUARTER = float.fromhex("0x1.45f306dc9c883p-1")
_QUARTER = tuple(
    map(
        float.fromhex,
        ("0x1.921fb544p+0", "0x1.0b4611a6p-34", "0x1.3198a2ep-69", "0x1.b839a252049c1p-104"),
    )
)
_ROUND = 1.5 * 2.0**52
_S = (
    -1.66666666666666324348e-01, 8.33333333332248946124e-03, -1.98412698298579493134e-04,
    2.75573137070700676789e-06, -2.50507602534068634195e-08, 1.58969099521155010221e-10,
)  # fmt: skip
_C = (
    4.16666666666666019037e-02, -1.38888888888741095749e-03, 2.48015872894767294178e-05,
    -2.75573143513906633035e-07, 2.08757232129817482790e-09, -1.13596475577881948265e-11,
)  # fmt: skip


class _Reduced(NamedTuple):
    """The number of quarter turns in the lowest bits of `turns`, and what is left over."""

    turns: Value
    y: Value


def _reduced(e: Emitter, x: Value) -> _Reduced:
    shifted = e.multiply_add(x, e.number(_PER_QUARTER), e.number(_ROUND))
    n = e.sub(shifted, e.number(_ROUND))
    y = x
    for part in _QUARTER:
        y = e.multiply_add(n, e.number(-part), y)
    return _Reduced(bits_of(e, shifted), y)


def _sine(e: Emitter, y: Value) -> Value:
    z = e.mul(y, y)
    return e.multiply_add(e.mul(z, y), horner(e, z, _S), y)


def _cosine(e: Emitter, y: Value) -> Value:
    z = e.mul(y, y)
    half = e.mul(e.number(0.5), z)
    rest = e.multiply_add(e.neg(e.mul(z, z)), horner(e, z, _C), half)
    return e.sub(e.number(1.0), rest)


def _turned(e: Emitter, x: Value, quarters: int) -> Value:
    """sin(x + quarters*pi/2) for |x| <= LIMIT."""
    turns, y = _reduced(e, x)
    turns = e.integer("add", turns, quarters) if quarters else turns
    odd = e.icmp("slt", e.integer("shl", turns, 63), 0)
    value = e.select(odd, _cosine(e, y), _sine(e, y))
    flip = e.integer("shl", e.integer("and", turns, 2), 62)
    return double_of(e, e.integer("xor", bits_of(e, value), flip))


def sin(e: Emitter, x: Value) -> Value:
    """The sine of |x| <= LIMIT."""
    return zero_kept(e, x, _turned(e, x, 0))


def cos(e: Emitter, x: Value) -> Value:
    """The cosine of |x| <= LIMIT."""
    return _turned(e, x, 1)
