"""Interval arithmetic with outward rounding: an enclosure of the values of every node.

R. E. Moore, 1966, Interval Analysis. Every operation on doubles is widened by a few units in the
last place, more than the error of any libm, so that the sign of an enclosure is proven.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

import sympy

from symgd.formula.functions.compile_formula import LETTERS
from symgd.formula.functions.function import EVERYTHING, Interval
from symgd.formula.functions.table import BY_CLASS, Function
from symgd.formula.indices import Count, Largest, Peak, Size, Total
from symgd.formula.nodes import Node, RowMean, RowSum, Where, float_of, relation, topological
from symgd.formula.parse import substituted

__all__ = ["EVERYTHING", "Interval", "function_range", "operation_range", "ranges"]

_ULPS = 2.0**-50  # eight units in the last place
_TINY = 5e-324


def ranges(roots: Sequence[Node], leaves: Mapping[Node, Interval]) -> dict[int, Interval]:
    """The range of every node below the roots, by id(node); leaves not given are unbounded.

    A range holds for the points at which the formula is defined.
    """
    out: dict[int, Interval] = {}
    for node in topological(roots):
        out[id(node)] = _range(node, [out[id(a)] for a in node.args], leaves)
    return out


def _range(node: Node, args: list[Interval], leaves: Mapping[Node, Interval]) -> Interval:
    if not node.args:
        atom = float_of(node)
        if isinstance(node, (Size, Count)):
            return 0.0, math.inf
        if atom is None:
            return leaves.get(node, EVERYTHING)
        whole = isinstance(node, sympy.Integer) and abs(atom) < 2**53
        return (atom, atom) if whole or node.is_Float else _outward(atom, atom)
    cls = node.func
    if cls is sympy.Add:
        return _sum(args)
    if cls is sympy.Mul:
        return _product(node.args, args)
    if cls is sympy.Pow:
        return _power(args[0], args[1])
    if cls is Where:
        return min(args[1][0], args[2][0]), max(args[1][1], args[2][1])
    if cls is RowMean:
        return _outward(*args[0])
    if cls in (Largest, Peak):
        return args[1]
    if cls in (RowSum, Total):  # of any number of terms
        low, high = args[-1]
        return (0.0 if low >= 0 else -math.inf, 0.0 if high <= 0 else math.inf)
    if relation(node) is not None or cls not in BY_CLASS:
        return EVERYTHING
    return function_range(BY_CLASS[cls], args)


def operation_range(name: str, args: Sequence[Interval]) -> Interval:
    """The range of one operation of a Program over ranges of its arguments."""
    return _OPERATIONS[name](*args)


def function_range(row: Function, args: Sequence[Interval]) -> Interval:
    """The range of one function of the table over ranges of its arguments."""
    (low, high), *rest = args
    if row.fraction_of_first:
        return min(0.0, low), max(0.0, high)
    bottom, top = row.domain
    low, high = max(low, bottom), min(high, top)
    if low > high:
        return row.range
    if row.even:
        near = 0.0 if low <= 0 <= high else min(abs(low), abs(high))
        found = _at(row, near)[0], _at(row, max(abs(low), abs(high)))[1]
    elif row.monotone:
        lows, highs = [low, *(a for a, _ in rest)], [high, *(b for _, b in rest)]
        least, most = (lows, highs) if row.monotone > 0 else (highs, lows)
        found = _at(row, *least)[0], _at(row, *most)[1]
    elif row.formula:
        found = _formula_range(row, [(low, high), *rest])
    else:
        found = EVERYTHING
    return max(found[0], row.range[0]), min(found[1], row.range[1])


def _at(row: Function, *x: float) -> Interval:
    value = row.scalar(*x)
    if row.selects:
        return value, value  # exactly one of the arguments, or a bound
    if value == 0 and any(x) and all(map(math.isfinite, x)):
        return -_TINY, _TINY  # it may have underflowed
    return EVERYTHING if value != value else _outward(value, value)


def _formula_range(row: Function, args: Sequence[Interval]) -> Interval:
    given = [*args, *((v, v) for v in row.omitted_defaults(len(args)))]
    root, leaves = substituted(row.formula, dict(zip(LETTERS, given, strict=False)))
    return ranges([root], leaves)[id(root)]


def _sum(args: Sequence[Interval]) -> Interval:
    low, high = sum(a for a, _ in args), sum(b for _, b in args)
    scale = len(args) * max(_finite(a) for a in args)
    if len(args) > 2 and scale:  # a zero sum of two doubles is exact, of three it may not be
        slack = _ULPS * scale
        bottom, top = _outward(low - slack, high + slack)
        never_below, never_above = min(a for a, _ in args) >= 0, max(b for _, b in args) <= 0
        return max(bottom, 0.0) if never_below else bottom, min(top, 0.0) if never_above else top
    return _outward(low, high, scale)


def _product(nodes: Sequence[Node], args: Sequence[Interval]) -> Interval:
    counts: dict[int, int] = {}
    known: dict[int, Interval] = {}
    for node, arg in zip(nodes, args, strict=True):
        counts[id(node)] = counts.get(id(node), 0) + 1
        known[id(node)] = arg
    result: Interval = (1.0, 1.0)
    for key, count in counts.items():  # x*x is a square, and never below 0
        result = _times(result, _power(known[key], (count, count)))
    return result


def _times(a: Interval, b: Interval) -> Interval:
    if a == (1.0, 1.0):
        return b
    if a == (-1.0, -1.0):
        return _negative(b)  # exact
    ends = [_multiply(x, y) for x in a for y in b]
    return _outward(min(ends), max(ends))


def _multiply(x: float, y: float) -> float:
    if not x or not y:
        return 0.0  # also 0 * inf: an infinite bound is not a value
    return x * y or math.copysign(_TINY, x) * math.copysign(1.0, y)


def _power(base: Interval, exponent: Interval) -> Interval:
    low, high = base
    p, same = exponent
    if p != same:
        return (0.0, math.inf) if low >= 0 else EVERYTHING
    if p == 1:
        return base
    whole = p == int(p) if math.isfinite(p) else False
    if whole and p < 0:
        return _inverse(_power(base, (-p, -p)))
    if not whole:  # defined for base >= 0 only
        low, high = max(low, 0.0), max(high, 0.0)
        if p < 0:
            return _inverse(_power((low, high), (-p, -p)))
    elif int(p) % 2 == 0:
        near = 0.0 if low <= 0 <= high else min(abs(low), abs(high))
        low, high = near, max(abs(low), abs(high))
    bottom, top = _outward(_pow(low, p), _pow(high, p))
    even = not whole or int(p) % 2 == 0
    return (max(bottom, 0.0), top) if even else (bottom, top)


def _pow(x: float, p: float) -> float:
    try:
        return float(x**p) or (0.0 if x == 0 else math.copysign(_TINY, x))
    except OverflowError:
        return math.copysign(math.inf, x) if int(p) % 2 else math.inf


def _inverse(a: Interval) -> Interval:
    low, high = a
    if low < 0 < high:
        return EVERYTHING
    if low >= 0:
        top = 1 / low if low else math.inf
        return max(0.0, _outward(1 / high if high else math.inf, top)[0]), _outward(top, top)[1]
    bottom = 1 / high if high else -math.inf
    return _outward(bottom, bottom)[0], min(0.0, _outward(1 / low, 1 / low)[1])


def _outward(low: float, high: float, scale: float = 0.0) -> Interval:
    if low != low or high != high:
        return EVERYTHING
    # zeros of exact operations stay: these ranges are used for their signs
    if low and math.isfinite(low):
        low = math.nextafter(low - _ULPS * max(abs(low), scale), -math.inf)
    if high and math.isfinite(high):
        high = math.nextafter(high + _ULPS * max(abs(high), scale), math.inf)
    return low, high


def _finite(a: Interval) -> float:
    return max((abs(v) for v in a if math.isfinite(v)), default=0.0)


def _negative(a: Interval) -> Interval:
    return -a[1], -a[0]


_OPERATIONS: dict[str, Callable[..., Interval]] = {
    "add": lambda a, b: _sum((a, b)),
    "sub": lambda a, b: _sum((a, _negative(b))),
    "mul": _times,
    "div": lambda a, b: _times(a, _inverse(b)),
    "neg": _negative,
    "square": lambda a: _power(a, (2.0, 2.0)),
    "sqrt": lambda a: _power(a, (0.5, 0.5)),
    "pow": _power,
    "select": lambda _, a, b: (min(a[0], b[0]), max(a[1], b[1])),
}
