"""Enclosures of the values of nodes over many boxes at once: interval arithmetic on arrays.

The same arithmetic as `symgd.calculus.intervals`, for N boxes in one pass: bounds are arrays, and
every result is widened by more than the rounding error of its operation. R. E. Moore, 1966,
Interval Analysis.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np
import sympy
from numpy.typing import NDArray

from symgd.calculus.intervals import function_range
from symgd.formula.functions.compile_formula import LETTERS
from symgd.formula.functions.table import BY_CLASS, Function
from symgd.formula.nodes import ROWS, Node, RowMean, RowSum, Where, float_of, relation, topological
from symgd.formula.parse import substituted

Bounds = tuple[NDArray[np.float64], NDArray[np.float64]]  # lower and upper, (N,) or (N, rows)

_ULPS = 2.0**-50  # eight units in the last place
_TINY = 5e-324


def box_ranges(
    roots: Sequence[Node], leaves: Mapping[Node, Bounds], rows: int = 1
) -> dict[int, Bounds]:
    """Bounds of every node below the roots, by id(node), in every box.

    leaves: bounds of parameters, (N, 1), and of columns of the data, (1, rows).
    """
    out: dict[int, Bounds] = {}
    with np.errstate(all="ignore"):
        for node in topological(roots):
            out[id(node)] = _bounds(node, [out[id(a)] for a in node.args], leaves, rows)
    return out


def _bounds(node: Node, args: list[Bounds], leaves: Mapping[Node, Bounds], rows: int) -> Bounds:
    if not node.args:
        return _leaf(node, leaves, rows)
    if node.func is sympy.Add:
        return _sum(args)
    if node.func is sympy.Mul:
        return _product(node.args, args)
    if node.func is sympy.Pow:
        return _power(*args)
    if node.func is Where:
        return np.minimum(args[1][0], args[2][0]), np.maximum(args[1][1], args[2][1])
    if node.func in (RowSum, RowMean):
        return _over_rows(args[0], rows, node.func is RowMean)
    if relation(node) is not None or node.func not in BY_CLASS:
        return _everything(args)
    return _function(BY_CLASS[node.func], args)


def _leaf(node: Node, leaves: Mapping[Node, Bounds], rows: int) -> Bounds:
    if node is ROWS:
        return _number(float(rows))
    if node in leaves:
        return leaves[node]
    value = float_of(node)
    if value is None:
        return _number(-math.inf)[0], _number(math.inf)[0]
    exact = (isinstance(node, sympy.Integer) and abs(value) < 2**53) or node.is_Float
    return _number(value) if exact else _outward(*_number(value))


def _number(value: float) -> Bounds:
    array = np.full((1, 1), value)
    return array, array


def _everything(args: Sequence[Bounds]) -> Bounds:
    shape = np.broadcast_shapes(*(low.shape for low, _ in args))
    return np.full(shape, -np.inf), np.full(shape, np.inf)


def _outward(
    low: NDArray[np.float64], high: NDArray[np.float64], scale: NDArray[np.float64] | float = 0.0
) -> Bounds:
    """Widened by `_ULPS` of the size; bounds that are no numbers are unbounded."""
    down = _ULPS * np.maximum(np.abs(low), scale) + _TINY
    up = _ULPS * np.maximum(np.abs(high), scale) + _TINY
    low = np.where(np.isinf(low), low, low - down)
    high = np.where(np.isinf(high), high, high + up)
    unknown = np.isnan(low) | np.isnan(high)
    return np.where(unknown, -np.inf, low), np.where(unknown, np.inf, high)


def _sum(args: Sequence[Bounds]) -> Bounds:
    low, high = args[0]
    scale = np.maximum(np.abs(low), np.abs(high))
    for a, b in args[1:]:
        low, high = low + a, high + b
        scale = scale + np.maximum(np.abs(a), np.abs(b))
    return _outward(low, high, np.where(np.isfinite(scale), scale, 0.0))


def _over_rows(term: Bounds, rows: int, mean: bool) -> Bounds:
    low, high = (np.broadcast_to(end, (end.shape[0], rows)) for end in term)
    scale = rows * np.sum(np.maximum(np.abs(low), np.abs(high)), axis=1, keepdims=True)
    total = [np.sum(end, axis=1, keepdims=True) / (rows if mean else 1) for end in (low, high)]
    return _outward(total[0], total[1], np.where(np.isfinite(scale), scale, 0.0))


def _product(nodes: Sequence[Node], args: Sequence[Bounds]) -> Bounds:
    counts = Counter(map(id, nodes))
    known = {id(node): arg for node, arg in zip(nodes, args, strict=True)}
    powers = [_power(known[key], _number(float(count))) for key, count in counts.items()]
    result = powers[0]
    for other in powers[1:]:
        result = _times(result, other)
    return result


def _times(a: Bounds, b: Bounds) -> Bounds:
    ends = [np.where((x == 0) | (y == 0), 0.0, x * y) for x in a for y in b]
    return _outward(np.minimum.reduce(ends), np.maximum.reduce(ends))


def _power(base: Bounds, exponent: Bounds) -> Bounds:
    low, high = base
    if exponent[0].size > 1 or exponent[0] != exponent[1]:
        above = np.all(low >= 0)
        return (np.zeros_like(low), np.full_like(high, np.inf)) if above else _everything([base])
    p = float(exponent[0].item())
    if p == 1:
        return base
    if p < 0:
        return _inverse(_power(base, _number(-p)))
    if p != int(p):  # defined for base >= 0 only
        low, high = np.maximum(low, 0.0), np.maximum(high, 0.0)
    elif int(p) % 2 == 0:
        inside = (low <= 0) & (high >= 0)
        near = np.where(inside, 0.0, np.minimum(np.abs(low), np.abs(high)))
        low, high = near, np.maximum(np.abs(low), np.abs(high))
    bottom, top = _outward(low**p, high**p)
    even = p != int(p) or int(p) % 2 == 0
    return (np.maximum(bottom, 0.0), top) if even else (bottom, top)


def _inverse(a: Bounds) -> Bounds:
    low, high = a
    around = (low < 0) & (high > 0)
    bottom = np.where(high == 0, -np.inf, 1 / high)
    top = np.where(low == 0, np.inf, 1 / low)
    bottom, top = _outward(np.where(around, -np.inf, bottom), np.where(around, np.inf, top))
    bottom = np.where(low >= 0, np.maximum(bottom, 0.0), bottom)
    return bottom, np.where(high <= 0, np.minimum(top, 0.0), top)


def _function(row: Function, args: list[Bounds]) -> Bounds:
    ufunc = getattr(np, row.numpy, None) if row.numpy else None
    if isinstance(ufunc, np.ufunc) and row.monotone and len(args) == 1:
        low, high = (np.clip(end, *row.domain) for end in args[0])
        ends = (low, high) if row.monotone > 0 else (high, low)
        bottom, top = _outward(ufunc(ends[0]), ufunc(ends[1]))
        return np.maximum(bottom, row.range[0]), np.minimum(top, row.range[1])
    if row.formula and not (row.even or row.monotone or row.fraction_of_first):
        defaults = [_number(value) for value in row.omitted_defaults(len(args))]
        root, leaves = substituted(
            row.formula, dict(zip(LETTERS, [*args, *defaults], strict=False))
        )
        low, high = box_ranges([root], leaves)[id(root)]
        return np.maximum(low, row.range[0]), np.minimum(high, row.range[1])
    return _one_by_one(row, args)


def _one_by_one(row: Function, args: list[Bounds]) -> Bounds:
    """By the enclosure of one box after another."""
    shape = np.broadcast_shapes(*(low.shape for low, _ in args))
    ends = [np.broadcast_to(end, shape).ravel().tolist() for bounds in args for end in bounds]
    found = [
        function_range(row, list(zip(values[::2], values[1::2], strict=True)))
        for values in zip(*ends, strict=True)
    ]
    low, high = np.array(found).T
    return low.reshape(shape), high.reshape(shape)
