"""Functions of the table as a few operations of LLVM IR: the formulas of `reference`.

They are the same step by step, so that both give the same digits.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from symgd.backends.native.translate import Emitter, Form, Value

_LOG2 = math.log(2.0)


def _one(e: Emitter) -> Value:
    return e.number(1.0)


def _is_nan(e: Emitter, x: Value) -> Value:
    return e.compare("uno", x, x)


def _abs(e: Emitter, x: Value) -> Value:
    return e.intrinsic("fabs", x)


def _sign(e: Emitter, x: Value) -> Value:
    zero = e.number(0.0)
    below = e.select(e.compare("olt", x, zero), e.number(-1.0), e.select(_is_nan(e, x), x, zero))
    return e.select(e.compare("ogt", x, zero), _one(e), below)


def _heaviside(e: Emitter, x: Value) -> Value:
    zero = e.number(0.0)
    tie = e.select(e.compare("oeq", x, zero), e.number(0.5), e.select(_is_nan(e, x), x, zero))
    return e.select(e.compare("ogt", x, zero), _one(e), tie)


def _larger(predicate: str) -> Form:
    def form(e: Emitter, best: Value, x: Value) -> Value:
        take = e.logic("or", e.compare(predicate, x, best), _is_nan(e, x))
        return e.select(take, x, best)

    return form


def _clip(e: Emitter, x: Value, low: Value, high: Value) -> Value:
    return _larger("olt")(e, _larger("ogt")(e, x, low), high)


def _share(e: Emitter, amount: Value, x: Value, y: Value) -> Value:
    none = e.select(e.compare("uno", x, y), e.number(math.nan), e.number(0.0))
    half = e.mul(e.number(0.5), amount)
    tie = e.select(e.compare("oeq", x, y), half, none)
    return e.select(e.compare("ogt", x, y), amount, tie)


def _share_of_clip(chosen: Callable[[Emitter, Value, Value, Value], Value]) -> Form:
    """The amount where `chosen` holds for (x, low, high), NaN where one of them is, else 0."""

    def form(e: Emitter, amount: Value, x: Value, low: Value, high: Value) -> Value:
        nan = e.logic("or", e.compare("uno", x, low), _is_nan(e, high))
        other = e.select(nan, e.number(math.nan), e.number(0.0))
        taken = e.logic("and", chosen(e, x, low, high), e.negated(nan))
        return e.select(taken, amount, other)

    return form


def _inside(e: Emitter, x: Value, low: Value, high: Value) -> Value:
    return e.logic("and", e.compare("ole", low, x), e.compare("ole", x, high))


def _below(e: Emitter, x: Value, low: Value, high: Value) -> Value:
    return e.logic("and", e.compare("olt", x, low), e.compare("ole", low, high))


def _above(e: Emitter, x: Value, low: Value, high: Value) -> Value:
    return e.compare("ogt", _larger("ogt")(e, x, low), high)


def _relu(e: Emitter, x: Value) -> Value:
    zero = e.number(0.0)
    return e.select(e.compare("ugt", x, zero), x, zero)


def _huber(e: Emitter, r: Value, delta: Value) -> Value:
    size = _abs(e, r)
    inside = e.mul(e.mul(e.number(0.5), r), r)
    outside = e.mul(delta, e.sub(size, e.mul(e.number(0.5), delta)))
    return e.select(e.compare("ole", size, delta), inside, outside)


def _inverse(name: str) -> Form:
    def form(e: Emitter, x: Value) -> Value:
        return e.div(_one(e), e.call(name, x))

    return form


def _sech(e: Emitter, x: Value) -> Value:
    small = e.call("exp", e.neg(_abs(e, x)))
    return e.div(e.mul(e.number(2.0), small), e.add(_one(e), e.mul(small, small)))


def _after_inverse(name: str) -> Form:
    def form(e: Emitter, x: Value) -> Value:
        return e.call(name, e.div(_one(e), x))

    return form


def _leg(e: Emitter, a: Value) -> Value:
    low = e.intrinsic("sqrt", e.sub(a, _one(e)))
    return e.mul(low, e.intrinsic("sqrt", e.add(a, _one(e))))


def _outside_one(e: Emitter, x: Value, value: Value) -> Value:
    inside = e.compare("oge", _abs(e, x), _one(e))
    return e.select(inside, value, e.number(math.nan))


def _asec(e: Emitter, x: Value) -> Value:
    direction = e.intrinsic("copysign", _one(e), x)
    return _outside_one(e, x, e.call("atan2", _leg(e, _abs(e, x)), direction))


def _acsc(e: Emitter, x: Value) -> Value:
    angle = e.call("atan2", _one(e), _leg(e, _abs(e, x)))
    return _outside_one(e, x, e.intrinsic("copysign", angle, x))


def _acoth(e: Emitter, x: Value) -> Value:
    past = e.sub(_abs(e, x), _one(e))
    half = e.mul(e.number(0.5), e.call("log1p", e.div(e.number(2.0), past)))
    return _outside_one(e, x, e.intrinsic("copysign", half, x))


def _asech(e: Emitter, x: Value) -> Value:
    leg = e.intrinsic("sqrt", e.mul(e.sub(_one(e), x), e.add(_one(e), x)))
    value = e.call("asinh", e.div(leg, x))
    legal = e.logic("and", e.compare("ogt", x, e.number(0.0)), e.compare("ole", x, _one(e)))
    other = e.select(e.compare("oeq", x, e.number(0.0)), e.number(math.inf), e.number(math.nan))
    return e.select(legal, value, other)


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
    top = sizes[0]
    for size in sizes[1:]:
        top = _larger("ogt")(e, top, size)
    if len(args) == 1:
        return top
    one, half = _one(e), e.number(0.5)
    unit = e.power_of_two_below(top)
    scale = e.div(half, unit)
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


def _sigmoid(e: Emitter, x: Value) -> Value:
    small = e.call("exp", e.neg(_abs(e, x)))
    bottom = e.add(_one(e), small)
    right = e.compare("oge", x, e.number(0.0))
    return e.div(e.select(right, _one(e), small), bottom)


def _softplus(e: Emitter, x: Value) -> Value:
    tail = e.call("log1p", e.call("exp", e.neg(_abs(e, x))))
    right = e.compare("ogt", x, e.number(0.0))
    return e.select(right, e.add(x, tail), tail)


def _logcosh(e: Emitter, x: Value) -> Value:
    size = _abs(e, x)
    s = e.call("sinh", e.select(e.compare("olt", size, _one(e)), size, _one(e)))
    near = e.mul(e.number(0.5), e.call("log1p", e.mul(s, s)))
    tail = e.call("log1p", e.call("exp", e.mul(e.number(-2.0), size)))
    far = e.add(size, e.sub(tail, e.number(_LOG2)))
    return e.select(e.compare("olt", size, _one(e)), near, far)


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


def _softmax(e: Emitter, x: Value, top: Value, total: Value) -> Value:
    return e.div(_exp_of_gap(e, x, top), total)


def _softmax2(e: Emitter, x: Value, y: Value) -> Value:
    small = _exp_of_gap(e, x, y)
    left = e.div(small, e.add(_one(e), small))
    d = e.sub(x, y)
    return e.select(e.compare("ugt", d, e.number(0.0)), _sigmoid(e, d), left)


def _largest(e: Emitter, *args: Value) -> Value:
    top = args[0]
    for arg in args[1:]:
        top = _larger("ogt")(e, top, arg)
    return top


def _exp_sum(e: Emitter, *args: Value) -> Value:
    top = _largest(e, *args)
    total = _exp_of_gap(e, args[0], top)
    for arg in args[1:]:
        total = e.add(total, _exp_of_gap(e, arg, top))
    return total


def _portion(e: Emitter, *args: Value) -> Value:
    top = _largest(e, *args)
    return e.div(_exp_of_gap(e, args[0], top), _exp_sum(e, *args))


def _complement(e: Emitter, *args: Value) -> Value:
    top = _largest(e, *args)
    rest = e.number(0.0)
    for arg in args[1:]:
        rest = e.add(rest, _exp_of_gap(e, arg, top))
    return e.div(rest, _exp_sum(e, *args))


#: The functions of the table that are a few operations, by name.
FORMS: dict[str, Form] = {
    "abs": _abs,
    "sign": _sign,
    "heaviside": _heaviside,
    "floor": lambda e, x: e.intrinsic("floor", x),
    "ceil": lambda e, x: e.intrinsic("ceil", x),
    "max": _larger("ogt"),
    "min": _larger("olt"),
    "clip": _clip,
    "share": _share,
    "share_inside": _share_of_clip(_inside),
    "share_low": _share_of_clip(_below),
    "share_high": _share_of_clip(_above),
    "relu": _relu,
    "huber": _huber,
    "cot": _inverse("tan"),
    "sec": _inverse("cos"),
    "csc": _inverse("sin"),
    "coth": _inverse("tanh"),
    "csch": _inverse("sinh"),
    "sech": _sech,
    "acot": _after_inverse("atan"),
    "acsch": _after_inverse("asinh"),
    "asec": _asec,
    "acsc": _acsc,
    "acoth": _acoth,
    "asech": _asech,
    "cbrt": _cbrt,
    "hypot": hypot,
    "sigmoid": _sigmoid,
    "softplus": _softplus,
    "logcosh": _logcosh,
    "logsumexp": _logsumexp,
    "largest": _largest,
    "exp_sum": _exp_sum,
    "portion": _portion,
    "complement": _complement,
    "softmax": _softmax,
    "softmax2": _softmax2,
}
