"""Functions of the table written by hand in LLVM IR (`Function.by_hand` states the reason).

They perform the operations of `symgd.formula.functions.reference`, so both give the same bits.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial, reduce

from symgd.backends.native.ir import Value
from symgd.backends.native.translate import Emitter, Form
from symgd.backends.native.vectors.vector_bits import bits_of, double_of


def _one(e: Emitter) -> Value:
    return e.number(1.0)


def _is_nan(e: Emitter, x: Value) -> Value:
    return e.compare("uno", x, x)


def _abs(e: Emitter, x: Value) -> Value:
    return e.intrinsic("fabs", x)


def _larger(predicate: str) -> Form:
    def form(e: Emitter, best: Value, x: Value) -> Value:
        take = e.logic("or", e.compare(predicate, x, best), _is_nan(e, x))
        return e.select(take, x, best)

    return form


def _largest(e: Emitter, *args: Value) -> Value:
    return reduce(partial(_larger("ogt"), e), args)


def _power_of_two_below(e: Emitter, size: Value) -> Value:
    """The power of two that a positive number's exponent says; the least normal one for 0."""
    unit = double_of(e, e.integer("and", bits_of(e, size), 0x7FF0000000000000))
    least = e.number(2.0**-1022)
    return e.select(e.compare("olt", unit, least), least, unit)


def _cbrt(e: Emitter, x: Value) -> Value:
    root = e.call("cbrt", x)
    square = e.mul(root, root)
    cube = e.mul(square, root)
    error = e.sub(cube, x)
    better = e.sub(root, e.div(error, e.mul(e.mul(e.number(3.0), root), root)))
    size = _abs(e, cube)
    ordinary = e.logic(
        "and",
        e.compare("ogt", size, e.number(1e-100)),
        e.compare("olt", size, e.number(1e300)),
    )
    return e.select(ordinary, better, root)


def hypot(e: Emitter, *args: Value) -> Value:
    """sqrt of the sum of squares, correctly rounded in nearly every case, as Python's math.hypot.

    The arguments are scaled by a power of two, their squares added with their rounding errors, and
    the root is corrected by what its own square leaves over (Dekker 1971; Borges 2020, An improved
    algorithm for hypot(a, b), ACM Trans. Math. Softw. 47).
    """
    sizes = [_abs(e, a) for a in args]
    top = _largest(e, *sizes)
    if len(args) == 1:
        return top
    one, half = _one(e), e.number(0.5)
    scale = e.div(half, _power_of_two_below(e, top))
    parts = [e.mul(s, scale) for s in sizes]
    total, low = one, e.number(0.0)
    for part in parts:
        square = e.mul(part, part)
        low = e.add(low, e.intrinsic("fma", part, part, e.neg(square)))
        sum_ = e.add(total, square)
        low = e.add(low, e.sub(square, e.sub(sum_, total)))
        total = sum_
    root = e.intrinsic("sqrt", e.add(e.sub(total, one), low))
    square = e.mul(root, root)
    low = e.sub(low, e.intrinsic("fma", root, root, e.neg(square)))
    rest = e.sub(total, square)
    low = e.add(low, e.sub(e.sub(total, rest), square))
    left = e.add(e.sub(rest, one), low)
    better = e.add(root, e.div(left, e.mul(e.number(2.0), root)))
    length = e.div(better, scale)
    usual = e.logic(
        "and", e.compare("ogt", top, e.number(0.0)), e.compare("olt", top, e.number(math.inf))
    )
    length = e.select(usual, length, top)
    for size in sizes:  # an infinite argument wins over NaN
        length = e.select(e.compare("oeq", size, e.number(math.inf)), size, length)
    return length


def _logsumexp(e: Emitter, *args: Value) -> Value:
    """max + log1p(sum of exp(x - max) over the others), the first of equal ones being the max."""
    top, nan = args[0], _is_nan(e, args[0])
    for arg in args[1:]:
        top = e.select(e.compare("ogt", arg, top), arg, top)
        nan = e.logic("or", nan, _is_nan(e, arg))
    found: Value = Value("false")
    rest = e.number(0.0)
    for arg in args:
        is_top = e.logic("and", e.compare("oeq", arg, top), e.negated(found))
        part = e.call("exp", e.sub(arg, top))
        rest = e.add(rest, e.select(is_top, e.number(0.0), part))
        found = e.logic("or", found, is_top)
    infinite = e.compare("oeq", _abs(e, top), e.number(math.inf))
    total = e.select(infinite, top, e.add(top, e.call("log1p", rest)))
    return e.select(nan, e.number(math.nan), total)


def _gap(e: Emitter, x: Value, y: Value) -> tuple[Value, Value]:
    """x - y and its rounding error, 0 where the difference is not finite (Knuth's two-sum)."""
    d = e.sub(x, y)
    back = e.add(d, y)
    error = e.sub(e.sub(x, back), e.sub(y, e.sub(back, d)))
    finite = e.compare("oeq", e.sub(d, d), e.number(0.0))
    return d, e.select(finite, error, e.number(0.0))


def _exp_of_gap(e: Emitter, x: Value, y: Value) -> Value:
    d, error = _gap(e, x, y)
    return e.mul(e.call("exp", d), e.add(_one(e), error))


def _softmax_term(e: Emitter, x: Value, top: Value, total: Value) -> Value:
    return e.div(_exp_of_gap(e, x, top), total)


def _softmax2(e: Emitter, x: Value, y: Value) -> Value:
    small = _exp_of_gap(e, x, y)
    left = e.div(small, e.add(_one(e), small))
    d = e.sub(x, y)
    right = e.div(_one(e), e.add(_one(e), e.call("exp", e.neg(_abs(e, d)))))
    return e.select(e.compare("ugt", d, e.number(0.0)), right, left)


def _exps(e: Emitter, args: Sequence[Value]) -> list[Value]:
    """exp(x - max) of each argument."""
    top = _largest(e, *args)
    return [_exp_of_gap(e, arg, top) for arg in args]


def _exp_sum(e: Emitter, *args: Value) -> Value:
    return reduce(e.add, _exps(e, args))


def _softmax(e: Emitter, *args: Value) -> Value:
    first, *rest = _exps(e, args)
    return e.div(first, reduce(e.add, rest, first))


def _softmax_complement(e: Emitter, *args: Value) -> Value:
    first, *rest = _exps(e, args)
    return e.div(reduce(e.add, rest, e.number(0.0)), reduce(e.add, rest, first))


#: By name. All others of the table come from the C library or from the formula in their row.
FORMS: dict[str, Form] = {
    "abs": _abs,
    "floor": lambda e, x: e.intrinsic("floor", x),
    "ceil": lambda e, x: e.intrinsic("ceil", x),
    "max": _larger("ogt"),
    "min": _larger("olt"),
    "cbrt": _cbrt,
    "hypot": hypot,
    "logsumexp": _logsumexp,
    "largest": _largest,
    "exp_sum": _exp_sum,
    "softmax": _softmax,
    "softmax_complement": _softmax_complement,
    "softmax_term": _softmax_term,
    "softmax2": _softmax2,
}
