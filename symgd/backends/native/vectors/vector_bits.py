"""Building blocks of vector functions: bits of doubles, error-free products.

Every operation is elementwise, so no lane depends on another. No result relies on `multiply_add`
rounding once.
"""

from __future__ import annotations

from collections.abc import Sequence

from symgd.backends.native.ir import Value
from symgd.backends.native.translate import Emitter

_SPLIT = 2.0**27 + 1


def horner(e: Emitter, x: Value, coefficients: Sequence[float]) -> Value:
    """The polynomial with these coefficients, the constant first."""
    total = e.number(coefficients[-1])
    for c in coefficients[-2::-1]:
        total = e.multiply_add(x, total, e.number(c))
    return total


def estrin(e: Emitter, x: Value, coefficients: Sequence[float]) -> Value:
    """The same in pairs, so that few operations wait for one another (G. Estrin, 1960)."""
    parts = [e.number(c) for c in coefficients]
    power = x
    while len(parts) > 1:
        odd = parts.pop() if len(parts) % 2 else None
        parts = [
            e.multiply_add(high, power, low)
            for low, high in zip(parts[::2], parts[1::2], strict=True)
        ]
        if odd is not None:
            parts.append(odd)
        if len(parts) > 1:
            power = e.mul(power, power)
    return parts[0]


def product_error(e: Emitter, a: Value, b: Value, product: Value) -> Value:
    """a*b - product, exactly: by one instruction, or from halves (T. J. Dekker, 1971)."""
    if e.fused:
        return e.intrinsic("fma", a, b, e.neg(product))
    (ah, al), (bh, bl) = _halves(e, a), _halves(e, b)
    error = e.sub(e.mul(ah, bh), product)
    return e.add(e.add(e.add(error, e.mul(ah, bl)), e.mul(al, bh)), e.mul(al, bl))


def _halves(e: Emitter, a: Value) -> tuple[Value, Value]:
    big = e.mul(a, e.number(_SPLIT))
    high = e.sub(big, e.sub(big, a))
    return high, e.sub(a, high)


def bits_of(e: Emitter, x: Value) -> Value:
    """The 64 bits of each double."""
    double, bits = e.type(x.wide), e.type(x.wide, "i64")
    return e.emit(f"bitcast {double} {x.text} to {bits}", x.wide)


def double_of(e: Emitter, bits: Value) -> Value:
    """The double of these bits."""
    double, whole = e.type(bits.wide), e.type(bits.wide, "i64")
    return e.emit(f"bitcast {whole} {bits.text} to {double}", bits.wide)


def at_most(e: Emitter, x: Value, bound: float) -> Value:
    """The lesser of x and a bound; NaN stays."""
    return e.select(e.compare("ogt", x, e.number(bound)), e.number(bound), x)


def at_least(e: Emitter, x: Value, bound: float) -> Value:
    """The greater of x and a bound; NaN stays."""
    return e.select(e.compare("olt", x, e.number(bound)), e.number(bound), x)


def zero_kept(e: Emitter, x: Value, result: Value) -> Value:
    """The result, or x where that is 0, with its sign."""
    return e.select(e.compare("oeq", x, e.number(0.0)), x, result)
